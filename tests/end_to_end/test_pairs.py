"""What the recipe of text pairs gives: the bundled questions and answers, and the bundled encoder."""

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from tokenizers import Tokenizer

from stages.inference.classifier import Classifier
from stages.paths import Paths
from stages.tokens import open_tokens
from tests.end_to_end import bundled

pytestmark = pytest.mark.slow

QUESTION = "How do I keep my bicycle chain from rusting?"
ANSWER = "Wipe it dry after every ride in the rain, and put a drop of chain oil on each link once a month."
MISS = "The cathedral was finished in 1880, six hundred years after it had been begun."


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundled.run(tmp_path_factory.mktemp("pairs"), "answers")


@pytest.fixture(scope="module")
def sample() -> pd.DataFrame:
    return pd.read_csv(bundled.ROOT / "data/samples/answers.csv", index_col="id")


def test_the_pair_says_more_than_its_words(ran: Path) -> None:
    metrics = json.loads((ran / "data/report/metrics.json").read_text())
    assert metrics["test"]["accuracy"]["mean"] > 0.7
    for name in ("majority", "tfidf"):
        assert metrics["baselines"][name]["accuracy"]["low"] > 0, name


def test_a_question_stays_in_one_split(ran: Path, sample: pd.DataFrame) -> None:
    ids = pd.read_parquet(ran / "data/download/dataset/rows.parquet")["id"]
    splits = {
        name: pd.read_parquet(ran / f"data/split/{name}.parquet")["position"] for name in ("train", "val", "test")
    }
    questions = {name: set(sample.loc[ids.iloc[rows], "question"]) for name, rows in splits.items()}
    assert sum(map(len, questions.values())) == sample["question"].nunique()
    assert len(splits["val"]) == len(splits["test"]) == 72


def test_rows_are_cut_as_the_tokenizer_cuts_pairs(ran: Path, sample: pd.DataFrame) -> None:
    paths = Paths(ran)
    tokens = open_tokens(paths.tokens)
    tokenizer = Tokenizer.from_file(str(paths.encoder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(48, strategy="longest_first")
    ids = pd.read_parquet(ran / "data/download/dataset/rows.parquet")["id"]
    rows = sample.loc[ids, ["question", "answer"]].itertuples(index=False)
    encodings = tokenizer.encode_batch([tuple(row) for row in rows])
    padded = tokens.pad(range(len(ids)), pad_token_id=0)
    assert sum(bool(encoding.overflowing) for encoding in encodings) > 5
    for row, encoding in enumerate(encodings):
        length = int(tokens.lengths[row])
        assert padded["input_ids"][row, :length].tolist() == encoding.ids
        assert padded["token_type_ids"][row, :length].tolist() == encoding.type_ids


def answers(model: Path) -> Iterator[str]:
    """The labels of an answer and a miss by retune and by transformers."""
    from transformers import pipeline

    for prediction in Classifier.load(model)([QUESTION, QUESTION], text_pairs=[ANSWER, MISS]):
        yield prediction.label
    other = pipeline("text-classification", str(model), truncation=True)
    for result in other([{"text": QUESTION, "text_pair": text} for text in (ANSWER, MISS)]):
        yield result["label"]


def test_the_saved_model_answers_for_pairs(ran: Path) -> None:
    assert list(answers(ran / "data/report/model")) == ["answered", "missed"] * 2


def test_suspects_are_planted_errors_above_chance(ran: Path) -> None:
    planted = set(pd.read_csv(bundled.ROOT / "data/samples/answers.contradictions.csv")["id"])
    measured = pd.read_parquet(ran / "data/evaluate/42/predictions.parquet")["id"]
    suspects = pd.read_csv(ran / "data/report/suspects.csv")["id"]
    assert suspects.isin(planted).mean() >= 3 * measured.isin(planted).mean()
