"""What the report says about the data: the rows, the checks, the splits and the tokens."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stages.files import read_json
from stages.paths import Paths

CORRECTIONS = {  # outcome of a correction -> what it means
    "relabelled": "label corrected",
    "set_aside": "row set aside",
    "kept": "label confirmed",
    "unclear": "unclear: label as it was",
    "replaced": "replaced by a later decision about the row",
    "unknown_id": "not applied: no row has the id",
    "stale_text": "not applied: the text has changed since",
    "stale_label": "not applied: the source has another label by now",
    "unknown_label": "not applied: no row has the new label",
}
SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Check:
    """A check of the rows that found something."""

    name: str
    rows: int
    outcome: str  # what happened to the rows: "set aside" or "used"


@dataclass(frozen=True)
class Correction:
    """What became of decisions about the labels of single rows (`retune review`)."""

    outcome: str
    rows: int


@dataclass(frozen=True)
class DataFile:
    """A file that the rows come from."""

    name: str
    rows: int
    pin: str  # SHA-256 or revision; empty without either


@dataclass(frozen=True)
class ClassRows:
    """Rows of a label by split, and what truncation removed from them."""

    label: str
    splits: list[int]  # train, val, test
    rows_cut: int
    tokens_cut: int


@dataclass(frozen=True)
class Leak:
    """Rows of val and test that share something with a row of an earlier split."""

    kind: str
    val: int
    test: int


@dataclass(frozen=True)
class TokenSummary:
    """Lengths, truncation and padding; lengths include special tokens."""

    rows: int
    tokens: int  # after truncation
    rows_cut: int
    tokens_cut: int
    median: int
    p99: int
    longest: int
    max_length: int
    suggested_max_length: int  # the smallest that leaves 99% of the rows whole
    truncation: str  # which part of a long text is kept
    padding_to_max_length: float  # shares of all tokens (0 to 1)
    padding_in_random_batches: float
    padding_by_length: float
    unknown_tokens: int
    rows_mostly_unknown: int


@dataclass(frozen=True)
class DataSummary:
    """The rows from the source files to the splits."""

    rows_read: int
    rows_used: int
    distinct_texts: int
    repeated_rows: int
    repeated_but_for_case: int
    nearly_repeated: int
    checks: list[Check]
    corrections: list[Correction]
    files: list[DataFile]
    split_rows: list[int]  # train, val, test
    classes: list[ClassRows]
    official_splits: list[str]  # given by the files
    duplicates_dropped: int
    left_out_as_leak: int
    train_left_out: int
    leaks: list[Leak]
    leak_share: float  # of the rows of val and test (0 to 1)
    tokens: TokenSummary


def read_data_summary(paths: Paths, labels: list[str], *, most_classes: int) -> DataSummary:
    """Read what download, tokenize and split wrote about the rows.

    Args:
        paths: Of the project.
        labels: Names of the classes.
        most_classes: Of more classes, only this many are listed (>= 1): those with the fewest rows in train.
    """
    dataset, split, tokens = (
        read_json(path) for path in (paths.dataset / "stats.json", paths.split_stats, paths.token_stats)
    )
    duplicates, leak, cut = dataset["duplicates"], split["leak"], tokens["per_label"]
    return DataSummary(
        rows_read=dataset["rows_in"],
        rows_used=dataset["rows_used"],
        distinct_texts=duplicates["distinct_texts"],
        repeated_rows=duplicates["repeated_rows"],
        repeated_but_for_case=duplicates["repeated_but_for_case"],
        nearly_repeated=duplicates["nearly_repeated"],
        checks=_checks(dataset["set_aside"], "set aside") + _checks(dataset["warnings"], "used"),
        corrections=[Correction(CORRECTIONS[name], rows) for name, rows in dataset["corrections"].items()],
        files=[_data_file(file) for file in read_json(paths.dataset / "source.json")["files"]],
        split_rows=[split[name]["rows"] for name in SPLITS],
        classes=[
            ClassRows(
                label,
                [split[name]["labels"][label] for name in SPLITS],
                cut[label]["rows_cut"],
                cut[label]["tokens_cut"],
            )
            for label in _smallest(labels, split["train"]["labels"], most_classes)
        ],
        official_splits=split["official"],
        duplicates_dropped=split["duplicates_dropped"],
        left_out_as_leak=split["left_out_as_leak"],
        train_left_out=split["train_left_out"],
        leaks=[Leak(kind.replace("_", " "), **rows) for kind, rows in leak.items() if kind != "share"],
        leak_share=leak["share"],
        tokens=_token_summary(tokens),
    )


def _smallest(labels: list[str], rows: Mapping[str, int], most: int) -> list[str]:
    return labels if len(labels) <= most else sorted(labels, key=lambda label: rows[label])[:most]


def _checks(counts: Mapping[str, int], outcome: str) -> list[Check]:
    return [Check(name.replace("_", " "), rows, outcome) for name, rows in counts.items()]


def _data_file(file: Mapping[str, Any]) -> DataFile:
    name = f"{file['source']} : {file['member']}" if file["member"] else file["source"]
    return DataFile(name, file["rows"], file.get("sha256") or file.get("revision") or "")


def _token_summary(stats: Mapping[str, Any]) -> TokenSummary:
    same = ("rows", "tokens", "rows_cut", "tokens_cut", "max_length", "suggested_max_length")
    return TokenSummary(
        **{name: stats[name] for name in same},
        truncation=stats["truncation"].replace("_", " and "),
        median=stats["length"]["median"],
        p99=stats["length"]["p99"],
        longest=stats["length"]["longest"],
        padding_to_max_length=stats["padding"]["to_max_length"],
        padding_in_random_batches=stats["padding"]["to_longest_in_batch"],
        padding_by_length=stats["padding"]["by_length"],
        unknown_tokens=stats["unknown"]["tokens"],
        rows_mostly_unknown=stats["unknown"]["rows_mostly_unknown"],
    )
