"""`retune suggest` on files: which rows it writes, which it leaves out, and what it refuses."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.commands import suggest as command
from pipeline.suggestion.suggest import Wanted, suggest_rows
from stages.errors import DataError, ModelError
from stages.inference.classifier import Classifier
from tests.pipeline.commands.in_process import Commands
from tests.pipeline.prediction.rows import read_csv, request_of, write_csv
from tests.stages.tiny_classifiers import save_classifier

TOPICS = ["money", "crash", "login", "price", "colour", "sound"]


class FakeModel:
    """Texts `TOPIC NUMBER words`: the number is the uncertainty in percent, and topics are at right angles."""

    max_length, hidden_size, rows_cut = 128, len(TOPICS), 0

    def columns(
        self, texts: Sequence[str], text_pairs: Any = None, *, every_label: bool = False, uncertainty: bool = False
    ) -> dict[str, Any]:
        assert uncertainty
        shares = np.array([int(text.split()[1]) / 100 for text in texts])
        return {"prediction": np.array(["ham"] * len(texts), dtype=object), "uncertainty": shares}

    def embed(self, texts: Sequence[str], text_pairs: Any = None) -> Any:
        return np.eye(len(TOPICS), dtype=np.float32)[[TOPICS.index(text.split()[0]) for text in texts]]


def text_of(topic: str, uncertainty: int, number: int) -> str:
    words = np.random.default_rng(number).permutation([f"word{n}" for n in range(40)])[:12]
    return f"{topic} {uncertainty} {' '.join(words)}"


def suggest(
    file: Path, out: Path | None, *, rows: int = 6, seed: int = 0, labelled: Path | None = None, **options: Any
) -> None:
    request = request_of(str(file), out, file.parent / "model", **options)
    suggest_rows(request, lambda folder: FakeModel(), Wanted(rows, seed, labelled))


def labelled_rows(path: Path, texts: list[str], pairs: list[str] | None = None) -> Path:
    columns = {"text": texts, "text_pair": pa.array(pairs or [None] * len(texts), pa.string())}
    pq.write_table(pa.table(columns), path)
    return path


@pytest.fixture
def texts() -> list[str]:
    """Of each topic ten uncertain texts and a hundred certain ones, all with words of their own."""
    kinds = [(topic, uncertainty) for topic in TOPICS for uncertainty in [90] * 10 + [1] * 100]
    shuffled = np.random.default_rng(0).permutation(len(kinds))
    return [text_of(*kinds[place], number) for number, place in enumerate(shuffled.tolist())]


@pytest.mark.parametrize("out", ["out.csv", "out.tsv", "out.jsonl", "out.parquet"])
@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_uncertain_rows_of_every_topic_with_all_their_columns(
    texts: list[str], tmp_path: Path, kind: str, out: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.prediction.window.WINDOW_ROWS", 50)
    file, numbers = tmp_path / f"in.{kind}", [str(number) for number in range(len(texts))]
    if kind == "csv":
        write_csv(file, texts, n=numbers)
    elif kind == "jsonl":
        file.write_text("".join(json.dumps({"text": t, "n": n}) + "\n" for t, n in zip(texts, numbers, strict=True)))
    else:
        pq.write_table(pa.table({"text": texts, "n": numbers}), file)
    if kind == "jsonl" and out in ("out.csv", "out.tsv"):
        with pytest.raises(DataError, match=r"so they can't become CSV\. Give --out FILE\.jsonl"):
            suggest(file, tmp_path / out)
        return
    suggest(file, tmp_path / out)
    rows = read(tmp_path / out)
    malformed = ["line"] if (kind, out) == ("jsonl", "out.parquet") else []  # for a line that is no JSON
    assert list(rows[0]) == ["text", "n", *malformed, "rank", "prediction", "uncertainty"]
    assert [int(row["rank"]) for row in rows] == [1, 2, 3, 4, 5, 6]
    assert {float(row["uncertainty"]) for row in rows} == {0.9}
    assert sorted(row["text"].split()[0] for row in rows) == sorted(TOPICS)
    assert [texts[int(row["n"])] for row in rows] == [row["text"] for row in rows]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([file.name, out])


def read(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()  # type: ignore[no-any-return]
    lines = path.read_text(encoding="utf-8").splitlines()
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in lines]
    delimiter = "\t" if path.suffix == ".tsv" else ","
    return [dict(zip(lines[0].split(delimiter), line.split(delimiter), strict=True)) for line in lines[1:]]


def test_equal_inputs_give_equal_bytes_and_another_seed_other_rows(texts: list[str], tmp_path: Path) -> None:
    file, written = write_csv(tmp_path / "in.csv", texts), []
    for number, seed in enumerate((0, 0, 1)):
        out = tmp_path / f"out{number}.csv"
        suggest(file, out, rows=20, seed=seed)
        written.append(out.read_bytes())
    assert written[0] == written[1] != written[2]


@pytest.mark.parametrize("change", [str, str.upper, lambda text: f" {text}  "], ids=["equal", "case", "blanks"])
def test_a_text_that_is_labelled_is_left_out(tmp_path: Path, change: Any, caplog: pytest.LogCaptureFixture) -> None:
    texts = [text_of("money", 90, number) for number in range(10)]
    labelled = labelled_rows(tmp_path / "rows.parquet", [change(text) for text in texts[:7]])
    with caplog.at_level("INFO"):
        suggest(write_csv(tmp_path / "in.csv", [*texts, ""]), tmp_path / "out.csv", labelled=labelled)
    assert {row["text"] for row in read_csv(tmp_path / "out.csv")} == set(texts[7:])
    assert "3 rows to label" in caplog.text
    assert "of 11 rows, 7 labelled already, 1 could not be used" in caplog.text


def test_a_pair_is_labelled_only_with_both_texts(tmp_path: Path) -> None:
    texts = [text_of("money", 90, number) for number in range(2)]
    labelled = labelled_rows(tmp_path / "rows.parquet", texts, ["yes", "no"])
    file = write_csv(tmp_path / "in.csv", texts, other=["yes", "yes"])
    suggest(file, tmp_path / "out.csv", labelled=labelled, pair_column="other")
    assert [row["text"] for row in read_csv(tmp_path / "out.csv")] == [texts[1]]


def test_nearly_equal_texts_are_suggested_once(tmp_path: Path) -> None:
    text = text_of("money", 90, 0)
    copies = [text, f"{text}!", f"{text} !!", text.upper().replace("MONEY", "money")]
    suggest(write_csv(tmp_path / "in.csv", [*copies, text_of("crash", 90, 1)]), tmp_path / "out.csv")
    assert len(read_csv(tmp_path / "out.csv")) == 2


def test_memory_holds_the_candidates_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are read window by window, and few of them are kept."""
    held = []
    from pipeline.suggestion.candidates import Candidates

    add = Candidates.add

    def watch(self: Candidates, *values: Any) -> None:
        add(self, *values)
        held.append(len(self))

    monkeypatch.setattr(Candidates, "add", watch)
    monkeypatch.setattr("pipeline.prediction.window.WINDOW_ROWS", 100)
    texts = [text_of(TOPICS[number % 6], number % 100, number) for number in range(3_000)]
    suggest(write_csv(tmp_path / "in.csv", texts), tmp_path / "out.csv", rows=2)
    assert len(held) == 30
    assert max(held) < 40 + 100


