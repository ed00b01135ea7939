"""How the results of each kind of target are reported: by the module that has the kind's name."""

from collections.abc import Callable, Mapping

from stages.params import Params
from stages.paths import Paths
from stages.report import classes, label_set, number
from stages.targets.target import Kind

Report = Callable[[Params, Paths], None]  # writes every file of data/report

REPORTS: Mapping[Kind, Report] = {
    "classes": classes.write_report,
    "ordered": classes.write_report,
    "label_set": label_set.write_report,
    "number": number.write_report,
}
