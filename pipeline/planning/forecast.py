"""How long a stage will take: from earlier runs, scaled by how much work it has now, with a range."""

import hashlib
import json
import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import median
from typing import Any

from pipeline.planning.work import USED, Work, stage_work, token_cost
from pipeline.repository.digests import Digest, Digests
from pipeline.repository.graph import Graph, ParamValues, Stage
from pipeline.repository.snapshot import LONGEST, ModelRows, Run, Snapshot

STARTUP = 6.0  # seconds of a stage that no work explains: imports, loading, saving (measured: 3 to 8)
STARTUP_RANGE = (0.3, 1.3)  # times STARTUP
SHORT = 0.1  # seconds; less is not measured well
ENCODER = "data/download/model"
FOLD = re.compile(r"data/split/folds/[^/]+\.parquet")  # says which rows train, of those that every fold reads
Z = 1.28  # an 80% range of a normal distribution
USUAL_SPREAD = 0.3  # standard deviation of log seconds between equal runs on a machine that others use too
SAME = 1.2  # runs whose work differs by less tell only one size
MOST_DOUBT = 4.0  # in squares of the spread
USUAL_RUNS = 3  # earlier runs that this assumption counts as


@dataclass(frozen=True)
class Forecast:
    """Expected seconds, and the range that should hold 80% of the runs."""

    seconds: float
    low: float
    high: float


