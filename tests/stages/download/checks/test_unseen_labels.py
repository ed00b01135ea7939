"""A label of val or test that no row for train has: refused with advice that can be followed, measured or set aside."""

from typing import Any

import pytest

from stages.errors import DataError

TRAIN, OTHER = b"text,label\na,x\nb,y\nc,x\n", b"text,label\nd,x\ne,z\nf,z\n"


def files(train: str | None, other: str) -> list[dict[str, Any]]:
    return [{"source": "data/train.csv", "split": train}, {"source": "data/other.csv", "split": other}]


@pytest.mark.parametrize("train", ["train", None])
@pytest.mark.parametrize("other", ["val", "test"])
@pytest.mark.parametrize("policy", ["fail", "warn", "set_aside"])
def test_every_policy(read: Any, train: str | None, other: str, policy: str, caplog: Any) -> None:
    arguments = {"files": files(train, other), "policies": {"unseen_label": policy}}
    content = {"train.csv": TRAIN, "other.csv": OTHER}
    if policy == "fail":
        with pytest.raises(DataError) as error:
            read(content, **arguments)
        assert "data/other.csv row 3 ('z'), 4 ('z'): no row for train has the label" in str(error.value)
        assert "download.dataset.checks.unseen_label: set_aside" in str(error.value)
        return
    stats = (result := read(content, **arguments)).stats
    assert stats["rows_in"] == stats["rows_used"] + sum(stats["set_aside"].values())
    if policy == "warn":
        assert (result.labels, stats["warnings"]["unseen_label"]) == (["x", "y", "z"], 2)
        assert "data/other.csv: 2 rows: no row for train has the label" in caplog.text
    else:
        assert (result.labels, stats["set_aside"]) == (["x", "y"], {"unseen_label": 2})
        assert result.set_aside.count("unseen_label") == 2


def test_a_label_that_train_spells_otherwise_is_said(read: Any) -> None:
    content = {"train.csv": TRAIN, "other.csv": b"text,label\nd,X\n"}
    with pytest.raises(DataError, match=r"row 2 \('X'; train has 'x'\): no row for train"):
        read(content, files=files("train", "test"))
    joined = read(content, files=files("train", "test"), policies={"label_spelling": "merge"})
    assert joined.labels == ["x", "y"]


@pytest.mark.parametrize("first", ["train", None, "val"])
def test_labels_that_only_train_has_are_no_problem(read: Any, first: str | None) -> None:
    content = {"train.csv": TRAIN, "other.csv": b"text,label\nd,x\n"}
    assert read(content, files=files(first, "test")).labels == ["x", "y"]


def test_rows_that_are_set_aside_teach_nothing(read: Any) -> None:
    content = {"train.csv": TRAIN + b",z\n", "other.csv": OTHER}
    with pytest.raises(DataError, match="no row for train has the label"):
        read(content, files=files("train", "test"), policies={"empty_text": "set_aside"})
