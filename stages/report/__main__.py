"""Choose the best seed on val, summarise all seeds, write the report and the folder of the best model.

Reads   the outputs of all earlier stages, and constraints.txt (the library versions that the report names)
Writes  data/report/headline.json, metrics.json, report.html, report.md, suspects.csv, model/
Params  all: the report shows them

Example: python -m stages.report
"""

from stages import entry
from stages.params import Params
from stages.paths import Paths
from stages.report.kinds import REPORTS
from stages.targets.target import read_target


def main(params: Params, paths: Paths) -> None:
    REPORTS[read_target(paths.labels).kind](params, paths)


if __name__ == "__main__":
    entry.run(main, stage="report", doc=__doc__)
