"""How the predictions of each kind of target are compared: by the module that has the kind's name."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import pyarrow as pa

from pipeline.comparison.flips import Flips
from pipeline.comparison.paired_rows import PairedRows
from pipeline.comparison.seed_predictions import SeedPredictions
from pipeline.comparison.statistics.metric_values import MetricValues
from pipeline.comparison.targets import classes, label_set, number, ordered
from stages.predictions import Predictions
from stages.targets.target import Kind, Target


class Compared(Protocol):
    """What differs between the kinds where results are compared; a module per kind has it.

    Attributes:
        NAME: What messages call a label of this kind; kinds of one name are compared with each other.
    """

    @property
    def NAME(self) -> str: ...  # noqa: N802  (a constant of a module)

    def check(self, split: Predictions, target: Target) -> None:
        """Check predictions that may hold anything.

        Raises:
            ValueError: A value is out of range.
            TypeError: A column has another type.
        """

    def align(self, base: SeedPredictions, targets: tuple[Target, Target], names: tuple[str, str]) -> SeedPredictions:
        """Return base's predictions as head's target has them.

        Args:
            base: As base's target has them.
            targets: Of base and of head.
            names: What messages call base and head.

        Raises:
            PipelineError: The two solve different tasks.
        """

    def metric_values(self, rows: PairedRows) -> Iterator[MetricValues]:
        """Yield every metric that rows give."""

    def is_biased(self, metric: str, rows: PairedRows) -> bool:
        """Whether these rows make a metric too high, and a weaker model's more: then no bound of a drop holds."""

    def calibration(
        self, rows: PairedRows, champions: tuple[int, int], evaluations: tuple[Mapping[str, Any], Mapping[str, Any]]
    ) -> dict[str, tuple[float, float]]:
        """Return measures of how sure the champions are, on the common rows: of base and of head; lower is better.

        Args:
            rows: Of test.
            champions: The seed of base and that of head whose models ship.
            evaluations: What evaluate wrote of these two.
        """

    def find_flips(
        self, rows: PairedRows, champions: tuple[int, int], data: pa.Table | None, *, show_text: bool, most: int
    ) -> Flips:
        """Return which rows changed for the better and for the worse; arguments as `pipeline/comparison/flips.py`."""

    def shown(self, labels: Sequence[str], target: Target) -> list[str]:
        """Return by what name rows with these labels of rows.parquet are counted."""


COMPARED: Mapping[Kind, Compared] = {
    "classes": classes,
    "ordered": ordered,
    "label_set": label_set,
    "number": number,
}
