"""The report of a test project."""

from stages.evaluate.__main__ import main as evaluate
from stages.params import Params, read_params
from stages.paths import Paths
from stages.report.__main__ import main


def make_report(paths: Paths, params: Params | None = None) -> Paths:
    """Run evaluate for every seed, then report; without `params` with those of params.yaml."""
    params = params or read_params(paths.params)
    for seed in params.seeds:
        evaluate(params, paths, seed)
    main(params, paths)
    return paths
