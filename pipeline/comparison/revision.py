"""Reads one side of a comparison: a git revision or the workspace, which stays as it is."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.comparison.result_files import read_labels, read_rows, read_seed
from pipeline.comparison.seed_predictions import SeedPredictions, merge_seeds
from pipeline.planning.reasons import input_reasons
from pipeline.repository import git
from pipeline.repository.lock import parse_lock
from pipeline.repository.project import Project
from pipeline.repository.results import IN_GIT, belongs, damage_of, parse_report
from stages.errors import PipelineError, UnavailableError
from stages.metrics.names import SPLITS
from stages.metrics.summary import MetricSummary, parse_summaries, read_number
from stages.params import parse_mapping
from stages.paths import Paths
from stages.predictions import Predictions

FILES = Paths()
WORKSPACE = "workspace"
SHORT = 9  # characters of a commit's hash that are shown


class Revision:
    """A git revision or the workspace.

    Args:
        root: The project's folder.
        rev: A git revision; None: the workspace.
        scratch: Folder for files downloaded from the DVC remote.

    Raises:
        PipelineError: The revision is unknown, or has no dvc.yaml.
    """

    def __init__(self, root: Path, rev: str | None, scratch: Path) -> None:
        self.root, self.rev, self._scratch = root, rev, scratch
        self.commit = git.resolve_revision(root, rev) if rev else None
        self.name = rev or WORKSPACE
        self._project = Project(root, rev=self.commit)

    def close(self) -> None:
        """Close what DVC has opened."""
        self._project.close()

    def __enter__(self) -> "Revision":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def title(self) -> str:
        """The revision's name with its commit: `v1.2 (1a2b3c4d5)`."""
        return f"{self.rev} ({self.commit[:SHORT]})" if self.commit and self.rev else self.name

    @cached_property
    def params(self) -> dict[str, Any]:
        """The revision's params.yaml, not validated: an older revision has an older schema."""
        name = f"params.yaml of {self.name}"
        params = parse_mapping(self._text("params.yaml") or "", name=name)
        for section in ("evaluate", "report"):
            if not isinstance(params.get(section), Mapping | None):
                raise PipelineError(f"{name}: {section}: expected keys and values. Choose a revision that has them.")
        return params

    @cached_property
    def headline(self) -> dict[str, Any]:
        """The content of headline.json; in a revision of an earlier version that of metrics.json, which git kept.

        Raises:
            PipelineError: The file is missing or damaged.
        """
        text, path = next(
            ((text, path) for path in IN_GIT if (text := self._text(path)) is not None), (None, IN_GIT[0])
        )
        if text is None:
            hint = "Run it: retune run" if self.rev is None else "Choose a revision that has some: retune log"
            raise PipelineError(f"{self.name} has no results ({path} is missing). {hint}")
        report = parse_report(text)
        if report is None:
            raise PipelineError(damage_of(f"{path} of {self.name}", text))
        return report

    @cached_property
    def report(self) -> dict[str, Any]:
        """The content of metrics.json, or of headline.json where that is not available; raises as `headline`."""
        headline, report = self.headline, self.json(FILES.all_metrics)
        return report if report and belongs(report, headline) else headline

    @property
    def complete(self) -> bool:
        """Whether every metric is available, not only the headline."""
        return self.report is not self.headline

    @cached_property
    def metrics(self) -> dict[str, MetricSummary]:
        """Every metric by its full name, such as `test.macro_f1`; raises as `report`."""
        return parse_summaries(self.report)

    @property
    def seeds(self) -> list[int]:
        """The seeds of params.yaml.

        Raises:
            PipelineError: params.yaml has no seeds.
        """
        seeds = self.params.get("seeds")
        if not isinstance(seeds, list) or not seeds or not all(isinstance(seed, int) for seed in seeds):
            raise PipelineError(f"params.yaml of {self.name} has no seeds. Choose a revision with seeds.")
        return seeds

    @property
    def champion(self) -> int:
        """The seed whose model the report chose, or the first seed if params.yaml no longer has that one."""
        seed = (self.report.get("champion") or {}).get("seed")
        return seed if seed in self.seeds else self.seeds[0]

    @cached_property
    def lock(self) -> dict[str, Any]:
        """The stages of dvc.lock."""
        return parse_lock(self._text("dvc.lock"), name=f"dvc.lock of {self.name}")

    def code(self) -> dict[str, dict[str, str]]:
        """The code that each stage's results were made with: stage -> path -> MD5."""
        hashes: dict[str, dict[str, str]] = {}
        for name in self.lock:
            entry = self._project.locked(name)
            for path, item in (entry.deps if entry else {}).items():
                if not path.startswith("data/") and path.endswith(".py"):
                    hashes.setdefault(name, {})[path] = item.md5
                elif path.startswith("stages/") and item.is_folder:
                    files = self._project.folder_files(item, path)
                    inside = {f"{path}/{file}": part.md5 for file, part in files.items()} if files else {}
                    hashes.setdefault(name, {}).update(inside or {path: item.md5})
        return hashes

    def stale(self) -> list[str]:
        """The stages whose results were made with code or parameters that the revision no longer has."""
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
        text = self._text(path.as_posix())
        try:
            text = self.fetch(path).read_text(encoding="utf-8", errors="replace") if text is None else text
        except UnavailableError:
            return None
        content = parse_report(text)
        if content is None:
            raise PipelineError(damage_of(self._called(path), text))
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
            entry = self._project.locked(stage)
            for out, item in (entry.outs if entry else {}).items():
                if name == out or name.startswith(f"{out}/"):
                    files = {out: item} if name == out else self._project.store.folder_files(item) or {}
                    file = files.get(out) or files.get(name.removeprefix(f"{out}/"))
                    fetched = self._project.store.fetch(file, self._scratch) if file else None
                    if fetched:
                        return fetched
        raise UnavailableError(
            f"{name} of {self.name} is neither in DVC's cache nor in a remote "
            f"({'was dvc push forgotten?' if self._project.store.has_remote else 'no remote is configured'})"
        )

    def label_names(self) -> list[str]:
        """Names of the classes, in order; raises a PipelineError if the file is damaged."""
        return read_labels(self.fetch(FILES.labels), name=self._called(FILES.labels))

    @cached_property
    def predictions(self) -> dict[str, SeedPredictions]:
        """The predictions of all seeds, by split.

        Raises:
            UnavailableError: The predictions of a seed are neither in the cache nor in a remote.
            PipelineError: They are damaged, or the seeds were evaluated on different rows.
        """
        seeds = {seed: self._read_seed(FILES.predictions(seed)) for seed in self.seeds}
        evaluations = {seed: self.evaluation(seed) for seed in self.seeds}
        temperatures = {
            seed: temperature
            for seed, metrics in evaluations.items()
            if (temperature := read_number(metrics.get("calibration") or {}, "temperature") or 0) > 0
        }
        return {
            split: merge_seeds(
                {seed: splits[split] for seed, splits in seeds.items()},
                name=f"{split} of {self.name}",
                temperatures=temperatures,
            )
            for split in SPLITS
        }

    def evaluation(self, seed: int) -> dict[str, Any]:
        """What evaluate wrote of one seed's model: its metrics, not rounded, and its calibration; empty if missing."""
        return self.json(FILES.metrics(seed)) or {}

    def rows(self) -> pa.Table:
        """The data set, rows.parquet.

        Raises:
            UnavailableError: It is neither in the cache nor in a remote.
            PipelineError: It is damaged.
        """
        return read_rows(self.fetch(FILES.rows), name=self._called(FILES.rows))

    def _read_seed(self, path: Path) -> dict[str, Predictions]:
        return read_seed(self.fetch(path), name=self._called(path), num_labels=len(self.label_names()))

    def _called(self, path: Path) -> str:
        return f"{path.as_posix()} of {self.name}"

    def _text(self, path: str) -> str | None:
        return self._project.read(path)