class Forecaster:
    """Forecasts of the stages of one plan.

    Args:
        graph: The stages.
        snapshot: The state of the project.
    """

    def __init__(self, graph: Graph, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._lengths = snapshot.lengths()
        values = {name: snapshot.param("params.yaml", name) for name in USED}
        self._now = {name: value for name, value in values.items() if isinstance(value, Mapping)}
        self._outs = {stage.name: stage.outs for stage in graph.stages}
        self._locked: dict[str, Any] = {}
        self._cost: float | None = 1.0  # of a token in the encoder; None: nobody knows what encoder it will be
        self._locked_cost: float | None = 1.0  # the same when the stages last ran
        for stage in graph.stages if self._lengths else ():
            entry = snapshot.locked(stage.name)
            if entry is None:
                continue
            self._locked |= entry.params.get("params.yaml", {})
            if encoder := entry.deps.get(ENCODER) or entry.outs.get(ENCODER):  # those that read it come last
                self._locked_cost = self._cost_in(encoder)

    def follow(self, stage: Stage, outs: Digests, params: ParamValues) -> None:
        """Learn which encoder the other stages will have from the one that fetches it.

        Args:
            stage: It writes `ENCODER`.
            outs: The digests that its outputs will have, as far as they are known.
            params: Its current parameters. What comes from the place of before is taken for the same.
        """
        if not self._lengths:
            return
        entry = self._snapshot.locked(stage.name)
        known = outs.get(ENCODER)
        if known is None and entry and _source(entry.params) == _source(params):
            known = entry.outs.get(ENCODER)
        self._cost = self._cost_in(known) if known else None

    @cache  # noqa: B019
    def _cost_in(self, folder: Digest) -> float | None:
        content = self._snapshot.content(folder, "config.json")
        if content is None:
            return None
        try:
            config = json.loads(content or b"{}")
        except (ValueError, RecursionError):
            config = {}
        return token_cost(config if isinstance(config, Mapping) else {})

    def work(self, stage: Stage) -> Work | None:
        """The work of a stage with the current parameters; None if nothing tells."""
        known = self._cost if _model(stage) else 1.0
        return None if known is None else stage_work(stage.group, self._now, self._lengths, cost=known)

    def reads(self, stage: Stage, deps: Digests) -> ModelRows | None:
        """The rows that a model computes for a stage, once for all runs where they are kept; None: no model does.

        Args:
            stage: The stage.
            deps: The digests that its dependencies have or will have, as far as they are known.
        """
        model = _model(stage)
        if model is None:
            return None
        others = {
            dep: deps[dep].md5 if dep in deps else None
            for dep in stage.deps
            if dep != model and not FOLD.fullmatch(dep)
        }
        options = self._now.get("finetune", {})
        head = options.get("head")
        pooling = head.get("pooling") if isinstance(head, Mapping) else None  # which vector of a frozen encoder
        section = "evaluate" if stage.group == "evaluate" else "finetune"
        precision = self._now.get(section, {}).get("precision")
        facts = [others, pooling, options.get("accelerator"), precision]
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()
        return ModelRows(deps[model].md5 if model in deps else None, None if None in others.values() else digest)

    def kept(self, stage: Stage, rows: ModelRows, only_for: Collection[str]) -> bool | None:
        """Whether rows are kept; None: nobody knows.

        Args:
            stage: That reads them.
            rows: From `reads`.
            only_for: The stages of which at least one must write something new for this one to run; empty: it may
                run for other reasons.
        """
        if only_for and all(_model(stage) in self._outs[name] for name in only_for):
            return False  # it runs only if the model is new
        return self._snapshot.kept(rows)

    def of(self, stage: Stage, *, kept: bool | None = None) -> Forecast | None:
        """How long a stage would take now; None if it never ran here, or computes with a model of an unknown size.

        Args:
            stage: The stage.
            kept: See `kept`.
        """
        if self._cost is None and _model(stage):
            return None
        runs, work = self._snapshot.runs(stage), self.work(stage)
        if not runs:  # nothing but the seconds of its last run, which had the parameters of dvc.lock
            seconds = self._snapshot.seconds(stage)
            locked = {**self._now, **self._locked}
            cost = self._locked_cost if _model(stage) else 1.0
            if cost is None:
                return None
            then = stage_work(stage.group, locked, self._lengths, cost=cost)
            runs = () if seconds is None else (Run(seconds, then.done(self._snapshot.timings(stage)) if then else 0.0),)
        return forecast(runs, work.without_kept(kept) if work else None)


def _model(stage: Stage) -> str | None:
    """The folder of the model with which a stage computes."""
    return next((dep for dep in stage.deps if dep.startswith("data/") and dep.endswith("/model")), None)


def _source(params: ParamValues) -> Any:
    """Where an encoder comes from."""
    value = params.get("params.yaml", {}).get("download.model")
    return value.get("source") if isinstance(value, Mapping) else value


def forecast(runs: Sequence[Run], work: Work | None) -> Forecast | None:
    """The seconds of a stage with so much work, or None without an earlier run.

    Two sizes of earlier runs tell the fixed part from that which grows with the work. With one size a usual fixed part
    is assumed, and the range covers the usual ones.
    """
    if not runs:
        return None
    sized = [run for run in runs if run.work]
    if work is None or not sized:
        fits = [_Fit(median(run.seconds for run in runs), 0.0, 1 / len(runs))]
        sized, work = list(runs), Work(0.0, 0.0)
    else:
        fits = _fits(sized)
    spread = _spread(math.log(_long(run.seconds) / _long(fits[0].seconds(run.work))) for run in sized)
    low = min(fit.seconds(work.least) * math.exp(-Z * spread * fit.doubt(work.least)) for fit in fits)
    high = max(fit.seconds(work.most) * math.exp(Z * spread * fit.doubt(work.most)) for fit in fits)
    # a damaged note may say that one token takes years, and no clock counts as far as all tokens would then take
    return Forecast(*(min(max(seconds, 0.0), LONGEST) for seconds in (fits[0].seconds(work.most), low, high)))


@dataclass(frozen=True)
class _Fit:
    """Seconds as a fixed part and a part that grows with the work.

    Attributes:
        variance: Of the seconds at `center`, relative, in squares of the spread of the runs.
        center: The work that the fit knows best.
        growth: By which `variance` grows with the squared distance from `center`.
    """

    fixed: float
    slope: float
    variance: float
    center: float = 0.0
    growth: float = 0.0

    def seconds(self, work: float) -> float:
        return self.fixed + self.slope * work

    def doubt(self, work: float) -> float:
        """By which factor a forecast spreads more than the runs themselves: the fit has few of them, or others."""
        return math.sqrt(1 + min(self.variance + self._extra(work), MOST_DOUBT))

    def _extra(self, work: float) -> float:
        return self.growth * (work - self.center) ** 2 / _long(self.seconds(work)) ** 2


def _fits(runs: Sequence[Run]) -> list[_Fit]:
    """The likeliest fit, then further ones where the runs have only one size. Least squares of the relative errors."""
    works = [run.work for run in runs]
    if max(works) < SAME * min(works):
        seconds, work = median(run.seconds for run in runs), median(works)
        starts = [min(STARTUP * factor, 0.9 * seconds) for factor in (1.0, *STARTUP_RANGE)]
        return [_Fit(start, (seconds - start) / work, 1 / len(runs)) for start in starts]
    weighted = [(1 / _long(run.seconds) ** 2, run) for run in runs]
    total = sum(weight for weight, _ in weighted)
    center = sum(weight * run.work for weight, run in weighted) / total
    mean = sum(weight * run.seconds for weight, run in weighted) / total
    width = sum(weight * (run.work - center) ** 2 for weight, run in weighted)
    slope = sum(weight * (run.work - center) * (run.seconds - mean) for weight, run in weighted) / width
    slope = min(max(slope, 0.0), mean / center)
    return [_Fit(mean - slope * center, slope, 1 / len(runs), center, 1 / width)]


def _long(seconds: float) -> float:
    return max(seconds, SHORT)


def _spread(errors: Iterable[float]) -> float:
    squares = [error**2 for error in errors]
    return math.sqrt((USUAL_RUNS * USUAL_SPREAD**2 + sum(squares)) / (USUAL_RUNS + len(squares)))
