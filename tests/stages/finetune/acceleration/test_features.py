import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from stages.errors import ModelError
from stages.finetune.acceleration.features import encode
from stages.finetune.acceleration.head_input import HeadInput, find_head_input, kept_features
from stages.finetune.methods import set_modes, wrong_modes
from stages.finetune.prepare import pad_token_id
from stages.kept.context import encoder_context
from stages.kept.rows import Keeper, shape_tokens
from stages.kept.store import RowStore, locked
from stages.model.encoder_decoders import read_last_end
from stages.model_fit import POOLER
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
    return encode(model, tokens, ROWS, vector=head_input.vector).vectors, head_input, sample


@pytest.mark.parametrize("kind", [*sorted(MODELS), *KINDS])
def test_the_head_gives_the_same_from_kept_features(paths: Paths, kind: str) -> None:
    model = (MODELS[kind] if kind in MODELS else kind_model(kind)).eval()
    read_last_end(model)
    features, head_input, sample = read(paths, model)
    lengths = sample["attention_mask"].sum(1)
    alone = [{name: values[[row], :length] for name, values in sample.items()} for row, length in enumerate(lengths)]
    expected = torch.cat([model(**row).logits for row in alone])  # FNet reads the padding beside a row
    whole_batch = model(**sample).logits
    whole = sum(p.numel() for p in model.base_model.parameters())
    with kept_features(model, head_input):
        assert torch.allclose(model(inputs_embeds=features[:, None]).logits, expected, atol=1e-5)
        assert sum(p.numel() for p in model.base_model.parameters()) < whole / 4  # the encoder is out of the way
    assert torch.equal(model(**sample).logits, whole_batch)


@pytest.mark.parametrize("kind", [*sorted(MODELS), *KINDS])
def test_features_are_the_same_bits_with_any_number_of_threads(paths: Paths, kind: str) -> None:
    model = (MODELS[kind] if kind in MODELS else kind_model(kind)).eval()
    read_last_end(model)
    expected, head_input, _ = read(paths, model)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        found = encode(model, open_tokens(paths.tokens), ROWS, vector=head_input.vector).vectors
    finally:
        torch.set_num_threads(before)
    assert torch.equal(found, expected)


@pytest.mark.parametrize("kind", [*sorted(MODELS), *KINDS])
def test_features_in_bf16_are_near_those_in_float32_and_the_weights_stay(paths: Paths, kind: str) -> None:
    model = (MODELS[kind] if kind in MODELS else kind_model(kind)).eval()
    read_last_end(model)
    exact, head_input, _ = read(paths, model)
    before = {name: values.clone() for name, values in model.state_dict().items()}
    rounded = encode(model, open_tokens(paths.tokens), ROWS, vector=head_input.vector, bf16=True)
    difference = (rounded.vectors - exact).abs().max()
    assert difference < 0.05 * exact.abs().max()
    assert (difference > 0) == rounded.bf16 == (kind != "squeezebert")  # whose layers are convolutions
    after = model.state_dict()
    assert all(
        after[name].dtype == values.dtype and torch.equal(after[name], values) for name, values in before.items()
    )
    assert torch.equal(read(paths, model)[0], exact)


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
    twice = encode(model, tokens, np.concatenate([ROWS, ROWS]), vector="first").vectors
    assert len(rows) == len(set(tokens.lengths[ROWS]))  # a batch of each length, for both times
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


def run_counted(model: PreTrainedModel, paths: Paths, rows: np.ndarray, store: RowStore | None) -> tuple[bytes, int]:
    """Return the bytes of some rows' features, and in how many batches they were computed."""
    batches: list[int] = []
    handle = model.register_forward_pre_hook(
        lambda module, args, kwargs: batches.append(len(kwargs["input_ids"])), with_kwargs=True
    )
    features = encode(model, open_tokens(paths.tokens), rows, vector="first", store=store).vectors
    handle.remove()
    return features.numpy().tobytes(), len(batches)


def test_a_kept_row_is_not_computed_again_whatever_the_head(paths: Paths, tmp_path: Path) -> None:
    store = RowStore(tmp_path / "rows.sqlite", limit=10**7)
    first, batches = run_counted(tiny_models()["bert"], paths, ROWS, store)
    assert batches
    other = tiny_models()["bert"]
    with torch.no_grad():
        for head in (other.classifier, other.bert.pooler.dense):
            head.weight.add_(1)
    other.config.id2label = {0: "other"}
    assert run_counted(other, paths, ROWS, store) == (first, 0)
    assert run_counted(tiny_models()["bert"], paths, ROWS, None)[0] == first
    with torch.no_grad():
        other.bert.encoder.layer[0].output.dense.bias[0] += 1e-3
    changed, batches = run_counted(other, paths, ROWS, store)
    assert batches
    assert changed != first


def test_two_runs_at_once_compute_once(paths: Paths, tmp_path: Path) -> None:
    store, results = RowStore(tmp_path / "rows.sqlite", limit=10**7), []
    with locked(store):  # the run before
        other = threading.Thread(target=lambda: results.append(run_counted(tiny_models()["bert"], paths, ROWS, store)))
        other.start()
        other.join(0.3)
        assert not results
        keeper = Keeper(store, encoder_context(tiny_models()["bert"], "vector: first", without=POOLER))
        tokens = open_tokens(paths.tokens)
        store.put(
            dict.fromkeys(
                keeper.keys(tokens, ROWS, shape_tokens(torch.device("cpu"))), np.ones(16, np.float32).tobytes()
            )
        )
    other.join()
    assert results == [(np.ones((len(ROWS), 16), np.float32).tobytes(), 0)]
