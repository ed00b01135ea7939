"""How fast a model computed: what is counted, and the machine's rate, which is measured once."""

import itertools
import logging
from pathlib import Path

import pytest
import torch

from stages import speed
from stages.files import read_json
from stages.speed import matrix_rate, measured_speed, product_weights
from tests.stages.finetune.tiny import tiny_models

CPU = torch.device("cpu")


def test_the_rate_is_measured_once_for_a_processor_and_its_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, measured = tmp_path / ".retune/rates.json", iter([5.0, 7.0])
    monkeypatch.setattr(speed, "_measure", lambda device: next(measured))
    assert matrix_rate(CPU, file) == matrix_rate(CPU, file) == 5.0
    monkeypatch.setattr(torch, "get_num_threads", lambda: 99)
    assert matrix_rate(CPU, file) == 7.0


@pytest.mark.parametrize(
    "content", ["", "[1]", '{"KEY": "b"}', "\x00", "[" * 100_000, '{"KEY": 0.0}', '{"KEY": NaN}', '{"other": NaN}']
)
def test_a_damaged_file_is_measured_again(tmp_path: Path, content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "_measure", lambda device: 3.0)
    file = tmp_path / "rates.json"
    matrix_rate(CPU, file)
    file.write_text(content.replace("KEY", next(iter(read_json(file)))))
    assert matrix_rate(CPU, file) == 3.0
    assert list(read_json(file).values()) == [3.0]


def test_the_measured_rate_is_a_processor_s(tmp_path: Path) -> None:
    assert 1e8 < matrix_rate(CPU, tmp_path / "rates.json") < 1e15


def test_a_machine_that_does_other_work_has_the_same_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rate is kept for good, and a low one would make every later share too large."""
    seconds = itertools.count(step=10.0)
    monkeypatch.setattr(speed.time, "perf_counter", lambda: next(seconds))
    assert matrix_rate(CPU, tmp_path / "rates.json") > 1e9


def test_tables_of_embeddings_and_vectors_multiply_no_token() -> None:
    model = tiny_models()["bert"]  # two layers, width 16, feed-forward 32, three labels
    layer = 4 * 16 * 16 + 2 * 16 * 32
    assert product_weights(model) == 2 * layer + 16 * 16 + 3 * 16  # layers, pooler, head


@pytest.mark.parametrize(("training", "operations"), [(False, 2), (True, 6)])
def test_the_share_is_that_of_products_with_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, training: bool, operations: int
) -> None:
    caplog.set_level(logging.INFO)
    model = tiny_models()["bert"]
    monkeypatch.setattr(speed, "_measure", lambda device: 1000.0 * operations * product_weights(model))
    found = measured_speed(model, CPU, tokens=1000, seconds=2.0, rates=tmp_path / "rates.json", training=training)
    assert found == {"tokens_per_second": 500, "share_of_matrix_rate": 0.5}
    assert "500 tokens per second, 50% of the rate of matrix products" in caplog.text


def test_rows_that_were_all_kept_have_no_speed(tmp_path: Path) -> None:
    assert measured_speed(tiny_models()["bert"], CPU, tokens=0, seconds=1.0, rates=tmp_path / "rates.json") == {}
