"""Every row is answered by a model that was not trained on it, whatever the kind of target and the method."""

import logging
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stages.crossfit.__main__ import main
from stages.folds import read_answers, read_fold
from stages.paths import Paths
from stages.targets.target import Kind
from tests.stages.crossfit.folded import ROWS, labels_of, params, write_project

torch.set_num_threads(1)
FOLDS = (1, 2, 3)


def answers_of(paths: Paths, values: Any) -> np.ndarray:
    """Run every fold, and return the answers in the order of the rows; shape (rows, outputs)."""
    for fold in FOLDS:
        main(values, paths, fold)
    parts = [read_answers(paths.fold_predictions(fold)) for fold in FOLDS]
    positions = np.concatenate([rows for rows, _ in parts])
    assert sorted(positions.tolist()) == list(range(ROWS))
    return np.concatenate([answers for _, answers in parts])[np.argsort(positions)]


@pytest.mark.parametrize("kind", ["classes", "ordered", "label_set", "number"])
def test_the_linear_model_of_each_kind_learns_what_shows_in_the_text(tmp_path: Path, kind: Kind) -> None:
    paths = Paths(tmp_path)
    answers, (labels, _) = answers_of(paths, write_project(paths, kind)), labels_of(kind)
    if kind == "number":
        assert answers.shape == (ROWS, 1)
        assert np.corrcoef(answers[:, 0], labels)[0, 1] > 0.5
    elif kind == "label_set":
        assert answers.shape == labels.shape
        assert ((answers > 0.5) == labels).mean() > 0.7
    else:
        assert answers.sum(axis=1) == pytest.approx(np.ones(ROWS), abs=1e-5)
        assert (answers.argmax(axis=1) == labels).mean() > 0.6


@pytest.mark.parametrize("kind", ["label_set", "number"])
def test_a_fine_tuned_fold_answers_its_rows_in_their_unit(tmp_path: Path, kind: Kind) -> None:
    paths = Paths(tmp_path)
    write_project(paths, kind, labels=labels_of(kind)[0] + 1000.0 if kind == "number" else None)
    main(params(method="finetune", max_epochs=1, limit_train_batches=2), paths, 1)
    positions, answers = read_answers(paths.fold_predictions(1))
    assert positions.tolist() == read_fold(paths.fold(1), rows=ROWS).predicted.tolist()
    assert answers.shape == (len(positions), 1 if kind == "number" else 3)
    assert (answers > 900).all() if kind == "number" else ((answers >= 0) & (answers <= 1)).all()


def test_the_encoder_runs_once_for_all_folds(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    paths = Paths(tmp_path)
    with caplog.at_level(logging.INFO, logger="stages"):
        answers_of(paths, write_project(paths))
    computed = [int(tokens) for tokens in re.findall(r"the encoder computed (\d+) of", caplog.text)]
    assert computed[0] > 0
    assert computed[1:] == [0, 0]


@pytest.mark.parametrize("method", ["frozen", "finetune"])
def test_a_fold_says_how_fast_its_model_computed(tmp_path: Path, method: str) -> None:
    paths = Paths(tmp_path)
    write_project(paths)
    values = params(method=method, max_epochs=1)
    first, second = main(values, paths, 1), main(values, paths, 2)
    assert first["tokens_per_second"] > 0
    assert 0 < first["share_of_matrix_rate"] < 1
    if method == "finetune":
        assert first["epochs"] == 1
    else:  # the second fold has the same rows
        assert first["computed_tokens"] > 0
        assert (second["computed_tokens"], second["rows_kept"]) == (0, 1)
        assert "tokens_per_second" not in second


@pytest.mark.parametrize("kind", ["classes", "label_set", "number"])
def test_a_corrected_label_leaves_all_that_its_own_fold_reads_and_answers(tmp_path: Path, kind: Kind) -> None:
    paths, labels = Paths(tmp_path), labels_of(kind)[0].copy()
    values = write_project(paths, kind)
    before = {fold: paths.fold(fold).read_bytes() for fold in FOLDS}
    tokens = (paths.folds / "tokens.arrow").read_bytes()
    answers = answers_of(paths, values)
    row = int(read_fold(paths.fold(2), rows=ROWS).predicted[0])
    labels[row] = ~labels[row] if kind == "label_set" else (labels[row] + 1) % 3
    write_project(paths, kind, labels=labels)
    assert (paths.folds / "tokens.arrow").read_bytes() == tokens
    assert [fold for fold in FOLDS if paths.fold(fold).read_bytes() != before[fold]] == [1, 3]
    own = read_fold(paths.fold(2), rows=ROWS).predicted
    np.testing.assert_array_equal(answers_of(paths, values)[own], answers[own])


def test_labels_that_no_text_tells_are_not_predicted_better_than_by_chance(tmp_path: Path) -> None:
    """A model that had seen the row, or its twin, would know its label."""
    paths = Paths(tmp_path)
    labels = np.random.default_rng(5).integers(3, size=ROWS)
    labels[1::5] = labels[::5]  # twins have one label
    answers = answers_of(paths, write_project(paths, labels=labels))
    assert (answers.argmax(axis=1) == labels).mean() < 0.45
