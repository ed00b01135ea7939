"""What is kept of a row that is too long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from stages.tokenizer import ModelTokenizer, encode
from stages.truncation import SpecialTokens, cut, kept_slices, share_room

SINGLE, PAIR = SpecialTokens(1, 0, 1), SpecialTokens(1, 1, 1)


def row(lengths: list[int], special: SpecialTokens, max_length: int, truncation: str) -> str:
    """The row's tokens as letters: special tokens in capitals, texts in digits."""
    texts = ["0123456789"[:length] for length in lengths]
    tokens = "A" * special.before + ("B" * special.between).join(texts) + "C" * special.after
    return "".join(tokens[part] for part in kept_slices(lengths, special, max_length, truncation))


@pytest.mark.parametrize(
    ("lengths", "special", "truncation", "expected"),
    [
        ([9], SINGLE, "head", "A0123C"),
        ([9], SINGLE, "tail", "A5678C"),
        ([9], SINGLE, "head_tail", "A0178C"),
        ([9], SpecialTokens(2, 0, 1), "head_tail", "AA018C"),
        ([9], SpecialTokens(0, 0, 1), "tail", "45678C"),
        ([9, 1], PAIR, "head", "A01B0C"),
        ([1, 9], PAIR, "tail", "A0B78C"),
        ([9, 9], PAIR, "head", "A0B01C"),
        ([9, 9], PAIR, "head_tail", "A0B08C"),
        ([9, 8], PAIR, "head", "A01B0C"),
        ([9, 9], SpecialTokens(1, 2, 1), "tail", "A8BB8C"),
    ],
)
def test_special_tokens_are_kept_and_the_texts_are_cut(lengths, special, truncation, expected):
    assert row(lengths, special, 6, truncation) == expected


@given(
    st.lists(st.integers(0, 10), min_size=1, max_size=2),
    st.integers(0, 3),
    st.integers(0, 3),
    st.integers(0, 12),
    st.sampled_from(["head", "tail", "head_tail"]),
)
def test_a_cut_row_is_exactly_as_long_as_allowed(lengths, before, after, room, truncation):
    special = SpecialTokens(before, 2 if len(lengths) == 2 else 0, after)
    whole = special.count + sum(lengths)
    tokens = row(lengths, special, special.count + room, truncation)
    assert len(tokens) == min(whole, special.count + room)
    assert tokens.startswith("A" * before)
    assert tokens.endswith("C" * after)
    assert tokens.count("B") == special.between


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 60))
def test_the_longer_text_of_a_pair_is_cut_first(first, second, room):
    left, right = share_room(first, second, room)
    assert 0 <= left <= first
    assert 0 <= right <= second
    assert left + right == min(first + second, room)
    if left < first and right < second:
        assert abs(left - right) <= 1


@given(st.integers(1, 12), st.integers(1, 12), st.integers(3, 24))
def test_a_pair_is_cut_as_the_library_cuts_it(first, second, max_length):
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "a": 1, "b": 2, "s": 3}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="s $A s", pair="s $A s $B:1 s:1", special_tokens=[("s", 3)]
    )
    texts = [" ".join("a" * first), " ".join("b" * second)]
    opened = ModelTokenizer(tokenizer, None, None)
    ours, _ = encode(opened, [tuple(texts)], pairs=True, max_length=max_length, truncation="head")
    tokenizer.enable_truncation(max_length)
    theirs = tokenizer.encode(*texts)
    assert ours.row(0).tolist() == theirs.ids
    assert ours.token_type_ids[0].tolist() == theirs.type_ids


def test_no_room_at_all():
    assert [range(9)[part] for part in cut(9, 0, "tail")] == [range(0), range(0)]
