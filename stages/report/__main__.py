"""Choose the best seed on val, put the numbers of all seeds together, write the report and the model folder.

Reads   everything that the stages before wrote, and constraints.txt (the versions that the report names)
Writes  data/report/metrics.json, report.html, report.md, suspects.csv, model/
Params  all: the report shows them

Example: python -m stages.report
"""

import logging

from stages import entry
from stages.files import read_json, write_json, write_text
from stages.params import Params
from stages.paths import Paths
from stages.report.analysis import analyse
from stages.report.render.card import decision, render_card, write_model
from stages.report.render.context import describe
from stages.report.render.page import render_html, render_markdown
from stages.report.results import read_results
from stages.report.summary import choose_champion
from stages.report.suspects import suspects_csv

log = logging.getLogger(__name__)


def main(params: Params, paths: Paths) -> None:
    values, labels = params.model_dump(exclude={"machine"}), read_json(paths.labels)
    results = read_results(paths, params.seeds)
    champion = choose_champion(results, params.evaluate.metric)
    metrics, suspects = analyse(values, paths, results=results, champion=champion, labels=labels)
    context = describe(
        values, paths, results=results, champion=champion, metrics=metrics, suspects=suspects, labels=labels
    )
    folder = paths.report / "model"
    choices = decision(champion, labels, params.tokenize.max_length, params.tokenize.truncation)
    write_model(paths.finetuned(champion.seed), folder, card=render_card(context), choices=choices)
    write_text(paths.report / "report.html", render_html(context))
    write_text(paths.report / "report.md", render_markdown(context))
    write_text(paths.report / "suspects.csv", suspects_csv(suspects))
    write_json(paths.report / "metrics.json", metrics)
    log.info("champion: seed %s; report: %s", champion.seed, paths.report / "report.html")


if __name__ == "__main__":
    entry.run(main, stage="report", doc=__doc__)
