"""The report of label sets, which is not there yet: it says so in one line."""

from stages.errors import ReportError
from stages.params import Params
from stages.paths import Paths


def write_report(params: Params, paths: Paths) -> None:
    """Raise, with where the metrics are.

    Raises:
        ReportError: Always.
    """
    raise ReportError(
        "The report can't show sets of labels yet. The metrics with their intervals, those of each label included, are "
        f"in {paths.metrics(params.seeds[0])}."
    )
