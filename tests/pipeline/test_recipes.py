"""`retune use`: what is merged, what is kept, what is refused."""

import json
from pathlib import Path
from typing import get_args

import pytest

from pipeline import recipes, yaml_edit
from stages.errors import DataError, ParamsError
from stages.params import parse_mapping, parse_params, parse_yaml
from stages.schema import Dataset
from stages.yaml_file import read_text

REPOSITORY = Path(__file__).parents[2]
DEFAULT = (REPOSITORY / "recipes/default.yaml").read_text(encoding="utf-8")


def values(text: str) -> dict:
    return parse_yaml(text, name="test")


def comments(text: str) -> list[str]:
    return [line.partition("#")[2].strip() for line in text.splitlines() if "#" in line]


def write_recipe(folder: Path, text: str) -> str:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_the_default_is_copied_as_it_is() -> None:
    assert recipes.compose(REPOSITORY, "default") == DEFAULT


@pytest.mark.parametrize("path", sorted((REPOSITORY / "recipes").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_recipe_is_valid_and_keeps_the_comments(path: Path) -> None:
    if "format: hf" in path.read_text() and "hf" not in get_args(Dataset.model_fields["format"].annotation):
        pytest.xfail("data sets of the Hub can't be read yet")
    text = recipes.compose(REPOSITORY, path.stem)
    parse_params(values(text), name=path.stem)
    assert set(comments(DEFAULT)) <= set(comments(text))


def test_overrides_win_and_the_rest_stays() -> None:
    text = recipes.compose(REPOSITORY, "default", ["seeds=[1, 2, 3]", "finetune.learning_rate=3e-5"])
    changed = [line for line in text.splitlines() if line not in DEFAULT.splitlines()]
    assert [line.partition("  #")[0] for line in changed] == ["seeds: [1, 2, 3]", "  learning_rate: 3e-5"]
    assert comments(text) == comments(DEFAULT)


def test_an_override_keeps_what_the_file_says_otherwise() -> None:
    mine = DEFAULT.replace("seeds: [42]", "seeds: [7]").replace("# Fine-tune the encoder.", "# My own note.")
    text = recipes.override(mine, ["tokenize.max_length=64"])
    assert text == mine.replace("max_length: 128", "max_length: 64")


def test_without_overrides_nothing_is_touched() -> None:
    assert recipes.override("not: [even valid", []) == "not: [even valid"


def test_sections_are_merged_and_lists_and_labels_replaced(tmp_path: Path) -> None:
    text = recipes.compose(
        REPOSITORY,
        write_recipe(
            tmp_path, "download: {dataset: {files: [{source: a.csv}, {source: b.csv}], labels: {x: ham, y: spam}}}"
        ),
        ["download.dataset.labels={z: eggs}"],
    )
    dataset = values(text)["download"]["dataset"]
    assert [file["source"] for file in dataset["files"]] == ["a.csv", "b.csv"]
    assert dataset["labels"] == {"z": "eggs"}
    assert dataset["columns"] == values(DEFAULT)["download"]["dataset"]["columns"]


def test_class_weights_by_label_are_replaced_by_a_word() -> None:
    weighted = recipes.override(DEFAULT, ["finetune.class_weights={a: 1.0, b: 2.0}"])
    assert values(recipes.override(weighted, ["finetune.class_weights={a: 3.0}"]))["finetune"]["class_weights"] == {
        "a": 3.0
    }
    assert values(recipes.override(weighted, ["finetune.class_weights=none"]))["finetune"]["class_weights"] == "none"


def test_nulls_are_written_out() -> None:
    assert "id: null  #" in recipes.override(DEFAULT, ["download.dataset.columns.id=null"])


def test_unknown_recipe_names_the_nearest_and_all() -> None:
    with pytest.raises(
        ParamsError,
        match=r"no recipe sms_span. Did you mean sms_spam\? Name one of recipes/ \(.*default.*sms_spam",
    ):
        recipes.compose(REPOSITORY, "sms_span")


def test_unknown_key_names_the_nearest() -> None:
    with pytest.raises(
        ParamsError, match=r"recipe default: unknown key finetune.learning_rat \(did you mean learning_rate\?\)"
    ):
        recipes.compose(REPOSITORY, "default", ["finetune.learning_rat=1"])


def test_all_problems_at_once() -> None:
    with pytest.raises(
        ParamsError, match=r"unknown key split.tset .*; tokenize.max_length: .*, got 'x'|max_length.*tset"
    ):
        recipes.override(DEFAULT, ["split.tset=0.2", "tokenize.max_length=x"])


def test_wrong_value_is_refused() -> None:
    with pytest.raises(ParamsError, match=r"params.yaml with split.val=2: split.val: expected a number below 1, got 2"):
        recipes.override(DEFAULT, ["split.val=2"])


@pytest.mark.parametrize("line", ["seeds", "=3", "a..b=1"])
def test_override_without_key_or_value(line: str) -> None:
    with pytest.raises(ParamsError, match=r"write KEY=VALUE, such as -S finetune.learning_rate=3e-5"):
        recipes.override(DEFAULT, [line])


def test_override_that_is_no_yaml() -> None:
    with pytest.raises(ParamsError, match=r"-S seeds=\[1 is not valid YAML"):
        recipes.override(DEFAULT, ["seeds=[1"])


def test_a_section_is_not_a_value() -> None:
    with pytest.raises(ParamsError, match=r"-S split=3: split is a section with the keys method, .*, not 3"):
        recipes.override(DEFAULT, ["split=3"])


def test_recipe_that_is_a_list(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match=r"mine.yaml holds a list: expected keys and values"):
        recipes.compose(REPOSITORY, write_recipe(tmp_path, "- a"))


def test_recipe_that_is_no_yaml(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match=r"mine.yaml is not valid YAML"):
        recipes.compose(REPOSITORY, write_recipe(tmp_path, "a: ["))


def test_no_default(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match=r"There is no recipe default"):
        recipes.compose(tmp_path, "default")


def test_an_item_of_a_list_is_changed_by_its_number() -> None:
    changes = ["download.dataset.files.1.source=b.zip", "seeds.0=7"]
    text = recipes.compose(REPOSITORY, "cola", changes)
    params = parse_params(parse_yaml(text, name="x"), name="x")
    first, second = params.download.dataset.files
    assert first.source.startswith("https://")
    assert (second.source, second.split) == ("b.zip", "test")
    assert params.seeds == [7]


@pytest.mark.parametrize("number", ["2", "x", "-1"])
def test_a_number_that_the_list_does_not_have(number: str) -> None:
    with pytest.raises(ParamsError, match=rf"files is a list of 2: expected a number from 0 to 1, got {number}"):
        recipes.compose(REPOSITORY, "cola", [f"download.dataset.files.{number}.source=b.zip"])


def set_values(recipe: str, *overrides: str) -> dict:
    return values(recipes.compose(REPOSITORY, recipe, overrides))


OWN = "download.dataset.files.0.source="
TITLES = {  # recipe, overrides -> the title
    "another file": ("default", [f"{OWN}data/mine/my_own-reviews.csv"], "My own reviews"),
    "another file, packed": ("default", [f"{OWN}data/mine/tickets.csv.gz"], "Tickets"),
    "another URL": ("default", [f"{OWN}https://example.com/news.csv?v=2"], "News"),
    "a pattern": ("default", [f"{OWN}data/mine/*.csv"], "Own data"),
    "several files": ("default", ["download.dataset.files=[{source: a.csv}, {source: b.csv}]"], "A, b"),
    "a title of one's own": ("default", [f"{OWN}a.csv", "report.title=Mine"], "Mine"),
    "the same file elsewhere": ("sms_spam", [f"{OWN}data/x/spamdata_v2.csv"], "SMS, spam or ham?"),
    "the same members elsewhere": ("cola", [f"{OWN}x.zip"], "CoLA, is the sentence grammatical?"),
    "another data set for the recipe": ("sms_spam", [f"{OWN}mails.csv"], "Mails"),
    "other values": ("sms_spam", ["seeds=[1]"], "SMS, spam or ham?"),
}


@pytest.mark.parametrize("case", TITLES)
def test_the_title_is_never_that_of_another_data_set(case: str) -> None:
    recipe, overrides, title = TITLES[case]
    assert set_values(recipe, *overrides)["report"]["title"] == title


FORMATS_OF = {
    "a.csv": "csv",
    "a.tsv": "tsv",
    "a.JSONL": "jsonl",
    "a.ndjson.gz": "jsonl",
    "a.parquet": "parquet",
    "s3://bucket/a.arrow": "arrow",
    "https://example.com/a.tsv?x=1": "tsv",
    "hf://datasets/org/name": "hf",
    "data/mine/*.jsonl": "jsonl",
    "a.data": "csv",
    "noname": "csv",
}


@pytest.mark.parametrize("source", FORMATS_OF)
def test_the_format_is_that_of_the_name(source: str) -> None:
    assert set_values("default", f"{OWN}{source}")["download"]["dataset"]["format"] == FORMATS_OF[source]


def test_a_format_that_is_set_stays() -> None:
    assert set_values("default", f"{OWN}a.csv", "download.dataset.format=tsv")["download"]["dataset"]["format"] == "tsv"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("A.XLS", "an old Excel workbook. Save it as xlsx"),
        ("a.zip", "an archive. Unpack it"),
        ("a.tar.gz", "an archive. Unpack it"),
        ("a.pkl", "a Python pickle"),
    ],
)
def test_an_odd_file_is_named(name: str, kind: str) -> None:
    with pytest.raises(DataError, match=f"'{name}' is {kind}"):
        set_values("default", f"{OWN}{name}")