@pytest.mark.parametrize(
    ("lines", "options", "message"),
    [
        (["text,rank", "money 1 a,1"], {}, r"already has a column 'rank'\. Give the added columns a prefix"),
        (["body", "money 1 a"], {}, "text"),
        (["text", '""'], {}, r"has no row to label: 1 row, 1 could not be used\. Give a file with other rows"),
        (["text"], {}, r"has no row to label: 0 rows\. Give a file with other rows"),
    ],
)
def test_what_can_not_be_suggested_from_is_one_line(
    tmp_path: Path, lines: list[str], options: dict[str, Any], message: str
) -> None:
    (tmp_path / "in.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match=message):
        suggest(tmp_path / "in.csv", tmp_path / "out.csv", **options)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv"]


def test_a_damaged_data_set_is_named(tmp_path: Path) -> None:
    (tmp_path / "rows.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(DataError, match=r"rows\.parquet can't be read: .*Restore it: dvc checkout --force"):
        suggest(write_csv(tmp_path / "in.csv", ["money 1 a"]), None, labelled=tmp_path / "rows.parquet")


def test_out_must_not_be_the_input(tmp_path: Path) -> None:
    file = write_csv(tmp_path / "in.csv", ["money 1 a"])
    with pytest.raises(DataError, match="is also the input"):
        suggest(file, file)


def test_rows_that_may_be_labelled_by_now_are_not_replaced(tmp_path: Path) -> None:
    file, out = write_csv(tmp_path / "in.csv", ["money 1 a"]), tmp_path / "next.csv"
    out.write_text("text,label\nmoney 1 a,good\n")
    with pytest.raises(DataError, match=r"next\.csv exists and may hold labels"):
        suggest(file, out)
    assert out.read_text().endswith("good\n")


def test_out_may_be_a_link_to_a_file_that_is_not_there_yet(tmp_path: Path, texts: list[str]) -> None:
    (tmp_path / "shared").mkdir()
    out = tmp_path / "next.csv"
    out.symlink_to("shared/rows.csv")
    suggest(write_csv(tmp_path / "in.csv", texts), out)
    assert out.is_symlink()
    assert len(read_csv(tmp_path / "shared/rows.csv")) == 6


def test_a_model_of_a_number_is_refused(tmp_path: Path) -> None:
    save_classifier("bert", tmp_path / "model", num_labels=1, problem_type="regression")
    file = write_csv(tmp_path / "in.csv", ["w1 w2"])
    request = request_of(str(file), tmp_path / "out.csv", tmp_path / "model")
    with pytest.raises(ModelError, match=r"equally wide for every text.* Label rows at random"):
        suggest_rows(request, Classifier.load, Wanted(1, 0, None))
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize("problem_type", ["single_label_classification", "multi_label_classification"])
def test_a_real_model_ranks_its_own_doubts(tmp_path: Path, problem_type: str) -> None:
    save_classifier("bert", tmp_path / "model", problem_type=problem_type)
    words = np.random.default_rng(0).integers(0, 40, (60, 4))
    texts = [" ".join(f"w{number}" for number in row) for row in words.tolist()]
    request = request_of(str(write_csv(tmp_path / "in.csv", texts)), tmp_path / "out.csv", tmp_path / "model")
    suggest_rows(request, Classifier.load, Wanted(3, 0, None))
    classifier = Classifier.load(tmp_path / "model")
    doubts = np.sort(classifier.columns(texts, uncertainty=True)["uncertainty"])
    rows = read_csv(tmp_path / "out.csv")
    assert len(rows) == 3
    assert all(float(row["uncertainty"]) >= doubts[-30] - 1e-5 for row in rows)
    for row in rows:
        expected = classifier.columns([row["text"]], uncertainty=True)
        assert float(row["uncertainty"]) == pytest.approx(expected["uncertainty"][0], abs=1e-4)
        label = expected["prediction"].tolist()[0]  # of a set a list
        assert row["prediction"] == (label if isinstance(label, str) else json.dumps(label))


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Commands:
    monkeypatch.setattr(command, "load", lambda folder: FakeModel())
    return Commands(monkeypatch, capfd)


def test_the_command_writes_to_standard_output_and_says_what_it_could_not_compare(
    commands: Commands, tmp_path: Path
) -> None:
    write_csv(tmp_path / "in.csv", [text_of("money", 90, 0), text_of("crash", 80, 1)])
    done = commands(tmp_path, "suggest", "in.csv", "--n", "1", "--model", "model")
    assert done.code == 0
    assert done.out.splitlines()[0] == "text,rank,prediction,uncertainty"
    assert len(done.out.splitlines()) == 2
    assert "There is no project here, so rows that are already labelled are not left out." in done.lines
    assert "1 row to label, of 2 rows" in done.lines


@pytest.mark.parametrize("count", ["0", "5001", "many"])
def test_a_number_of_rows_out_of_range_is_refused(commands: Commands, tmp_path: Path, count: str) -> None:
    done = commands(tmp_path, "suggest", "in.csv", "--n", count)
    assert done.code == 2
    assert "--n" in done.err
