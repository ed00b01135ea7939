"""What labels that are refused as classes probably are: numbers with a decimal comma, or sets of labels."""

import re
from collections.abc import Collection

COMMA = re.compile(r"[-+]?\d+,\d+")
WHOLE = re.compile(r"[-+]?\d+")
SEPARATORS = "|;,/"


def label_hint(labels: Collection[str]) -> str:
    """Return what to set or to correct if the labels are no classes; empty if they look like classes.

    Args:
        labels: The distinct labels as read.
    """
    with_comma = [label for label in labels if COMMA.fullmatch(label)]
    if with_comma and all(WHOLE.fullmatch(label) for label in labels if label not in with_comma):
        fixed = with_comma[0].replace(",", ".")
        return f"If the labels are numbers, write them with a decimal point: {fixed}, not {with_comma[0]}."
    for separator in SEPARATORS:
        sets = [label.split(separator) for label in labels if separator in label]
        if sets and any(all(part.strip() in labels for part in parts) for parts in sets):
            return (
                f"If a row has any number of labels, set download.dataset.label_separator: {separator!r}; an empty "
                "cell is then a row without labels."
            )
    return ""
