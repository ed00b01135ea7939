"""What is kept of a very long text has the tokens of the whole text, for every kind of tokenizer and truncation."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from stages import long_texts
from stages import tokenizer as stage
from stages.long_texts import shorten
from stages.tokenizer import ModelTokenizer, open_tokenizer
from tests.stages.word_tokenizer import save_tokenizer

CORPUS = [
    "the quick brown fox jumps over the lazy dog",
    "naïve café, 12 345!",
    "これは本です。",
    "aaaa aaaaaaaa  b\n\nc",
] * 9
SPECIAL = ["[UNK]", "[CLS]", "[SEP]"]


def trained(model: models.Model, trainer: trainers.Trainer, **parts: object) -> Tokenizer:
    tokenizer = Tokenizer(model)
    for name, part in parts.items():
        setattr(tokenizer, name, part)
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")],
    )
    return tokenizer


def byte_level() -> Tokenizer:
    trainer = trainers.BpeTrainer(
        vocab_size=330,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    return trained(models.BPE(), trainer, pre_tokenizer=pre_tokenizers.ByteLevel(add_prefix_space=True))


def unigram() -> Tokenizer:
    trainer = trainers.UnigramTrainer(vocab_size=120, special_tokens=SPECIAL, unk_token="[UNK]", show_progress=False)
    collapse = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    space = pre_tokenizers.Metaspace(prepend_scheme="always")
    return trained(models.Unigram(), trainer, normalizer=collapse, pre_tokenizer=space)


def word_piece() -> Tokenizer:
    trainer = trainers.WordPieceTrainer(vocab_size=150, special_tokens=SPECIAL, show_progress=False)
    return trained(
        models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=20),
        trainer,
        normalizer=normalizers.BertNormalizer(),
        pre_tokenizer=pre_tokenizers.BertPreTokenizer(),
    )


def prepended() -> Tokenizer:
    trainer = trainers.BpeTrainer(vocab_size=200, special_tokens=SPECIAL, show_progress=False)
    marked = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer = trained(models.BPE(unk_token="[UNK]", fuse_unk=True), trainer, normalizer=marked)
    tokenizer.decoder = decoders.Metaspace()
    return tokenizer


TOKENIZERS = {
    "word piece": word_piece(),
    "byte-level BPE": byte_level(),
    "unigram": unigram(),
    "BPE without words": prepended(),
}
WORDS = ["the", "quick", "fox", "over", "naïve", "café,", "12", "345!", "これは本です。", "🙂", "a" * 30, "[SEP]", "aa"]
WORD = st.sampled_from([*WORDS, "e\u0301", "x", "\u3000", "\0", "…", "--"])
BLANK = st.sampled_from([" ", " ", " ", "  ", "\n", "\n\n", "\t", " " * 40])
TEXTS = st.lists(st.tuples(WORD, BLANK), min_size=1, max_size=400).map(
    lambda pairs: "".join(word + blank for word, blank in pairs)
)
SIZES = st.sampled_from([3, 4, 7, 16, 40])


@pytest.fixture(params=TOKENIZERS)
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    return TOKENIZERS[request.param]


@pytest.fixture
def soon(monkeypatch):
    """Texts are long from 100 characters on, so that small texts can show what long ones do."""
    for name, value in {"LONG_TEXT": 100, "PIECE": 30, "REACH": 60, "MARGIN": 40}.items():
        monkeypatch.setattr(long_texts, name, value)


def encode(tokenizer, texts, **settings):
    return stage.encode(ModelTokenizer(tokenizer, None, None), texts, **settings)


def encoded(tokenizer, texts, **settings):
    tokens, cut = encode(tokenizer, texts, **settings)
    return [tokens.row(row).tolist() for row in range(len(texts))], cut


@pytest.mark.parametrize("truncation", ["head", "tail", "head_tail"])
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(texts=st.lists(TEXTS, min_size=2, max_size=2), max_length=SIZES, pairs=st.booleans())
@example(texts=["the " * 90 + " " * 500 + "fox " * 90, " " * 300 + "dog"], max_length=16, pairs=False)
@example(texts=[" " * 999 + "fox " + " " * 999, "the " + "\n" * 999 + "dog"], max_length=16, pairs=True)
def test_the_tokens_that_are_kept_are_those_of_the_whole_text(soon, tokenizer, truncation, texts, max_length, pairs):
    rows = [tuple(texts), tuple(reversed(texts))] if pairs else texts
    # Room for as many tokens of each text of a pair: an odd one is the longer text's, and both are very long here
    max_length = max_length | 1 if pairs else max_length
    arguments = {"pairs": pairs, "max_length": max(max_length, 4 + pairs), "truncation": truncation}
    part, cut = encoded(tokenizer, rows, **arguments)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(long_texts, "LONG_TEXT", 1 << 60)
        whole, whole_cut = encoded(tokenizer, rows, **arguments)
    assert part == whole
    assert ((cut > 0) == (whole_cut > 0)).all()


def test_texts_that_are_not_long_are_counted_exactly(tokenizer):
    text = "the quick brown fox " * 2_000
    whole = len(tokenizer.encode(text))
    assert encode(tokenizer, [text], pairs=False, max_length=16, truncation="head")[1].tolist() == [whole - 16]


def test_the_tokens_cut_from_a_long_text_are_estimated(tokenizer):
    text = "the quick brown fox jumps over it, 12 times; " * 30_000
    whole = len(tokenizer.encode(text))
    cut = encode(tokenizer, [text], pairs=False, max_length=16, truncation="head_tail")[1]
    assert cut[0] == pytest.approx(whole - 16, rel=0.02)


LONG = {
    "words": "the quick brown fox " * 500_000,
    "one word": "x" * 10_000_000,
    "blanks": "fox" + " " * 10_000_000 + "dog",
    "control characters": "fox" + "\0" * 10_000_000 + "dog",
    "no blanks": "これは本です。" * 1_500_000,
    "marks": "e" + "\u0301" * 10_000_000,
}


@pytest.mark.parametrize("truncation", ["head", "tail", "head_tail"])
@pytest.mark.parametrize("kind", LONG)
def test_the_characters_that_are_tokenized_are_bounded(kind, truncation):
    counted: list[int] = []

    def count_tokens(piece: str) -> int:
        counted.append(len(piece))
        return 0 if piece.isspace() or piece.strip("\0") == "" else len(piece) // 20_000

    kept = shorten(LONG[kind], count_tokens=count_tokens, max_length=512, truncation=truncation)
    assert max(counted) <= long_texts.PIECE + long_texts.REACH
    assert len(kept) <= 2 * (long_texts.MOST + long_texts.PIECE + long_texts.REACH)
    if kind in ("words", "no blanks"):
        few = shorten(LONG[kind], count_tokens=lambda piece: len(piece) // 5, max_length=512, truncation=truncation)
        assert len(few) <= 2 * (long_texts.PIECE + long_texts.REACH)


def test_windows_of_texts_are_tokenized_one_after_the_other(tmp_path, monkeypatch):
    """A batch of texts that are long, but not very long, is not in memory as encodings all at once."""
    tokenizer = open_tokenizer(save_tokenizer(tmp_path / "model")).tokenizer
    texts = ["a b c", "", "d " * 400_000, "e " * 300_000, "f"] * 3
    sizes: list[int] = []

    class Watched:
        def __getattr__(self, name):
            return getattr(tokenizer, name)

        def encode_batch_fast(self, rows, **settings):
            sizes.append(sum(map(len, rows)))
            return tokenizer.encode_batch_fast(rows, **settings)

    tokens, _ = encode(Watched(), texts, pairs=False, max_length=8, truncation="tail")
    assert max(sizes) <= 2_000_000 < sum(sizes)
    assert [tokens.row(row).tolist() for row in (0, 1, 2)] == [[2, 4, 5, 6, 3], [2, 3], [2, 7, 7, 7, 7, 7, 7, 3]]
    assert tokens.lengths.tolist() == [5, 2, 8, 8, 3] * 3


SCRIPT = """
import re, sys
from pathlib import Path
from stages.tokenizer import encode, open_tokenizer
text = "".join(map(chr, range(0x4E00, 0x6000))) * 4_400 + " the end of it" * 2_000_000
tokenizer = open_tokenizer(Path(sys.argv[1]))
encode(tokenizer, [text], pairs=False, max_length=512, truncation="head_tail")
# Not ru_maxrss, which counts the parent too
print(int(re.search("VmHWM:.*?([0-9]+)", Path("/proc/self/status").read_text())[1]) // 1024)
"""


def test_a_text_of_48_million_characters_takes_little_memory(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    TOKENIZERS["word piece"].save(str(folder / "tokenizer.json"))
    root = Path(__file__).parents[2]
    answer = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder)], cwd=root, capture_output=True, text=True, check=True
    )
    assert int(answer.stdout) < 700  # megabytes; the text alone is 100
