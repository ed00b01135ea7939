"""What makes a model useless, in sentences: it predicts one label for every text, or a simpler method does as well."""

from collections.abc import Callable, Mapping
from typing import Any

from stages.metrics.names import SPLITS, lower_is_better
from stages.metrics.summary import format_value, read_number

METHODS = {  # by their key in metrics.json; the model is measured against them in this order
    "majority": "always predicting the most frequent label",
    "frequent_set": "always predicting the most frequent set of labels",
    "tfidf": "TF-IDF + logistic regression, which counts words",
    "mean": "always predicting the mean of train",
    "tfidf_ridge": "TF-IDF + ridge regression, which counts words",
}
BLIND = ("majority", "frequent_set", "mean")  # they know nothing of the text


def describe_failures(
    report: Mapping[str, Any],
    names: Mapping[str, str] | None = None,
    *,
    weighted: bool = False,
    show: Callable[[float], str] = format_value,
) -> list[str]:
    """Return a sentence for each failure of the model that ships, and of the other seeds; none for a useful model.

    Args:
        report: The contents of the report's metrics.json, or of headline.json, which has no baselines.
        names: How to call the metrics; those that are missing are called as in the file.
        weighted: Whether finetune weighs the classes already; see `weighs_classes`.
        show: How a metric is written.
    """
    champion, others = describe_collapse(report, weighted=weighted)
    main = champion or _stuck(report) or _no_gain(report, names or {}, show, _advice(report, weighted=weighted))
    return [sentence for sentence in (main, others) if sentence]


def describe_collapse(report: Mapping[str, Any], *, weighted: bool = False) -> tuple[str, str]:
    """Return the sentences on a model that ships, and on other seeds, that predict one label; empty where none does.

    Args:
        report: As in `describe_failures`.
        weighted: As there.
    """
    to_try = _advice(report, weighted=weighted)
    seed, collapsed = str((report.get("champion") or {}).get("seed")), report.get("collapsed") or {}
    always, others = collapsed.get(seed), [other for other in collapsed if other != seed]
    label = always[0] if isinstance(always, list) and always else always  # a list in headline.json: DVC shows no list
    champion = (
        f"The model always predicts “{label}”: its answer does not depend on the text. {_stuck(report) or to_try}"
        if always
        else ""
    )
    if not others:
        return champion, ""
    seeds = f"{len(collapsed)} of {len(report.get('seeds') or collapsed)} seeds"
    return champion, (
        f"{seeds} always {'predicts' if len(collapsed) == 1 else 'predict'} one label ({', '.join(collapsed)}), "
        f"which lowers the mean over the seeds.{'' if champion else ' ' + to_try}"
    )


def weighs_classes(params: Mapping[str, Any]) -> bool:
    """Return whether `finetune.class_weights` weighs the classes, in a params.yaml of any version."""
    finetune = params.get("finetune")
    return isinstance(finetune, Mapping) and finetune.get("class_weights") not in (None, "none")


def advice(*, can_weigh: bool) -> str:
    """Return what to try with a model that is useless; a number has no classes to weigh, and others weigh them already.

    Args:
        can_weigh: Whether there are classes that are not weighed yet.
    """
    weights = ", or finetune.class_weights: balanced" if can_weigh else ""
    return (
        f"Try another finetune.learning_rate or more finetune.max_epochs{weights}; "
        "the learning curve shows whether the loss falls."
    )


def _advice(report: Mapping[str, Any], *, weighted: bool) -> str:
    of_number = any("r2" in (report.get(split) or {}) for split in SPLITS)
    return advice(can_weigh=not (of_number or weighted))


def _stuck(report: Mapping[str, Any]) -> str:
    """The sentences on a model that ships and learned less than a constant answer has; empty where it learned more."""
    sentences = (report.get("stuck") or {}).get(str((report.get("champion") or {}).get("seed")))
    return sentences if isinstance(sentences, str) else ""


def _no_gain(report: Mapping[str, Any], names: Mapping[str, str], show: Callable[[float], str], to_try: str) -> str:
    """The sentence where the model's lead over an answer that knows nothing of the text may be chance, or where TF-IDF
    is better than the model by more than chance; empty where neither is so. Rows of one label can't show either."""
    metric = str(report.get("metric"))
    split = "test" if (report.get("champion") or {}).get("test") else "val"
    if label := (report.get("one_class") or {}).get(split):
        return (
            f"All rows of {split} have the label “{label}”, so they can't show whether the model tells labels apart: "
            f"always predicting “{label}” would be right as well. Measure it on rows of every label."
        )
    for baseline, method in METHODS.items():
        lead = ((report.get("baselines") or {}).get(baseline) or {}).get(metric)
        keys = ("value", "difference", "low", "high")
        numbers = [read_number(lead, key) for key in keys] if isinstance(lead, Mapping) else []
        if not numbers or None in numbers:  # of another version
            continue
        value, difference, low, high = (number or 0.0 for number in numbers)
        least, most = (-high, -low) if lower_is_better(metric) else (low, high)
        worse = most < 0
        if worse or (baseline in BLIND and least <= 0):
            return (
                f"The model is {'worse' if worse else 'no better'} than {method}: "
                f"{names.get(metric, metric)} {show(value + difference)} against {show(value)}"
                f"{'' if worse else ', a difference that may be chance'} "
                f"(interval of the difference {show(low)} to {show(high)}). {to_try}"
            )
    return ""
