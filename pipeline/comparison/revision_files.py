"""Finds the files of a git revision or of the workspace, which stay as they are."""

from functools import cached_property
from pathlib import Path
from typing import Any, Self

from pipeline.repository.digests import Digest, with_parents
from pipeline.repository.lock import parse_lock
from pipeline.repository.project import Project
from pipeline.repository.results import damage_of, parse_report
from pipeline.repository.revisions import resolve_revision
from stages.errors import PipelineError, UnavailableError
from stages.paths import Paths

FILES = Paths()
WORKSPACE = "workspace"
SHORT = 9  # characters of a commit's hash that are shown


class RevisionFiles:
    """The files of a git revision or of the workspace, whether git or DVC has them.

    Args:
        root: The project's folder.
        rev: A git revision; None: the workspace.
        scratch: Folder for files downloaded from the DVC remote.

    Raises:
        PipelineError: The revision is unknown, or has no dvc.yaml.
    """

    def __init__(self, root: Path, rev: str | None, scratch: Path) -> None:
        self.root, self.rev, self._scratch = root, rev, scratch
        self.commit = None if rev is None else resolve_revision(root, rev)
        self.name = WORKSPACE if rev is None else rev
        self.project = Project(root, rev=self.commit, name=self.title)

    def close(self) -> None:
        """Close what DVC has opened."""
        self.project.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def title(self) -> str:
        """The revision's name with its commit: `v1.2 (1a2b3c4d5)`."""
        return f"{self.rev} ({self.commit[:SHORT]})" if self.commit and self.rev else self.name

    @cached_property
    def lock(self) -> dict[str, Any]:
        """The stages of dvc.yaml as dvc.lock has them.

        `dvc repro` leaves the entry of a stage that is gone, such as that of a former seed, with inputs of its time.
        """
        locked = parse_lock(self.text("dvc.lock"), name=f"dvc.lock of {self.name}", in_revision=self.rev is not None)
        return {name: locked[name] for name in self.stages() if name in locked}

    def stages(self) -> list[str]:
        """The names of the stages of dvc.yaml, in their order."""
        return [stage.name for stage in self.project.graph.stages]

    def size(self, path: str) -> int | None:
        """The size of an output in bytes, from dvc.lock."""
        sizes = {out["path"]: out.get("size") for entry in self.lock.values() for out in entry.get("outs", ())}
        return sizes.get(path)

    def hash(self, path: str) -> str | None:
        """The MD5 of an output or a dependency, from dvc.lock."""
        parts = [part for entry in self.lock.values() for kind in ("outs", "deps") for part in entry.get(kind, ())]
        return next((part.get("md5") for part in parts if part["path"] == path), None)

    def json(self, path: Path) -> dict[str, Any] | None:
        """The content of a JSON file of results that dvc.lock records; None if it is not available.

        Raises:
            PipelineError: It is damaged.
        """
        name = path.as_posix()
        text = self.text(name) if self.is_recorded(name) else None
        try:
            text = self.fetch(path).read_text(encoding="utf-8", errors="replace") if text is None else text
        except UnavailableError:
            return None
        content = parse_report(text)
        if content is None:
            raise PipelineError(damage_of(self.called(path), text))
        return content

    def timing(self, stage: str) -> dict[str, Any]:
        """The time and the memory that a stage took, by name; empty if no record of it is available."""
        folder = stage.replace("@", "/")  # where a record of earlier versions is, in git
        former = f"data/{folder}.timing.json" if stage.startswith("download@") else f"data/{folder}/timing.json"
        return self.json(FILES.timing(stage)) or self.json(Path(former)) or {}

    def fetch(self, path: Path) -> Path:
        """Return where a file of an output, as dvc.lock records it, is: in the workspace, the cache or `scratch`.

        Raises:
            UnavailableError: It is neither there nor in the DVC remote, or dvc.lock does not record it.
        """
        name = path.as_posix()
        if self.rev is None and self.is_recorded(name):
            return self.root / path
        recorded = self.recorded(name)
        fetched = self.project.store.fetch(recorded, self._scratch) if recorded else None
        if fetched:
            return fetched
        raise UnavailableError(self._why_unavailable(name))

    def recorded(self, name: str) -> Digest | None:
        """The digest of a file of an output by dvc.lock; None where that, or the list of its folder, has none."""
        out = self._out_of(name)
        if out is None or out == name:
            return self._outs.get(name)
        return (self.project.store.folder_files(self._outs[out]) or {}).get(name.removeprefix(f"{out}/"))

    def is_recorded(self, name: str) -> bool:
        """Whether the file that git or the workspace has is the one that dvc.lock records."""
        out = self._out_of(name)
        if out is None or (self.rev is None and not (self.root / name).is_file()):
            return False
        recorded = self.recorded(name)
        if recorded is None:  # the list of its folder may be nowhere, although the folder is as it was
            name, recorded = out, self._outs[out]
        digest = self.project.digest_in_place(name)
        return digest is not None and digest.md5 == recorded.md5

    @cached_property
    def _outs(self) -> dict[str, Digest]:
        """All outputs that dvc.lock records; those of stages that are gone, such as of a former seed, come second."""
        names = [*self.project.orphans(), *(stage.name for stage in self.project.graph.stages)]
        entries = (self.project.locked(name) for name in names)
        return {out: digest for entry in entries if entry for out, digest in entry.outs.items()}

    def _out_of(self, name: str) -> str | None:
        """The output that is, or holds, a file."""
        return next((path for path in with_parents(name) if path in self._outs), None)

    def _why_unavailable(self, name: str) -> str:
        """Why a file of results can't be read, and what to do."""
        out, store = self._out_of(name), self.project.store
        files = store.folder_files(self._outs[out]) if out and out != name else None
        if out is None or (files is not None and self.recorded(name) is None):
            return f"dvc.lock of {self.name} does not record {name}. Write it: {self._run}"
        name = name if self.recorded(name) else out
        if self.rev is not None:
            state = f"{name} of {self.name} is"
        elif (self.root / name).exists():
            state = f"{name} in the workspace is not the one that dvc.lock records, which is"
        else:
            state = f"{name} is not in the workspace, and it is"
        if store.is_unreachable:
            return f"{state} not in DVC's cache, and the remote can't be reached. Find out why: dvc pull"
        if store.has_remote:
            return (
                f"{state} neither in DVC's cache nor in the remote. Run dvc push on the machine that has it, or write "
                f"it again: {self._run}"
            )
        return f"{state} not in DVC's cache, and no remote is configured. Write it again: {self._run}"

    @property
    def _run(self) -> str:
        return "retune run" if self.rev is None else f"git checkout {self.name}, retune run"

    def called(self, path: Path) -> str:
        """What messages call a file."""
        return f"{path.as_posix()} of {self.name}"

    def text(self, path: str) -> str | None:
        """The text of a file that git has, or that is in the workspace; None if there is none."""
        return self.project.read(path)
