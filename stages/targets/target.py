"""What the rows of a data set are labelled with: chosen once, at download, and read from labels.json after that."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from stages.errors import ParamsError
from stages.files import read_json

Kind = Literal["classes", "label_set", "ordered", "number"]
Reader = Callable[[str], str | None]  # a label that a person gives -> as rows.parquet has it; None: it can't be learned
Finder = Callable[[Iterable[str]], Reader]
KINDS: tuple[Kind, ...] = get_args(Kind)
CLASS_METRICS = ("macro_f1", "accuracy", "mcc")
METRICS: Mapping[Kind, tuple[str, ...]] = {  # what evaluate.metric may be; for auto the first
    "classes": CLASS_METRICS,
    "ordered": ("quadratic_kappa", *CLASS_METRICS),
    "label_set": ("micro_f1", "macro_f1", "sample_f1", "subset_accuracy"),
    "number": ("r2", "mean_absolute_error"),
}
CLASS_MONITORS = {"val.loss": "min", "val.accuracy": "max", "val.macro_f1": "max", "val.mcc": "max"}
MONITORS: Mapping[Kind, Mapping[str, str]] = {  # what finetune.monitor may be: the best is its min or its max
    "classes": CLASS_MONITORS,
    "ordered": {**CLASS_MONITORS, "val.quadratic_kappa": "max"},
    "label_set": {"val.loss": "min", "val.micro_f1": "max", "val.macro_f1": "max"},
    "number": {"val.loss": "min", "val.r2": "max", "val.pearson": "max"},
}


@dataclass(frozen=True)
class Target:
    """What a row's label is.

    Args:
        kind: classes: one of several; label_set: any number of several; ordered: one of several in a row; number.
        labels: Names of the classes in class order; of numbers, the names of the ranges that rows are counted by.
        edges: Of numbers, where one range ends and the next begins, ascending; one fewer than ranges.
    """

    kind: Kind
    labels: list[str]
    edges: list[float] = field(default_factory=list)

    @property
    def in_order(self) -> bool:
        """Whether the classes are in a row, so that an error can be large or small."""
        return self.kind == "ordered"

    def leading(self, metric: str) -> str:
        """Return the metric that leads: evaluate.metric, or for auto that of the kind. Raises as `check_metric`."""
        check_metric(self, metric)
        return METRICS[self.kind][0] if metric == "auto" else metric

    def to_json(self) -> Any:
        """Return the content of labels.json; for classes a plain list of their names, as older files have it."""
        if self == Target("classes", self.labels):
            return self.labels
        return {"target": self.kind, "labels": self.labels} | ({"edges": self.edges} if self.edges else {})

    @classmethod
    def of_json(cls, content: Any) -> "Target":
        """Return the target that labels.json describes.

        Raises:
            ValueError: It does not describe one.
        """
        values: Any = content if isinstance(content, Mapping) else {"target": "classes", "labels": content}
        kind, labels, edges = values.get("target"), values.get("labels"), values.get("edges", [])
        if kind not in KINDS:
            raise ValueError(f"expected one of {', '.join(KINDS)} as the target")
        if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
            raise ValueError("expected a list of texts as the labels")
        if len(set(labels)) != len(labels):
            raise ValueError("a label is listed twice")
        if not isinstance(edges, list) or not all(isinstance(edge, int | float) for edge in edges):
            raise ValueError("expected a list of numbers as the edges")
        return cls(kind, labels, edges)


def check_metric(target: Target, metric: str) -> None:
    """Check that evaluate.metric is one of the kind.

    Raises:
        ParamsError: It is one of another kind.
    """
    if metric not in ("auto", *METRICS[target.kind]):
        raise ParamsError(
            f"evaluate.metric: {metric} does not measure this label ({target.kind}). "
            f"Set one of: auto, {', '.join(METRICS[target.kind])}."
        )


def read_target(path: Path) -> Target:
    """Read labels.json."""
    return Target.of_json(read_json(path))
