"""A row's bits depend on its tokens and the model alone: on no other row, no order, and nothing that was kept."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedModel

from stages.finetune.encoder import pad_token_id
from stages.inference.loading import load_model, logits_computer, predict_tokens
from stages.kept.context import context_of, processor_facts
from stages.kept.rows import Keeper, compute_rows, fixed_shapes
from stages.kept.store import RowStore
from stages.model.encoder_decoders import read_last_end
from stages.model.threads import LONG
from stages.paths import Paths
from stages.tokens import Tokens, open_tokens
from tests.stages.finetune.kinds import kind_model
from tests.stages.finetune.tiny import tiny_models, write_tokens

ROWS = 60
KINDS = ["bart", "big_bird", "fnet", "funnel", "longformer", "mobilebert", "mpnet", "nomic_bert", "t5", "xlm"]
MODELS = tiny_models()
SIZE = 64  # tokens of a batch here: small, so that there are many


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Tokens:
    return write_tokens(Paths(tmp_path_factory.mktemp("tokens")), rows=ROWS)


def model_of(kind: str) -> PreTrainedModel:
    model = (MODELS[kind] if kind in MODELS else kind_model(kind)).eval()
    read_last_end(model)
    pad_token_id(model)
    return model


@contextmanager
def forward_of(model: PreTrainedModel) -> Iterator[tuple[Callable[..., torch.Tensor], list[int]]]:
    """Yield what computes a batch, and the number of rows of each batch that was computed."""
    sizes: list[int] = []

    def forward(model: PreTrainedModel, batch: dict[str, np.ndarray]) -> torch.Tensor:
        sizes.append(len(batch["input_ids"]))
        with torch.inference_mode():
            return model(**{name: torch.from_numpy(values) for name, values in batch.items()}).logits

    yield forward, sizes


@pytest.mark.parametrize("kind", [*sorted(MODELS), *KINDS])
def test_any_rows_in_any_order_have_the_bits_that_they_have_among_all(
    tokens: Tokens, kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Or else the processor adds up in an order that depends on a row's place: then that is noticed."""
    random, model = np.random.default_rng(0), model_of(kind)
    with forward_of(model) as (forward, _):
        expected, _ = compute_rows(model, forward, tokens, np.arange(ROWS), batch_tokens=SIZE)
        for count in (1, 2, 7, 30, ROWS):
            rows = random.choice(ROWS, count, replace=False)
            values, computed = compute_rows(model, forward, tokens, rows, batch_tokens=SIZE)
            assert computed == tokens.lengths[rows].sum()
            if values.tobytes() == expected[rows].tobytes():
                continue
            np.testing.assert_allclose(values, expected[rows], rtol=1e-4, atol=1e-6)
            keeper = Keeper(RowStore(tmp_path / "rows.sqlite", limit=10**7), context_of(model, "logits"))
            compute_rows(model, forward, tokens, np.arange(ROWS), batch_tokens=SIZE, keeper=keeper)
            assert "depend on its place in the batch, so computed rows are not kept" in caplog.text
            break


