"""Finds the files of a git revision or of the workspace, which stay as they are."""

from functools import cached_property
from pathlib import Path
from typing import Any, Self

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
        """The content of a JSON file in git, in the workspace or among the outputs; None if it is not available.

        Raises:
            PipelineError: It is damaged.
        """
        text = self.text(path.as_posix())
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
        """Return where a file of an output is: in the workspace, in the cache, or downloaded to `scratch`.

        Raises:
            UnavailableError: It is neither there nor in the DVC remote.
        """
        name = path.as_posix()
        if self.rev is None and (self.root / path).is_file():
            return self.root / path
        for stage in self.lock:
            entry = self.project.locked(stage)
            for out, item in (entry.outs if entry else {}).items():
                if name == out or name.startswith(f"{out}/"):
                    files = {out: item} if name == out else self.project.store.folder_files(item) or {}
                    file = files.get(out) or files.get(name.removeprefix(f"{out}/"))
                    fetched = self.project.store.fetch(file, self._scratch) if file else None
                    if fetched:
                        return fetched
        raise UnavailableError(
            f"{name} of {self.name} is neither in DVC's cache nor in a remote "
            f"({'was dvc push forgotten?' if self.project.store.has_remote else 'no remote is configured'})"
        )

    def called(self, path: Path) -> str:
        """What messages call a file."""
        return f"{path.as_posix()} of {self.name}"

    def text(self, path: str) -> str | None:
        """The text of a file that git has, or that is in the workspace; None if there is none."""
        return self.project.read(path)
