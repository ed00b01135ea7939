"""What the head of a frozen fine-tune would read of each row, computed once for all stages that need it."""

import logging
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel

from stages.errors import RetuneError
from stages.files import write_json
from stages.finetune.__main__ import main
from stages.finetune.pretrained import pretrained_features
from stages.paths import Paths
from stages.tokens import Tokens, open_tokens, read_positions
from tests.stages.finetune.runs import params
from tests.stages.tiny_classifiers import save_classifier

ROWS = [[2, 5, 6, 3], [2, 7, 3], [2, 8, 9, 10, 11, 3], [2, 5, 6, 3]]


def tokens_of(rows: list[list[int]]) -> Tokens:
    lengths = np.array([len(row) for row in rows])
    starts = np.cumsum(lengths) - lengths
    flat = [np.concatenate(rows).astype(np.int32)]
    return Tokens(np.zeros(len(rows), np.int64), lengths, starts, np.zeros(len(rows), np.int64), flat, [])


def features_of(root: Path, kind: str, rows: list[list[int]], *, trained_for: str | None = None) -> np.ndarray:
    paths = Paths(root)
    if not paths.encoder.exists():
        save_classifier(kind, paths.encoder)
    if trained_for:
        (paths.encoder / "1_Pooling").mkdir()
        write_json(paths.encoder / "1_Pooling/config.json", {f"pooling_mode_{trained_for}": True})
    return pretrained_features(tokens_of(rows), np.arange(len(rows)), params(), paths)[0]


@pytest.mark.parametrize("kind", ["bert", "distilbert", "roberta", "gpt2", "t5", "bart", "xlnet", "fnet"])
def test_every_row_has_its_own_vector_whatever_is_beside_it(kind: str, tmp_path: Path) -> None:
    features = features_of(tmp_path / "all", kind, ROWS)
    assert np.isfinite(features).all()
    assert (features[0] == features[3]).all()
    assert not (features[0] == features[1]).all()
    assert features_of(tmp_path / "all", kind, ROWS[1:2]).tobytes() == features[1].tobytes()


@pytest.mark.parametrize("trained_for", ["mean_tokens", "cls_token"])
def test_the_vector_is_what_the_encoder_was_trained_for(trained_for: str, tmp_path: Path) -> None:
    features = features_of(tmp_path, "bert", ROWS, trained_for=trained_for)
    model = AutoModel.from_pretrained(Paths(tmp_path).encoder).eval()
    with torch.inference_mode():
        for row in (0, 2):
            hidden = model(input_ids=torch.tensor([ROWS[row]])).last_hidden_state[0]
            expected = hidden.mean(0) if trained_for == "mean_tokens" else hidden[0]
            np.testing.assert_allclose(features[row], expected, atol=1e-5)


def test_a_row_that_the_encoder_can_not_compute_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(RetuneError, match="tokens"):
        features_of(tmp_path, "bert", [[2, *[5] * 88, 3]])


def test_a_frozen_fine_tune_afterwards_computes_nothing(paths: Paths, caplog: pytest.LogCaptureFixture) -> None:
    tokens = open_tokens(paths.tokens)
    rows = np.concatenate([read_positions(paths.split(name)) for name in ("train", "val")])
    with caplog.at_level(logging.INFO, logger="stages"):
        pretrained_features(tokens, rows, params(method="frozen"), paths)
        main(params(method="frozen", max_epochs=1), paths, 7)
    computed = [int(tokens) for tokens in re.findall(r"the encoder computed (\d+) of", caplog.text)]
    assert computed[0] > 0
    assert computed[1:] == [0]