@settings(max_examples=40, deadline=None)
@given(history=st.lists(st.lists(st.integers(0, ROWS - 1), min_size=1, max_size=20), min_size=1, max_size=5))
def test_no_history_changes_a_bit_and_no_row_is_computed_twice(tokens: Tokens, history: list[list[int]]) -> None:
    model = model_of("bert")
    with tempfile.TemporaryDirectory() as folder, forward_of(model) as (forward, _):
        expected, _ = compute_rows(model, forward, tokens, np.arange(ROWS), batch_tokens=SIZE)
        keeper = Keeper(RowStore(Path(folder) / "rows.sqlite", limit=10**7), context_of(model, "logits"))
        known: set[bytes] = set()
        for part in history:
            rows = np.array(part)
            values, computed = compute_rows(model, forward, tokens, rows, batch_tokens=SIZE, keeper=keeper)
            assert values.tobytes() == expected[rows].tobytes()
            new = {tokens.row(row).tobytes() for row in part} - known
            assert computed == sum(len(row) // 4 for row in new)
            known |= new


def test_one_new_row_is_one_batch(tokens: Tokens, tmp_path: Path) -> None:
    model = model_of("bert")
    keeper = Keeper(RowStore(tmp_path / "rows.sqlite", limit=10**7), context_of(model, "logits"))
    with forward_of(model) as (forward, sizes):
        compute_rows(model, forward, tokens, np.arange(ROWS - 1), batch_tokens=SIZE, keeper=keeper)
        sizes.clear()
        _, computed = compute_rows(model, forward, tokens, np.arange(ROWS), batch_tokens=SIZE, keeper=keeper)
    assert computed in (tokens.lengths[ROWS - 1], 0)  # 0: another row has its tokens
    assert len(sizes) == bool(computed)


@pytest.mark.parametrize("size", [1, 10, 64, 1_000])
def test_the_length_of_a_row_alone_decides_the_shape_of_its_batch(size: int) -> None:
    lengths = np.random.default_rng(0).integers(1, 30, size=200)
    batches = list(fixed_shapes(lengths, size))
    assert all(len(set(lengths[batch])) == 1 for batch in batches)
    assert all(len(batch) == max(1, size // lengths[batch[0]]) for batch in batches)
    assert sorted({int(index) for batch in batches for index in batch}) == list(range(200))


def test_where_the_place_in_a_batch_matters_nothing_is_kept(
    tokens: Tokens, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keeper = Keeper(RowStore(tmp_path / "rows.sqlite", limit=10**7), b"machine")
    rows, model = np.arange(ROWS), model_of("bert")

    def by_place(model: PreTrainedModel, batch: dict[str, np.ndarray]) -> torch.Tensor:
        sums = torch.from_numpy(batch["input_ids"]).sum(1, keepdim=True).float()
        return sums + torch.arange(len(sums))[:, None] * 1e-3

    expected, every = compute_rows(model, by_place, tokens, rows, batch_tokens=SIZE)
    for _ in range(2):
        values, computed = compute_rows(model, by_place, tokens, rows, batch_tokens=SIZE, keeper=keeper)
        assert values.tobytes() == expected.tobytes()
        assert computed == every
    assert caplog.text.count("depend on its place in the batch, so computed rows are not kept") == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda model: model.classifier.bias.data.add_(1e-3),
        lambda model: setattr(model.config, "layer_norm_eps", 1e-6),
        lambda model: model.set_attn_implementation("eager"),
        lambda model: model.double(),
    ],
    ids=["a weight", "config", "attention", "precision"],
)
def test_what_may_change_a_bit_is_part_of_the_context(change: Callable[[PreTrainedModel], object]) -> None:
    model = tiny_models()["bert"]
    before = context_of(model, "logits")
    assert context_of(tiny_models()["bert"], "logits") == before
    assert context_of(model, "embeddings") != before
    change(model)
    assert context_of(model, "logits") != before


def test_the_number_of_threads_is_part_of_the_keys_of_long_rows_alone(tmp_path: Path) -> None:
    lengths = np.array([8, LONG, LONG + 1])
    tokens = Tokens(
        np.zeros(3),
        lengths,
        np.cumsum([0, *lengths[:-1]]),
        np.zeros(3, np.int64),
        [np.ones(lengths.sum(), np.int32)],
        [],
    )
    keeper, threads, keys = Keeper(RowStore(tmp_path / "rows.sqlite", limit=1), b"model"), torch.get_num_threads(), []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            keys.append(keeper.keys(tokens, np.arange(3), SIZE))
    finally:
        torch.set_num_threads(threads)
    assert [one == two for one, two in zip(*keys, strict=True)] == [True, True, False]
    assert len(set(keys[0])) == 3


X86 = ["processor : 0", "cpu family : 25", "model : 1", "model name : AMD EPYC", "cpu MHz : 2445.4", "flags : fpu avx2"]
ARM = ["processor : 0", "BogoMIPS : 243.75", "Features : fp asimd", "CPU implementer : 0x41", "CPU part : 0xd0c"]


@pytest.mark.parametrize(
    ("lines", "old", "new"),
    [(X86, "family : 25", "family : 26"), (X86, "avx2", "avx512f"), (ARM, "0xd0c", "0xd40"), (ARM, "fp", "fp sve")],
)
def test_a_processor_is_known_by_what_it_can_do_and_not_by_its_name(lines: list[str], old: str, new: str) -> None:
    other = [line.replace(old, new) for line in lines]
    assert processor_facts(other) != processor_facts(lines)


@pytest.mark.parametrize("lines", [X86, ARM])
def test_a_processor_is_the_same_at_any_time_and_with_any_number_of_cores(lines: list[str]) -> None:
    later = [line.replace("2445.4", "3100.0") for line in lines]
    second = [line.replace("processor : 0", "processor : 1") for line in lines]
    assert processor_facts([*later, "", *second]) == processor_facts(lines)


@pytest.mark.parametrize("switch", ["MKL_CBWR", "ONEDNN_MAX_CPU_ISA", "NVIDIA_TF32_OVERRIDE", "TORCH_MKLDNN_MATMUL"])
def test_a_switch_of_a_library_is_part_of_the_context(switch: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_models()["bert"]
    before = context_of(model, "logits")
    monkeypatch.setenv(switch, "AVX2")
    assert context_of(model, "logits") != before


def test_another_build_of_torch_is_another_context(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_models()["bert"]
    before = context_of(model, "logits")
    monkeypatch.setattr(torch.__config__, "show", lambda: "the same version, with OpenBLAS")
    assert context_of(model, "logits") != before


@pytest.mark.parametrize("labels", [("ham", "spam"), ("one", "two", "three")], ids=["pair", "three"])
@pytest.mark.parametrize("problem", [None, "multi_label_classification", "regression"])
def test_predictions_are_the_same_kept_or_not_and_alone_or_not(
    make_project: Callable[..., Paths], labels: tuple[str, ...], problem: str | None, tmp_path: Path
) -> None:
    project = make_project(labels, rows=40, seeds=(1,))
    model, tokens = load_model(project.finetuned(1)), open_tokens(project.tokens)
    model.config.problem_type = problem
    rows = np.arange(40)
    off, on = (RowStore(tmp_path / "rows.sqlite", limit=limit) for limit in (0, 10**7))

    def predict(rows: np.ndarray, store: RowStore) -> tuple[bytes, int]:
        computer = logits_computer(model, store=store)
        return predict_tokens(model, tokens, rows, computer=computer).tobytes(), computer.computed_tokens

    expected, every = predict(rows, off)
    assert b"".join(predict(rows[[row]], off)[0] for row in rows) == expected
    assert predict(rows, on) == (expected, every)
    assert predict(rows, on) == (expected, 0)
    plain = predict_tokens(model, tokens, rows)  # in batches of any shape
    np.testing.assert_allclose(plain, np.frombuffer(expected, np.float32).reshape(plain.shape), atol=1e-5)
