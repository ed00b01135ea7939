"""The columns of a file that no field uses, and what they could be used for."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.dataset.columns import guess_columns
from pipeline.dataset.fitness import FLAGS
from pipeline.dataset.named import names_of
from pipeline.dataset.sample import Sample
from stages.messages import EXAMPLES, examples, plain


def unused_columns(sample: Sample, columns: Mapping[str, Any]) -> str:
    """The columns that are not used, for a person, and how they could be; empty if there are none.

    Args:
        sample: The file.
        columns: Those that are used, by field; the slices too.
    """
    used = {name for value in columns.values() for name in names_of(sample, value)}
    left = [str(column.name) for column in sample.columns if column.filled and str(column.name) not in used]
    texts = [str(name) for name in guess_columns(sample)["text"] if str(name) in left]
    labels = names_of(sample, columns["label"])
    flags = [
        str(column.name)
        for column in sample.columns
        if FLAGS >= {value.lower() for value in column.values} > set() and str(column.name) in [*left, *labels]
    ]
    hints = []
    if texts and columns["text_pair"] is None:
        hints.append(f"for pairs of texts: --pair {shlex.quote(texts[0])}")
    if len(labels) == 1 and labels[0] in flags and len(flags) > 1:
        hints.append(f"for sets of labels: {_label_options(sample, flags)}")
    left += [name for name in sample.lists if name not in used]
    how = f" ({'; '.join(hints)})" if hints else ""
    return f"{examples(left, show=plain)}{how}" if left else ""


def _label_options(sample: Sample, names: Sequence[str]) -> str:
    """The options that make some columns the labels; the first of them where they are many."""
    first = names[:EXAMPLES]
    if any("," in str(column.name) for column in sample.columns):  # what commas join may be one name
        options = " ".join(f"--label {shlex.quote(name)}" for name in first)
    else:
        options = f"--label {shlex.quote(','.join(first))}"
    return options if len(first) == len(names) else f"{options} ... ({len(names)} columns of 0 and 1)"
