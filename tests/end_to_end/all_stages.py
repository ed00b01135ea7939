"""The stages in this process, one after the other, without DVC: that each is a command is tested elsewhere."""

import functools
from collections.abc import Sequence

from stages.crossfit.__main__ import main as crossfit
from stages.download.__main__ import main as download
from stages.evaluate.__main__ import main as evaluate
from stages.files import write_json
from stages.finetune.__main__ import main as finetune
from stages.params import read_params
from stages.paths import Paths
from stages.report.__main__ import main as report
from stages.split.__main__ import main as split
from stages.tokenize.__main__ import main as tokenize

TRAINED = ("finetune", "evaluate", "report")  # what a change of finetune's parameters runs again


def run(paths: Paths, *, seed: int, only: Sequence[str] = ()) -> None:
    """Run the stages of a project with one seed, or some of them; a process for each would import torch for seconds."""
    params = read_params(paths.params)
    stages = {
        "download@dataset": functools.partial(download, params, paths, "dataset"),
        "download@model": functools.partial(download, params, paths, "model"),
        "tokenize": functools.partial(tokenize, params, paths),
        "split": functools.partial(split, params, paths),
        **{f"crossfit@{fold}": functools.partial(crossfit, params, paths, fold) for fold in params.crossfit.folds},
        f"finetune@{seed}": functools.partial(finetune, params, paths, seed),
        f"evaluate@{seed}": functools.partial(evaluate, params, paths, seed),
        "report": functools.partial(report, params, paths),
    }
    for name, stage in stages.items():
        if not only or name.partition("@")[0] in only:
            write_json(paths.timing(name), {"seconds": 1.0, **(stage() or {})})
