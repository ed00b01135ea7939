import logging
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from stages.errors import ModelError
from stages.finetune.acceleration.features import encode, stored
from stages.finetune.acceleration.head_input import HeadInput, find_head_input, kept_features
from stages.finetune.methods import set_modes, wrong_modes
from stages.finetune.prepare import pad_token_id
from stages.model.encoder_decoders import read_last_end
from stages.paths import Paths
from stages.tokens import open_tokens
from tests.stages.finetune.kinds import kind_model
from tests.stages.finetune.tiny import tiny_models

ROWS = np.arange(30)


KINDS = [
    "bart",
    "big_bird",
    "ctrl",
    "fnet",
    "funnel",
    "gte",
    "longformer",
    "luke",
    "mbart",
    "mobilebert",
    "mpnet",
    "mt5",
]
KINDS += ["nomic_bert", "roformer", "squeezebert", "t5", "umt5", "xlm"]
MODELS = tiny_models()


def read(paths: Paths, model: PreTrainedModel) -> tuple[torch.Tensor, HeadInput, dict[str, torch.Tensor]]:
    """Return the features of ROWS, what the head reads of them, and the padded rows."""
    tokens, pad = open_tokens(paths.tokens), pad_token_id(model)
    sample = {name: torch.from_numpy(values) for name, values in tokens.pad(ROWS, pad_token_id=pad).items()}
    del sample["labels"]
    head_input = find_head_input(model, sample)
    return encode(model, tokens, ROWS, pad_token_id=pad, vector=head_input.vector), head_input, sample


@pytest.mark.parametrize("kind", [*sorted(MODELS), *KINDS])
def test_the_head_gives_the_same_from_kept_features(paths: Paths, kind: str) -> None:
    model = (MODELS[kind] if kind in MODELS else kind_model(kind)).eval()
    read_last_end(model)
    features, head_input, sample = read(paths, model)
    expected = model(**sample).logits
    whole = sum(p.numel() for p in model.base_model.parameters())
    with kept_features(model, head_input):
        assert torch.allclose(model(inputs_embeds=features[:, None]).logits, expected, atol=1e-5)
        assert sum(p.numel() for p in model.base_model.parameters()) < whole / 4  # the encoder is out of the way
    assert torch.equal(model(**sample).logits, expected)


@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_the_vector_is_the_one_that_the_head_reads(paths: Paths, pooling: str) -> None:
    model = tiny_models()["modernbert"].eval()
    model.config.classifier_pooling = pooling
    _, head_input, _ = read(paths, model)
    assert head_input.vector == {"cls": "first", "mean": "mean"}[pooling]


def test_the_encoder_runs_once_per_row(paths: Paths) -> None:
    tokens, model, rows = open_tokens(paths.tokens), tiny_models()["bert"], []
    model.register_forward_pre_hook(
        lambda module, args, kwargs: rows.append(len(kwargs["input_ids"])), with_kwargs=True
    )
    twice = encode(model, tokens, np.concatenate([ROWS, ROWS]), pad_token_id=0, vector="first")
    assert sum(rows) == len(ROWS)
    assert torch.equal(twice[: len(ROWS)], twice[len(ROWS) :])


def test_a_head_that_reads_more_than_one_vector_is_refused_and_the_model_stays(paths: Paths) -> None:
    model = tiny_models()["roberta"]
    set_modes(model)
    model.classifier.forward = lambda hidden: model.classifier.out_proj(hidden[:, :3].sum(1))
    with pytest.raises(
        ModelError,
        match=r"keeps one vector per row, but the head of roberta reads more. Set finetune.method to partial",
    ):
        read(paths, model)
    assert model.roberta.encoder is not None
    assert not wrong_modes(model)


def test_what_was_stored_is_not_computed_again(tmp_path: Path) -> None:
    computed = []

    def compute() -> dict[str, torch.Tensor]:
        computed.append(1)
        return {"train": torch.arange(6.0).view(3, 2), "val": torch.ones(1, 2)}

    first = stored(tmp_path / "features/a.safetensors", compute)
    again = stored(tmp_path / "features/a.safetensors", compute)
    assert all(torch.equal(first[name], again[name]) for name in ("train", "val"))
    assert len(computed) == 1
    stored(tmp_path / "features/b.safetensors", compute)
    assert len(computed) == 2
    [kept] = tmp_path.rglob("*.safetensors*")  # one of them is enough
    assert kept.name.startswith("b-")
    kept.write_bytes(kept.read_bytes()[:-1] + b"!")  # a value of another row
    assert torch.equal(stored(tmp_path / "features/b.safetensors", compute)["val"], first["val"])
    assert len(computed) == 3


def test_two_runs_at_once_compute_once(tmp_path: Path) -> None:
    computed, begun, end = [], threading.Event(), threading.Event()

    def compute() -> dict[str, torch.Tensor]:
        computed.append(1)
        begun.set()
        end.wait(30)
        return {"train": torch.ones(1, 1)}

    runs = [threading.Thread(target=stored, args=(tmp_path / "a.safetensors", compute)) for _ in range(2)]
    runs[0].start()
    assert begun.wait(30)
    runs[1].start()
    runs[1].join(0.3)
    end.set()
    for run in runs:
        run.join()
    assert len(computed) == 1


def test_features_that_cannot_be_stored_are_used_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("stages.finetune.acceleration.features.save_file", full)
    with caplog.at_level(logging.WARNING):
        assert stored(tmp_path / "a.safetensors", lambda: {"train": torch.ones(1, 1)})["train"] == 1
    assert "can't be stored for later runs (No space left on device)" in caplog.text
    assert list(tmp_path.glob("a.*")) == []
