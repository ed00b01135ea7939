import logging
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from stages.errors import ModelError
from stages.finetune.acceleration.features import encode, kept_features, stored
from stages.finetune.prepare import pad_token_id
from stages.paths import Paths
from stages.tokens import open_tokens
from tests.stages.finetune.tiny import tiny_models

ROWS = np.arange(30)


@pytest.mark.parametrize("kind", sorted(tiny_models()))
def test_the_head_gives_the_same_from_kept_features(paths: Paths, kind: str) -> None:
    tokens, model = open_tokens(paths.tokens), tiny_models()[kind].eval()
    pad = pad_token_id(model)
    features = encode(model, tokens, ROWS, pad_token_id=pad)
    sample = {name: torch.from_numpy(values) for name, values in tokens.pad(ROWS, pad_token_id=pad).items()}
    del sample["labels"]
    expected = model(**sample).logits
    with kept_features(model, features, sample):
        assert torch.allclose(model(inputs_embeds=features[:, None]).logits, expected, atol=1e-5)
        assert sum(p.numel() for p in model.parameters()) < 400  # the encoder is out of the way
    assert torch.equal(model(**sample).logits, expected)


def test_the_encoder_runs_once_per_row(paths: Paths) -> None:
    tokens, model, rows = open_tokens(paths.tokens), tiny_models()["bert"], []
    model.bert.register_forward_pre_hook(
        lambda module, args, kwargs: rows.append(len(kwargs["input_ids"])), with_kwargs=True
    )
    twice = encode(model, tokens, np.concatenate([ROWS, ROWS]), pad_token_id=0)
    assert sum(rows) == len(ROWS)
    assert torch.equal(twice[: len(ROWS)], twice[len(ROWS) :])


def test_a_head_that_reads_more_than_one_vector(paths: Paths) -> None:
    tokens, model = open_tokens(paths.tokens), tiny_models()["roberta"]
    features = encode(model, tokens, ROWS, pad_token_id=0)
    sample = {name: torch.from_numpy(values) for name, values in tokens.pad(ROWS, pad_token_id=0).items()}
    del sample["labels"]
    with (
        pytest.raises(
            ModelError,
            match=r"keeps one vector per row, but the head of roberta reads more. Set finetune.method to partial",
        ),
        kept_features(model, features * 2, sample),
    ):
        pass
    assert model.roberta.encoder is not None


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
