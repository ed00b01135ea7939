"""What the Hub reads of a model: the front matter of the card."""

from collections.abc import Mapping, Sequence
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from stages.metrics.summary import SHOWN
from stages.params import Params
from stages.report.provenance import Provenance
from stages.report.render.glossary import NAMES
from stages.report.seeds import AllSeeds

HubMetric = tuple[str, dict[str, Any] | None]  # of https://huggingface.co/evaluate-metric, and its arguments


def front_matter(
    params: Params,
    results: AllSeeds[Any],
    provenance: Provenance,
    *,
    task: str,
    metrics: Sequence[str],
    hub_metrics: Mapping[str, HubMetric],
    tags: Sequence[str] = (),
) -> str:
    """Return the front matter of the model card, YAML.

    Args:
        params: Of the project.
        results: Of all seeds; the champion's values on the report's split are given.
        provenance: How the champion was made.
        task: Its name for people.
        metrics: Names of ours.
        hub_metrics: By a name of ours the metric of the Hub that computes it; where one is not there, it has ours.
        tags: Of the kind of target.
    """
    data = ModelCardData(
        base_model=provenance.base_model,
        language=provenance.language or None,
        license=provenance.license,
        library_name="transformers",
        pipeline_tag="text-classification",  # the Hub has no other task for a label of a text
        tags=["text-classification", *tags, "retune"],
        model_name=params.report.title,
        eval_results=[_result(params, results, name, task, hub_metrics.get(name, (name, None))) for name in metrics],
    )
    return str(data.to_yaml())


def _result(params: Params, results: AllSeeds[Any], name: str, task: str, hub_metric: HubMetric) -> EvalResult:
    metric, arguments = hub_metric
    return EvalResult(
        task_type="text-classification",
        task_name=task,
        dataset_type="custom",
        dataset_name=params.report.title,
        dataset_split=results.split,
        metric_type=metric,
        metric_name=NAMES[name],
        metric_value=round(results.champion.metrics[results.split][name].value, SHOWN),
        metric_args=arguments,
    )