@pytest.mark.parametrize(("name", "file_format"), [("a.XLSX", "excel"), ("a.json", "json"), ("a.JSONL", "jsonl")])
def test_a_format_is_guessed_from_the_name(name: str, file_format: str) -> None:
    assert set_values("default", f"{OWN}{name}")["download"]["dataset"]["format"] == file_format


def test_values_that_are_there_stay_as_they_are_written() -> None:
    text = recipes.describe_in(DEFAULT, {"download.dataset.format": "csv", "download.dataset.columns.text": "body"})
    assert text == DEFAULT.replace("text: content  #", "text: body  #")


TEXTS = [
    *("? a", ": a", "- a", "😀", "a😀: b", "\U0010ffff", "\x00", "\x1b[0m", "\x7f", "\x85", "\xa0", "\u2028", "\u2029"),
    *("\ufeff", "\ufeffx", "\ufffe", "\ue000", '"', "'", "\\", "a\nb", "a\r\nb", "\n", "\t", "", " ", " x "),
    *("null", "~", "yes", "1e3", "0x10", "1_000", "2024-01-01", "12:30:45", ".nan", "=", "<<", "---", "...", "#x"),
    *("a #b", "a: b", "- x", "["),
    *("{", "}, x", "*x", "&x", "!x", "%x", "@x", "`x`", "|", ">", "<<<<<<< x", "a\n<<<<<<< x"),
]  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_every_text_comes_back_from_a_line_of_params_yaml_as_it_was(text: str) -> None:
    """JSON is no YAML: what is written there is read again by YAML's rules."""
    [line] = recipes.override_lines({"report.title": text})
    assert recipes.parse_override(line) == ("report.title", text)
    snippet = yaml_edit.flow_snippet(text)
    before = "report:\n  title: old  # of the page\n  titles: [old, new]\n"
    once = yaml_edit.set_value(before, ("report", "title"), snippet, text)
    twice = yaml_edit.set_value(once, ("report", "titles", 0), snippet, text)
    assert values(twice) == {"report": {"title": text, "titles": [text, "new"]}}


