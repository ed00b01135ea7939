import dataclasses
import json
import os
import re
import stat
from typing import Any

import numpy as np
import pytest
import torch
from transformers import pipeline

from stages.errors import ModelError
from stages.finetune.encoder import check_computes, check_fit, load_encoder, save_model
from stages.inference import Classifier
from stages.paths import Paths
from stages.tokens import open_tokens
from tests.stages.finetune.kinds import kind_model
from tests.stages.finetune.tiny import LABELS, write_encoder, write_tokens

RELATIVE = {"relative_attention": True, "position_biased_input": False, "pos_att_type": ["p2c", "c2p"]}


def test_loaded_in_train_mode_with_the_names_of_the_labels(paths: Paths) -> None:
    model = load_encoder(paths.encoder, labels=LABELS)
    assert all(module.training for module in model.modules())
    assert model.config.id2label == dict(enumerate(LABELS))
    assert model.config.label2id == {label: index for index, label in enumerate(LABELS)}


def test_what_is_saved_answers_in_a_pipeline_with_the_labels_of_the_task(paths: Paths) -> None:
    model = load_encoder(paths.encoder, labels=LABELS).eval()
    save_model(model, paths.finetuned(1), encoder=paths.encoder)
    answer = pipeline("text-classification", str(paths.finetuned(1)))("w12 w30", top_k=None)
    with torch.no_grad():
        expected = model(torch.tensor([[2, 12, 30, 3]])).logits.softmax(-1)[0]
    assert {row["label"]: row["score"] for row in answer} == pytest.approx(
        dict(zip(LABELS, expected.tolist(), strict=True))
    )


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_every_saved_file_is_readable_under_the_umask(paths: Paths, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        save_model(load_encoder(paths.encoder, labels=LABELS), paths.finetuned(1), encoder=paths.encoder)
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in paths.finetuned(1).iterdir()}
    assert "model.safetensors" in modes
    assert modes == dict.fromkeys(modes, mode)


def test_config_names_no_place_of_this_machine(paths: Paths) -> None:
    save_model(load_encoder(paths.encoder, labels=LABELS), paths.finetuned(1), encoder=paths.encoder)
    assert str(paths.root) not in (paths.finetuned(1) / "config.json").read_text()


def test_rows_longer_than_the_positions(paths: Paths) -> None:
    tokens = write_tokens(paths, longest=50)
    with pytest.raises(
        ModelError, match=r"a row of \d\d tokens, but the encoder reads 32 at most. Set tokenize.max_length"
    ):
        check_fit(load_encoder(paths.encoder, labels=LABELS), tokens)


@pytest.mark.parametrize(("kind", "options"), [("qwen2", {}), ("modernbert", {}), ("deberta-v2", RELATIVE)])
def test_rows_longer_than_computed_positions_are_trained_on_and_read(
    paths: Paths, kind: str, options: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    tokens = write_tokens(paths, longest=60)
    kind_model(kind, **options).base_model.save_pretrained(paths.encoder)
    model = load_encoder(paths.encoder, labels=LABELS).eval()
    check_fit(model, tokens)
    check_computes(model, tokens)
    assert re.search(r"a row of 5\d tokens, and config.json of the encoder names 40 positions", caplog.text)
    save_model(model, paths.finetuned(1), encoder=paths.encoder)
    text = " ".join(f"w{number}" for number in range(10, 60))
    assert Classifier.load(paths.finetuned(1)).max_length == 40  # nothing says what it was trained on
    (paths.finetuned(1) / "calibration.json").write_text('{"max_length": 50}')
    classifier = Classifier.load(paths.finetuned(1))
    assert classifier.max_length == 50
    ids = torch.tensor([[2, *range(10, 58), 3]])
    with torch.no_grad():
        expected = model(ids).logits.softmax(-1).numpy()
    assert np.abs(classifier.probabilities([text]) - expected).max() < 1e-5


@pytest.mark.parametrize(
    ("kind", "options"),
    [("fnet", {}), ("xlm", {"summary_type": "last"}), ("xlm", {"summary_type": "mean"}), ("bert", {}), ("gpt2", {})],
)
def test_an_architecture_that_reads_padding_is_named(
    paths: Paths, kind: str, options: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    kind_model(kind, **options).base_model.save_pretrained(paths.encoder)
    check_computes(load_encoder(paths.encoder, labels=LABELS), open_tokens(paths.tokens))
    assert (f"the output of {kind} depends on the padding" in caplog.text) == (kind not in ("bert", "gpt2"))


def test_tokens_of_another_encoder(paths: Paths) -> None:
    write_encoder(paths.encoder, vocabulary=30)
    with pytest.raises(ModelError, match=r"token id \d\d, but the encoder embeds ids below 30. The tokenizer belongs"):
        check_fit(load_encoder(paths.encoder, labels=LABELS), open_tokens(paths.tokens))


def test_tokens_that_fit_pass(paths: Paths) -> None:
    tokens = open_tokens(paths.tokens)
    model = load_encoder(paths.encoder, labels=LABELS)
    check_fit(model, dataclasses.replace(tokens, lengths=tokens.lengths))


def test_a_folder_without_a_model(paths: Paths) -> None:
    (paths.encoder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"model.safetensors is missing or holds no tensors"):
        load_encoder(paths.encoder, labels=LABELS)


def test_a_model_that_transformers_does_not_know(paths: Paths) -> None:
    (paths.encoder / "config.json").write_text(json.dumps({"model_type": "abacus"}))
    with pytest.raises(ModelError, match=r"abacus.*Choose another model"):
        load_encoder(paths.encoder, labels=LABELS)
