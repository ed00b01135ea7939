"""Choose the best seed on val, put the numbers of all seeds together, write the report and the model folder.

Reads   everything that the stages before wrote
Writes  data/report/metrics.json, report.html, report.md, model/
Params  all: the report shows them

Example: python -m stages.report
"""

import logging

from stages import entry
from stages.files import read_json, write_json, write_text
from stages.params import Params
from stages.paths import Paths
from stages.report.card import render_card, write_model
from stages.report.context import describe
from stages.report.page import render_html, render_markdown
from stages.report.results import read_results
from stages.report.summary import choose_champion, summarise

log = logging.getLogger(__name__)


def main(params: Params, paths: Paths) -> None:
    labels = read_json(paths.labels)
    results = read_results(paths, params.seeds)
    champion = choose_champion(results, params.evaluate.metric)
    options = params.evaluate.model_dump(include={"resamples", "confidence", "seed"})
    splits = {name: summarise(results, name, num_labels=len(labels), **options) for name in ("val", "test")}
    metrics = {"champion": {"seed": champion.seed}, **splits}
    context = describe(params.model_dump(), paths, results=results, champion=champion, summary=metrics, labels=labels)
    write_model(paths.finetuned(champion.seed), paths.report / "model", render_card(context))
    write_text(paths.report / "report.html", render_html(context))
    write_text(paths.report / "report.md", render_markdown(context))
    write_json(paths.report / "metrics.json", metrics)
    log.info("champion: seed %s; report: %s", champion.seed, paths.report / "report.html")


if __name__ == "__main__":
    entry.run(main, stage="report", doc=__doc__)
