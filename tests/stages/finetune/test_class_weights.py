import numpy as np
import pytest

from stages.errors import DataError, ParamsError
from stages.finetune.class_weights import label_weights

TRAIN = np.array([0, 0, 0, 1, 1, 2])
LABELS = ["1", "2", "3"]


def test_none_weighs_nothing() -> None:
    assert label_weights("none", labels=LABELS, train_labels=TRAIN) is None


def test_balanced_is_what_scikit_learn_calls_balanced() -> None:
    from sklearn.utils.class_weight import compute_class_weight

    expected = compute_class_weight("balanced", classes=np.arange(3), y=TRAIN)
    assert label_weights("balanced", labels=LABELS, train_labels=TRAIN) == pytest.approx(expected)


def test_weights_come_in_class_order_and_numbers_name_labels() -> None:
    assert label_weights({3: 3, "1": 1.0, 2: 0.5}, labels=LABELS, train_labels=TRAIN) == [1.0, 0.5, 3.0]


def test_unknown_and_missing_labels_are_named() -> None:
    with pytest.raises(ParamsError, match=r"finetune.class_weights .* unknown \['4'\], missing \['2', '3'\]"):
        label_weights({"1": 1.0, "4": 2.0}, labels=LABELS, train_labels=TRAIN)


def test_balanced_needs_rows_of_every_label() -> None:
    with pytest.raises(DataError, match=r"balanced, but train has no row of \['2'\]"):
        label_weights("balanced", labels=LABELS, train_labels=np.array([0, 0, 2]))