def test_every_text_comes_back_from_params_yaml_however_it_is_set(tmp_path: Path) -> None:
    key, value = "download.dataset.labels", {text: f"{number}{text}" for number, text in enumerate(TEXTS)}
    recipe = yaml_edit.flow_snippet({"download": {"dataset": {"labels": value}}}).text
    written = [
        recipes.override(DEFAULT, recipes.override_lines({key: value})),
        recipes.describe_in(DEFAULT, {key: value}),
        recipes.override(recipes.override(DEFAULT, [f"{key}={{b: d}}"]), recipes.override_lines({key: value})),
        recipes.compose(REPOSITORY, "default", recipes.override_lines({key: value})),
        recipes.compose(REPOSITORY, write_recipe(tmp_path, recipe)),
    ]
    for each in written:
        (tmp_path / "params.yaml").write_text(each, encoding="utf-8", newline="")
        found = parse_mapping(read_text(tmp_path / "params.yaml") or "", name="x")
        assert found["download"]["dataset"]["labels"] == value


@pytest.mark.parametrize("text", ["\ud83d\ude00", "\ud800", "x\udfff"])
@pytest.mark.parametrize("as_key", [True, False])
def test_half_a_character_is_refused(text: str, as_key: bool) -> None:
    value = {text: "a"} if as_key else {"a": text}
    key = "download.dataset.labels"
    for lines in (recipes.override_lines({key: value}), [f"{key}={json.dumps(value)}"]):
        with pytest.raises(ParamsError, match=r"is half a character, which can't be saved"):
            recipes.override(DEFAULT, lines)
