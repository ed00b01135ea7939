"""One side of a comparison: what a git revision, or the workspace, says of itself; nothing is written there."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.planning.reasons import input_reasons
from pipeline.repository import git
from pipeline.repository.lock import parse_lock
from pipeline.repository.project import Project
from stages.errors import PipelineError, UnavailableError
from stages.params import parse_yaml
from stages.paths import Paths

FILES = Paths()
WORKSPACE = "workspace"
SHORT = 9  # characters of a commit's hash that are shown


@dataclass(frozen=True)
class Predictions:
    """What the models of all seeds say of the rows of one split.

    Attributes:
        ids: Ids of the rows; length rows.
        labels: Given labels, as indices; shape (rows,).
        probabilities: By seed, in the order of params.yaml; each of shape (rows, num_labels).
    """

    ids: pa.Array
    labels: NDArray[np.int64]
    probabilities: Mapping[int, NDArray[np.float32]]

    @property
    def preds(self) -> NDArray[np.int64]:
        """Predicted labels; shape (seeds, rows)."""
        return np.stack([one.argmax(1) for one in self.probabilities.values()])


class Revision:
    """A git revision or the workspace.

    Args:
        root: The project's folder.
        rev: A git revision; None stands for the workspace.
        scratch: Folder for what has to be downloaded from the DVC remote.

    Raises:
        PipelineError: The revision is unknown, or holds no project.
    """

    def __init__(self, root: Path, rev: str | None, scratch: Path) -> None:
        self.root, self.rev, self._scratch = root, rev, scratch
        self.commit = git.resolve_revision(root, rev) if rev else None
        self.name = rev or WORKSPACE
        self._project = Project(root, rev=self.commit)

    def close(self) -> None:
        """Release what DVC holds open."""
        self._project.close()

    def __enter__(self) -> "Revision":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def title(self) -> str:
        """The name, with the commit it stands for."""
        return f"{self.rev} ({self.commit[:SHORT]})" if self.commit and self.rev else self.name

    @cached_property
    def params(self) -> dict[str, Any]:
        """params.yaml as it stands there; unchecked, because an older revision had an older schema."""
        return dict(parse_yaml(self._text("params.yaml") or "", name=f"params.yaml of {self.name}") or {})

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """data/report/metrics.json.

        Raises:
            PipelineError: The revision has none, or it can't be read.
        """
        path = (FILES.report / "metrics.json").as_posix()
        text = self._text(path)
        if text is None:
            hint = "Get them with: retune run" if self.rev is None else "Name a later revision, or see: retune log"
            raise PipelineError(f"{self.name} has no results ({path} is not there). {hint}")
        try:
            return dict(json.loads(text))
        except ValueError as error:
            raise PipelineError(f"{path} of {self.name} is damaged. Write it again with: retune run report") from error

    @property
    def seeds(self) -> list[int]:
        """The seeds of params.yaml.

        Raises:
            PipelineError: It names none.
        """
        seeds = self.params.get("seeds")
        if not isinstance(seeds, list) or not seeds:
            raise PipelineError(f"params.yaml of {self.name} names no seeds. Name a revision whose params.yaml does.")
        return seeds

    @property
    def champion(self) -> int:
        """The seed whose model the report took (the first where params.yaml has it no more)."""
        seed = (self.metrics.get("champion") or {}).get("seed")
        return seed if seed in self.seeds else self.seeds[0]

    @cached_property
    def lock(self) -> dict[str, Any]:
        """The stages of dvc.lock."""
        return parse_lock(self._text("dvc.lock") or "", name=f"dvc.lock of {self.name}")

    def code(self) -> dict[str, dict[str, str]]:
        """Hash of every code file that each stage's results were made with: stage -> path -> MD5."""
        found: dict[str, dict[str, str]] = {}
        for name in self.lock:
            entry = self._project.locked(name)
            for path, item in (entry.deps if entry else {}).items():
                if not path.startswith("data/") and path.endswith(".py"):
                    found.setdefault(name, {})[path] = item.md5
                elif path.startswith("stages/") and item.is_folder:
                    files = self._project.folder_files(item, path)
                    hashes = {f"{path}/{file}": part.md5 for file, part in files.items()} if files else {path: item.md5}
                    found.setdefault(name, {}).update(hashes)
        return found

    def stale(self) -> list[str]:
        """Stages whose recorded results were made with other code or parameters than the revision has."""
        names = []
        for stage in self._project.graph.stages:
            entry = self._project.locked(stage.name)
            code = {path: self._project.digest(path) for path in stage.deps if path.startswith("stages/")}
            params = {
                file: {key: self._project.param(file, key) for key in keys} for file, keys in stage.params.items()
            }
            if input_reasons(self._project, stage, entry, code, params):
                names.append(stage.name)
        return names

    def size(self, path: str) -> int | None:
        """Bytes of an output, as dvc.lock has them."""
        sizes = {out["path"]: out.get("size") for entry in self.lock.values() for out in entry.get("outs", ())}
        return sizes.get(path)

    def hash(self, path: str) -> str | None:
        """MD5 of an output or a dependency, as dvc.lock has it."""
        parts = [part for entry in self.lock.values() for kind in ("outs", "deps") for part in entry.get(kind, ())]
        return next((part.get("md5") for part in parts if part["path"] == path), None)

    def json(self, path: Path) -> Any:
        """A small JSON file that lies in git; None if it is not there."""
        text = self._text(path.as_posix())
        return json.loads(text) if text else None

    def fetch(self, path: Path) -> Path:
        """The local path of an output's file: in the workspace, in the cache, or downloaded beside them.

        Raises:
            UnavailableError: It can't be had; the message says where it was looked for.
        """
        name = path.as_posix()
        if self.rev is None and (self.root / path).is_file():
            return self.root / path
        for stage in self.lock:
            entry = self._project.locked(stage)
            for out, item in (entry.outs if entry else {}).items():
                if name == out or name.startswith(f"{out}/"):
                    files = {out: item} if name == out else self._project.store.folder_files(item) or {}
                    inside = files.get(out) or files.get(name.removeprefix(f"{out}/"))
                    found = self._project.store.fetch(inside, self._scratch) if inside else None
                    if found:
                        return found
        raise UnavailableError(
            f"{name} of {self.name} is neither in DVC's cache nor in a remote "
            f"({'no remote is configured' if not self._project.store.has_remote else 'dvc push was forgotten?'})"
        )

    def labels(self) -> list[str]:
        """Names of the classes, in order."""
        return list(json.loads(self.fetch(FILES.labels).read_text(encoding="utf-8")))

    def predictions(self, split: str) -> Predictions:
        """Predictions of all seeds for a split.

        Raises:
            UnavailableError: The predictions of a seed can't be had.
            PipelineError: The seeds were measured on different rows.
        """
        tables = {}
        for seed in self.seeds:
            table = pq.read_table(
                self.fetch(FILES.predictions(seed)), columns=["id", "split", "label", "probabilities"]
            )
            tables[seed] = table.filter(pc.equal(table["split"], split)).combine_chunks()
        first = tables[self.seeds[0]]
        for seed, table in tables.items():
            if not table["id"].equals(first["id"]):
                raise PipelineError(
                    f"{self.name}: seeds {self.seeds[0]} and {seed} were measured on different {split} rows. "
                    "Evaluate them again: retune run"
                )
        return Predictions(
            ids=_one_chunk(first["id"]),
            labels=first["label"].to_numpy().astype(np.int64),
            probabilities={seed: _matrix(table["probabilities"]) for seed, table in tables.items()},
        )

    def rows(self) -> pa.Table:
        """The data set: rows.parquet.

        Raises:
            UnavailableError: It can't be had.
        """
        return pq.read_table(self.fetch(FILES.rows))

    def _text(self, path: str) -> str | None:
        return self._project.read(path)


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    chunk = column.combine_chunks()
    return chunk.chunk(0) if isinstance(chunk, pa.ChunkedArray) else chunk


def _matrix(column: pa.ChunkedArray) -> NDArray[np.float32]:
    width = column.type.list_size
    return np.asarray(_one_chunk(column).flatten().to_numpy(zero_copy_only=False), dtype=np.float32).reshape(-1, width)
