"""Rows become token ids, in their order, as the tokenizer alone would give them."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from stages.errors import DataError, ParamsError
from stages.targets.rows import read_rows_target
from stages.targets.target import Target
from stages.tokenize import encoding
from stages.tokenize.encoding import write_tokens
from stages.tokenizer import open_tokenizer
from stages.tokens import open_tokens


@pytest.fixture
def tokenize(encoder, tmp_path):
    """Tokenize rows.parquet; return the table and the lengths."""

    def run(path, max_length=100, truncation="head"):
        opened = open_tokenizer(encoder)
        target = tmp_path / "tokens/tokens.arrow"
        lengths = write_tokens(path, target, opened=opened, max_length=max_length, truncation=truncation)
        with pa.memory_map(str(target)) as file:
            return pa.ipc.open_stream(file).read_all(), lengths

    return run


def test_single_texts(tokenize, rows, tmp_path):
    table, _ = tokenize(rows(["a b", "B zebra c d e", "c"]))
    assert table.column("input_ids").to_pylist() == [[2, 4, 5, 3], [2, 5, 1, 6, 7, 8, 3], [2, 6, 3]]
    assert table.column("label").to_pylist() == [0, 1, 0]
    assert table.schema.names == ["id", "label", "group", "split", "text_key", "cluster", "tokens_cut", "input_ids"]
    assert table.column("tokens_cut").to_pylist() == [0, 0, 0]
    assert open_tokens(tmp_path / "tokens").row(1).tolist() == [2, 5, 1, 6, 7, 8, 3]


@pytest.mark.parametrize(
    ("truncation", "expected"),
    [("head", [2, 4, 5, 6, 3]), ("tail", [2, 8, 9, 10, 3]), ("head_tail", [2, 4, 5, 10, 3])],
)
def test_what_is_too_long_is_cut_and_counted(tokenize, rows, truncation, expected):
    table, lengths = tokenize(rows(["a b c d e f g", "a", "b"]), max_length=5, truncation=truncation)
    assert table.column("input_ids").to_pylist() == [expected, [2, 4, 3], [2, 5, 3]]
    assert table.column("tokens_cut").to_pylist() == [4, 0, 0]
    stats = lengths.stats()
    assert (stats["rows_cut"], stats["tokens_cut"], stats["tokens"]) == (1, 4, 11)
    assert stats["per_label"] == {
        "no": {"rows": 2, "rows_cut": 1, "tokens_cut": 4},
        "yes": {"rows": 1, "rows_cut": 0, "tokens_cut": 0},
    }
    assert lengths.histogram() == "tokens,rows\n3,2\n9,1\n"


def test_pairs_have_token_types(tokenize, rows):
    path = rows(["a b c d e", "a"], text_pair=["f g", "b"])
    table, _ = tokenize(path, max_length=7)
    assert table.column("input_ids").to_pylist() == [[2, 4, 5, 3, 9, 10, 3], [2, 4, 3, 5, 3]]
    assert table.column("token_type_ids").to_pylist() == [[0, 0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 1]]


def test_what_the_tokenizer_does_not_know_is_counted(tokenize, rows):
    _, lengths = tokenize(rows(["a zebra quagga", "a b okapi", "", "zebra"]))
    assert lengths.stats()["unknown"] == {"tokens": 4, "rows_mostly_unknown": 2, "rows_without_tokens": 1}


def test_batches_do_not_show(tokenize, rows, monkeypatch):
    path = rows([" ".join("abcdefg"[: number % 7]) or "g" for number in range(50)])
    whole, _ = tokenize(path)
    monkeypatch.setattr(encoding, "BATCH", 7)
    parts, _ = tokenize(path)
    assert parts.column("input_ids").num_chunks == 8
    assert parts.combine_chunks().equals(whole.combine_chunks())


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(st.sampled_from("abc dé🙂\n")), min_size=1, max_size=20))
def test_agrees_with_the_tokenizer_alone(tokenize, rows, encoder, texts):
    alone = Tokenizer.from_file(str(encoder / "tokenizer.json"))
    alone.no_padding()
    alone.enable_truncation(6)
    table, _ = tokenize(rows(texts), max_length=6)
    assert table.column("input_ids").to_pylist() == [alone.encode(text).ids for text in texts]


def test_more_tokens_than_the_encoder_takes(tokenize, rows, encoder):
    path = rows(["a", "b"])
    with pytest.raises(ParamsError, match=r"max_length is 513, but the encoder takes at most 512 tokens. Set .*: 512"):
        tokenize(path, max_length=513)
    (encoder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 1e30}))
    tokenize(path, max_length=513)


def test_no_room_for_a_text(tokenize, rows):
    with pytest.raises(ParamsError, match=r"max_length is 2, which 2 special tokens fill, so no text fits"):
        tokenize(rows(["a"]), max_length=2)


def test_rows_without_label_names(rows):
    path = rows(["a"])
    assert read_rows_target(path) == Target("classes", ["no", "yes"])
    pq.write_table(pq.read_table(path).replace_schema_metadata({}), path)
    with pytest.raises(
        DataError,
        match=r"rows.parquet has no label names in its schema. Write it again with: dvc repro download@dataset",
    ):
        read_rows_target(path)
