"""headline.json: the few metrics that DVC shows as metrics and git keeps; all others are in metrics.json."""

from typing import Any

from stages.metrics.names import headline_metrics
from stages.report.every_metrics import EveryMetrics
from stages.report.seeds import AllSeeds


def headline(metrics: EveryMetrics, results: AllSeeds[Any]) -> dict[str, Any]:
    """Return the content of headline.json.

    DVC shows every number as a column, and no list: so each seed's value is in the file, but not among the columns.

    Args:
        metrics: The content of metrics.json.
        results: Of all seeds.

    Returns:
        `{"test": {name: {"mean", "low", "high", "seeds": [...]}}, "val": {metric: ...}, "seeds": [...],
        "champion": {"seed", metric}, "collapsed": {seed: [label]}}`: on test the headline metrics, on val the metric
        that chose the champion, the seeds in the order of their values, the champion's own value of it on the split
        that the report shows, and the label of each seed whose model predicts nothing else. A split without rows is
        empty; without test rows val has all of them.
    """
    metric = results.metric
    shown = headline_metrics(metric, results.champion.metrics[results.split])
    names = {"test": shown, "val": [metric] if metrics.test else shown}
    content: dict[str, Any] = {
        split: {
            name: {
                "mean": summary.mean,
                "low": summary.low,
                "high": summary.high,
                "seeds": [result.metrics[split][name].value for result in results.seeds],
            }
            for name in names[split]
            if (summary := getattr(metrics, split).get(name))
        }
        for split in names
    }
    champion = results.champion.metrics[results.split][metric]
    content["seeds"] = [result.seed for result in results.seeds]
    content["champion"] = {"seed": results.champion.seed, metric: champion.value}
    return content | {"collapsed": {seed: [label] for seed, label in metrics.collapsed.items()}}
