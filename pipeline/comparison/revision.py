"""Reads one side of a comparison: the results of a git revision or of the workspace."""

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.comparison.result_files import read_rows, read_seed, read_target
from pipeline.comparison.revision_files import FILES
from pipeline.comparison.revision_metrics import RevisionMetrics
from pipeline.comparison.seed_predictions import SeedPredictions, merge_seeds
from pipeline.planning.staleness import Inputs, stale_stages
from pipeline.repository import git
from pipeline.repository.digests import Digest
from stages.errors import PipelineError, UnavailableError
from stages.metrics.names import SPLITS
from stages.metrics.summary import read_number
from stages.params import parse_mapping
from stages.predictions import Predictions
from stages.targets.target import Target

OUTSIDE = re.compile(r"/|\.\.(/|$)|\w+:")  # paths that lead out of the repository, and URLs
PER_SEED = ("finetune", "evaluate")  # the stages that run once for each seed


class Revision(RevisionMetrics):
    """The results of a git revision or of the workspace."""

    @cached_property
    def params(self) -> dict[str, Any]:
        """The revision's params.yaml, not validated: an older revision has an older schema."""
        name = f"params.yaml of {self.name}"
        params = parse_mapping(self.text("params.yaml") or "", name=name)
        for section in ("evaluate", "report"):
            if not isinstance(params.get(section), Mapping | None):
                raise PipelineError(f"{name}: {section}: expected keys and values. Choose a revision that has them.")
        return params

    @cached_property
    def params_of_results(self) -> dict[str, Any]:
        """The parameters that the results were made with, by dvc.lock; where it has none, those of params.yaml."""
        values = dict(self.params)
        for stage in self.project.graph.stages:  # the last one, report, reads them all
            entry = self.project.locked(stage.name)
            for key, value in (entry.params.get("params.yaml", {}) if entry else {}).items():
                _put(values, key.split("."), value)
        return values

    @cached_property
    def replaced(self) -> dict[str, Digest]:
        """The result files in the workspace that are not those of dvc.lock, with the digests of those that are read."""
        per_seed = [path(seed).as_posix() for seed in self.seeds for path in (FILES.predictions, FILES.metrics)]
        names = [path.as_posix() for path in (FILES.all_metrics, FILES.labels, FILES.rows)] + per_seed
        there = [name for name in names if self.rev is None and (self.root / name).is_file()]
        recorded = {name: self.recorded(name) for name in there if not self.is_recorded(name)}
        return {name: digest for name, digest in recorded.items() if digest and self._has(Path(name))}

    def _has(self, path: Path) -> bool:
        try:
            return bool(self.fetch(path))
        except UnavailableError:
            return False

    @cached_property
    def seeds(self) -> list[int]:
        """The seeds that were measured, whatever params.yaml has now.

        Raises:
            PipelineError: Neither the results nor the parameters have seeds; or as `headline`.
        """
        for seeds in (self.headline.get("seeds"), self.params_of_results.get("seeds")):
            if isinstance(seeds, list) and seeds and all(isinstance(seed, int) for seed in seeds):
                return list(dict.fromkeys(seeds))
        raise PipelineError(f"params.yaml of {self.name} has no seeds. Choose a revision with seeds.")

    def stages(self) -> list[str]:
        """The stages that the results are of: those of the seeds that were measured, and all others of dvc.yaml."""
        names: dict[str, None] = {}
        for stage in self.project.graph.stages:
            per_seed = stage.group in PER_SEED and stage.name != stage.group
            names |= dict.fromkeys([f"{stage.group}@{seed}" for seed in self.seeds] if per_seed else [stage.name])
        return list(names)

    @property
    def champion(self) -> int:
        """The seed whose model the report chose, or the first seed if the results do not have that one."""
        seed = (self.report.get("champion") or {}).get("seed")
        return seed if seed in self.seeds else self.seeds[0]

    def code(self) -> dict[str, dict[str, str]]:
        """The code that each stage's results were made with: stage -> path -> MD5."""
        hashes: dict[str, dict[str, str]] = {}
        for name in self.lock:
            entry = self.project.locked(name)
            for path, item in (entry.deps if entry else {}).items():
                if not path.startswith("data/") and path.endswith(".py"):
                    hashes.setdefault(name, {})[path] = item.md5
                elif path.startswith("stages/") and item.is_folder:
                    files = self.project.folder_files(item, path)
                    inside = {f"{path}/{file}": part.md5 for file, part in files.items()} if files else {}
                    hashes.setdefault(name, {}).update(inside or {path: item.md5})
        return hashes

    def stale(self) -> dict[str, Inputs]:
        """The stages that did not run with what the revision has now, each with its inputs; comments do not count."""
        return self._stale

    @cached_property
    def _stale(self) -> dict[str, Inputs]:
        return stale_stages(self.project.graph, self.project, is_gone=self._is_gone)

    def _is_gone(self, path: str) -> bool:
        """Whether nothing at a path is a change: git can't say it of data that it does not hold.

        That git has no commit with it proves nothing: a shallow clone lacks the commits.
        """
        if self.commit is None:
            return True
        if OUTSIDE.match(path):
            return False
        return git.ever_had(self.root, self.commit, path) or not git.is_left_out(self.root, self.commit, path)

    @cached_property
    def target(self) -> Target:
        """What the labels are.

        Raises:
            UnavailableError: labels.json is not available as dvc.lock records it.
            PipelineError: It is damaged, or of a kind that is not compared.
        """
        return read_target(self.fetch(FILES.labels), name=self.called(FILES.labels))

    @cached_property
    def predictions(self) -> dict[str, SeedPredictions]:
        """The predictions of all seeds, by split.

        Raises:
            UnavailableError: The predictions of a seed are not available as dvc.lock records them.
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
            UnavailableError: It is not available as dvc.lock records it.
            PipelineError: It is damaged.
        """
        return read_rows(self.fetch(FILES.rows), name=self.called(FILES.rows))

    def _read_seed(self, path: Path) -> dict[str, Predictions]:
        return read_seed(self.fetch(path), name=self.called(path), target=self.target)


def _put(values: dict[str, Any], keys: Sequence[str], value: Any) -> None:
    """Set a value by its dotted key; the sections around it are copied."""
    key, *rest = keys
    if rest:
        section = values.get(key)
        inside = dict(section) if isinstance(section, Mapping) else {}
        _put(inside, rest, value)
        value = inside
    values[key] = value
