"""What more labels would bring, as the stage extrapolate foretells it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stages.errors import ReportError
from stages.files import read_json
from stages.messages import counted
from stages.metrics.names import lower_is_better
from stages.metrics.summary import format_value
from stages.params import Params
from stages.paths import Paths
from stages.report.charts.growth import growth_chart
from stages.report.charts.lines import LineChart
from stages.report.render.formats import format_signed
from stages.report.render.glossary import NAMES, inline_name

CONTRADICTIONS = {  # of the power law by the measured points
    "worse": "the linear model became worse with more rows of train, and a power law can only become better",
    "beside": "the measured points are farther from a power law than chance explains",
}
LED = 0.5  # of train's rows: about how many more the sentence is about


@dataclass(frozen=True)
class Gain:
    """What some more rows would bring, as it is shown."""

    rows: int
    change: str
    interval: str


@dataclass(frozen=True)
class Growth:
    """The forecast as the templates show it.

    Args:
        sentence: The forecast for about half as many rows more.
        basis: What it is based on, a sentence or two.
        metric: Name of the metric for people.
        lower_is_better: Whether it is better the lower it is.
        gains: By number of rows.
        chart: The learning curve, and its law.
    """

    sentence: str
    basis: str
    metric: str
    lower_is_better: bool
    gains: list[Gain]
    chart: LineChart


def read_growth(paths: Paths, params: Params) -> Growth | None:
    """Return the forecast; None where extrapolate is off.

    Raises:
        ReportError: Its file is missing.
    """
    if not params.extrapolate.seeds:
        return None
    path = paths.forecast(params.extrapolate.seeds[0])
    if not path.is_file():
        raise ReportError(f"{path} is missing. Create it with: dvc repro")
    content: Any = read_json(path)
    name, contradiction = NAMES[content["metric"]], content["contradiction"]
    led = min(content["gains"], key=lambda gain: abs(gain["rows"] - LED * content["rows"]))
    confidence = f"{100 * content['confidence']:g}%"
    return Growth(
        sentence=_sentence(led, content["metric"], contradiction),
        basis=(
            f"The intervals contain the gain with {confidence} probability, for a linear model on the features of the "
            f"frozen encoder. That model has {format_value(content['value'])} with the {content['rows']:,} rows of "
            f"train, measured on the {content['measured_rows']:,} rows of val and test. The farther this value is "
            "from that of the model that ships, the less the forecast says about the latter."
        ),
        metric=name,
        lower_is_better=lower_is_better(content["metric"]),
        gains=[_gain(gain, contradiction) for gain in content["gains"]],
        chart=growth_chart(content["points"], content["law"]),
    )


def _sentence(gain: Mapping[str, Any], metric: str, contradiction: str | None) -> str:
    name, labels = inline_name(metric), counted(gain["rows"], "more label")
    if contradiction:
        return f"No forecast for {labels}: {CONTRADICTIONS[contradiction]}."
    if gain["known"] and lower_is_better(metric):
        return f"{labels} like these would probably change the {name} by {_interval(gain)}; below 0 is better."
    if gain["known"]:
        return f"{labels} like these would probably bring {_interval(gain)} {name}."
    return (
        f"No forecast for {labels}: {name} could become anything, because too few rows of val and "
        "test decide it, or some are far from all others."
    )


def _gain(gain: Mapping[str, Any], contradiction: str | None) -> Gain:
    if contradiction:
        return Gain(gain["rows"], "no forecast", "unknown")
    if gain["known"]:
        return Gain(gain["rows"], format_signed(gain["change"]), _interval(gain))
    return Gain(gain["rows"], "no forecast", "anything")


def _interval(gain: Mapping[str, Any]) -> str:
    return f"{format_signed(gain['low'])} to {format_signed(gain['high'])}"
