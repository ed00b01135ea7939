import re
from pathlib import Path
from typing import Any

import pytest

from stages.errors import ParamsError
from stages.params import parse_params, parse_yaml, read_params

DEFAULT = Path(__file__).parents[2] / "recipes/default.yaml"


@pytest.fixture
def values() -> Any:
    return parse_yaml(DEFAULT.read_text(encoding="utf-8"), name="default.yaml")


def test_yaml_numbers_are_read_as_dvc_reads_them() -> None:
    assert parse_yaml("a: 2e-5\nb: 1e-4\nc: 0o17\nd: no", name="x") == {"a": 2e-5, "b": 1e-4, "c": 15, "d": "no"}


def test_all_problems_come_in_one_error(values: Any) -> None:
    values["finetune"]["lerning_rate"] = values["finetune"].pop("learning_rate")
    values["split"]["val"] = 1.5
    values["finetune"]["max_epochs"] = "3"
    with pytest.raises(ParamsError) as error:
        parse_params(values, name="params.yaml")
    message = str(error.value)
    assert "unknown key finetune.lerning_rate (did you mean learning_rate?)" in message
    assert "finetune.learning_rate is missing" in message
    assert "split.val: expected a number below 1, got 1.5" in message
    assert "finetune.max_epochs: expected an integer, got '3'" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("seeds", [], r"seeds: expected 1 or more items, got \[\]"),
        ("seeds", [1, 1], r"seeds lists 1 twice"),
        ("crossfit.folds", 5, r"crossfit.folds: expected \[\] for none, or .*: \[1, 2, 3, 4, 5\], got 5"),
        ("crossfit.folds", [1], r"crossfit.folds: expected .*: \[1, 2\], got \[1\]"),
        ("crossfit.folds", [1, 2, 4], r"crossfit.folds: expected .*: \[1, 2, 3\], got \[1, 2, 4\]"),
        ("crossfit.folds", [2, 1], r"crossfit.folds: expected .*: \[1, 2\], got \[2, 1\]"),
        ("crossfit.folds", [True, 2], r"crossfit.folds: expected .*: \[1, 2\], got"),
        ("crossfit.folds", None, r"crossfit.folds: expected .*, got null"),
        ("seeds", [-1], r"seeds\[0\]: expected 0 or more, got -1"),
        ("split.val", 0.95, "leave no rows to train on"),
        ("finetune.learning_rate", 0, "finetune.learning_rate: expected a number above 0, got 0"),
        ("finetune.learning_rate", "1e-4", "finetune.learning_rate: expected a number, got '1e-4'"),
        ("finetune.batch_size", True, "finetune.batch_size: expected an integer, got true"),
        ("finetune.monitor", "test.mcc", "finetune.monitor: expected 'val.loss'"),
        ("finetune.monitor", "val/loss", "finetune.monitor: val/loss is now written val.loss"),
        ("finetune.monitor", "val/f1", "finetune.monitor: expected 'val.loss'.* got 'val/f1'"),
        ("finetune.precision", 16, "finetune.precision: expected 'auto', '32', 'bf16' or 'fp16', got 16"),
        ("finetune.max_epochs", None, "finetune.max_epochs: expected an integer, got null"),
        (
            "finetune.class_weights",
            "equal",
            "class_weights: expected 'none' or 'balanced' or keys and values, got 'equal'",
        ),
        (
            "finetune.class_weights",
            {"a": -1},
            "^params.yaml: finetune.class_weights.a: expected a number above 0, got -1$",
        ),
        (
            "finetune.limit_val_batches",
            1.0,
            "limit_val_batches: expected a number of batches, got 1.0. A share is now finetune.limit_val_share$",
        ),
        ("finetune.limit_train_batches", 0.5, "got 0.5. A share is now finetune.limit_train_share$"),
        ("finetune.limit_val_share", 2, "limit_val_share: expected 1 or less, got 2"),
        ("download.dataset.label_order", {"a": 1}, "label_order: expected a list, got {'a': 1}"),
        ("download.dataset.delimiter", "", "delimiter: expected 1 or more characters, got ''"),
        (
            "report.gate",
            {"fail_on": "none", "require": ["f1"], "max_drop": {}},
            r"require\[0\]: expected a rule such as",
        ),
        (
            "report.gate",
            {"fail_on": "none", "require": [], "max_drop": {"f1": 0}},
            "expected a metric such as test.mcc",
        ),
        ("report.license", "Apache 2.0", "report.license: expected an identifier of the Hub such as apache-2.0"),
        ("report.language", ["english"], r"report.language\[0\]: expected a code of ISO 639 such as en, got 'english'"),
        ("report.language", "en", r"report.language: expected a list, got 'en'"),
        ("evaluate.metric", "f1", "evaluate.metric: expected 'auto', 'accuracy', 'macro_f1'"),
        ("evaluate.confidence", 95, "evaluate.confidence: expected a number below 1, got 95"),
        ("download.dataset.format", "xlsx", "download.dataset.format: expected 'csv'"),
        (
            "download.dataset.files",
            [{"sorce": "x.csv"}],
            r"unknown key download.dataset.files\[0\].sorce \(did you mean source",
        ),
        ("download.model.sha256", "abc", "download.model.sha256: expected 64 lowercase hexadecimal digits, got 'abc'"),
        ("download.dataset.columns.slices", ["app", "content"], r"slices \['app', 'content'\] contains a text column"),
        ("download.dataset.columns.slices", "app", "slices: expected a list, got 'app'"),
        ("download.dataset", None, "download.dataset: expected keys and values, got null"),
        ("report.colour", "red", r"unknown key report.colour \(known keys: .*title"),
    ],
)
def test_a_wrong_value_is_named_with_its_key(values: Any, key: str, value: Any, message: str) -> None:
    *path, last = key.split(".")
    here = values
    for step in path:
        here = here[step]
    here[last] = value
    with pytest.raises(ParamsError, match=message):
        parse_params(values, name="params.yaml")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("num_workers", 2),
        ("checkpoint_minutes", 5.0),
        ("loggers", []),
        ("unpack_limit_mb", 9),
        ("gradient_checkpointing", True),
    ],
)
def test_a_key_of_an_older_file_is_told_where_it_went(values: Any, key: str, value: Any) -> None:
    section, old = ("finetune", "finetune") if key != "unpack_limit_mb" else ("download", "download.dataset")
    (values[section]["dataset"] if section == "download" else values[section])[key] = value
    del values["machine"]
    with pytest.raises(
        ParamsError,
        match=rf"^params.yaml: {old}.{key} moved to machine.{key}; machine is missing. Copy missing keys from recipes/",
    ):
        parse_params(values, name="params.yaml")


def test_a_key_that_nothing_replaces_is_told_to_go(values: Any) -> None:
    values["evaluate"]["batch_size"] = 64
    with pytest.raises(
        ParamsError, match=r"^params.yaml: evaluate.batch_size is no longer a key \(batches .*\). Remove the line"
    ):
        parse_params(values, name="params.yaml")


@pytest.mark.parametrize(
    ("one", "other", "message"),
    [
        ({"soup": 2}, {"method": "frozen"}, "finetune.soup is 2, but finetune.method frozen trains the head alone"),
        ({"devices": 2}, {"method": "gradual"}, "finetune.devices is 2, but finetune.method gradual trains on one"),
        ({"precision": "fp16"}, {"accelerator": "cpu"}, "finetune.precision is fp16, but finetune.accelerator is cpu"),
    ],
)
def test_what_no_machine_can_train_is_refused_with_the_params(
    values: Any, one: dict[str, Any], other: dict[str, Any], message: str
) -> None:
    for alone in (one, other):
        parse_params(values | {"finetune": values["finetune"] | alone}, name="params.yaml")
    with pytest.raises(ParamsError, match=message):
        parse_params(values | {"finetune": values["finetune"] | one | other}, name="params.yaml")


@pytest.mark.parametrize("split", ["train", "val"])
def test_two_limits_contradict_each_other(values: Any, split: str) -> None:
    values["finetune"][f"limit_{split}_batches"] = 3
    parse_params(values, name="params.yaml")
    values["finetune"][f"limit_{split}_share"] = 0.5
    message = rf"finetune.limit_{split}_batches 3 and limit_{split}_share 0.5 are both set. Set only one"
    with pytest.raises(ParamsError, match=message):
        parse_params(values, name="params.yaml")


@pytest.mark.parametrize("place", [("download", "dataset", "labels"), ("finetune", "class_weights")])
def test_a_label_as_a_number_and_in_quotes_is_one(values: Any, place: tuple[str, ...]) -> None:
    section = values[place[0]] if len(place) == 2 else values[place[0]][place[1]]
    section[place[-1]] = {1: "a", "2": "b"} if place[-1] == "labels" else {1: 2.0, "2": 3.0}
    parse_params(values, name="params.yaml")
    section[place[-1]]["1"] = section[place[-1]][1]
    with pytest.raises(ParamsError, match=rf'{place[-1]} has 1 and "1", which are the same label. Keep one'):
        parse_params(values, name="params.yaml")


@pytest.mark.parametrize("value", [32, "32"])
def test_precision_is_a_number_or_a_string(values: Any, value: Any) -> None:
    values["finetune"]["precision"] = value
    assert parse_params(values, name="params.yaml").finetune.precision == "32"


def test_no_default_stands_in_for_a_missing_key(values: Any) -> None:
    del values["finetune"]["warmup_ratio"]
    with pytest.raises(ParamsError, match="finetune.warmup_ratio is missing"):
        parse_params(values, name="params.yaml")


def test_a_missing_file_says_how_to_write_it(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match="params.yaml is missing. Write it with: retune use default"):
        read_params(tmp_path / "params.yaml")


def test_broken_yaml_names_the_line(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("seeds: [1\nsplit: {}")
    with pytest.raises(ParamsError, match=r"not valid YAML: line 2: "):
        read_params(tmp_path / "params.yaml")


def test_a_key_given_twice_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("seeds: [1]\nseeds: [2]")
    with pytest.raises(ParamsError, match='duplicate key "seeds"'):
        read_params(tmp_path / "params.yaml")


def test_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes("a: ä".encode("latin-1"))
    with pytest.raises(ParamsError, match=r"not UTF-8 \(byte 3\)"):
        read_params(tmp_path / "params.yaml")


@pytest.mark.parametrize("value", ["null", "https://host/x.csv", "data", "corrections.txt", ""])
def test_corrections_that_dvc_can_not_watch_are_refused(tmp_path: Path, value: str) -> None:
    text = (Path(__file__).parents[2] / "recipes/default.yaml").read_text(encoding="utf-8")
    assert "corrections: data/corrections.csv" in text
    (tmp_path / "params.yaml").write_text(text.replace("corrections: data/corrections.csv", f"corrections: {value}"))
    with pytest.raises(ParamsError, match="download.dataset.corrections: expected"):
        read_params(tmp_path / "params.yaml")


def test_a_file_that_is_no_mapping(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("")
    with pytest.raises(ParamsError, match="the file: expected keys and values, got null"):
        read_params(tmp_path / "params.yaml")


SECRET = "s3cr3t-planted"


@pytest.mark.parametrize(
    "key",
    [
        "download.dataset.folder",
        "download.dataset.files.0.source",
        "download.dataset.files.0.member",
        "download.dataset.files.0.label",
        "download.dataset.columns.slices.0",
        "download.dataset.labels.a",
        "download.model.source",
        "finetune.monitor",
        "report.title",
        "unknown",
    ],
)
@pytest.mark.parametrize(
    "text",
    [
        f"https://user:{SECRET}@host/x",
        f"s3://KEY:{SECRET}@bucket/x",
        f"https://host/x?X-Amz-Signature={SECRET}",
        f"hf_{SECRET * 2}".replace("-", "0"),
    ],
)
def test_a_secret_is_refused_wherever_it_stands(values: Any, key: str, text: str) -> None:
    values["download"]["dataset"]["columns"]["slices"] = ["x"]
    *steps, last = [int(step) if step.isdigit() else step for step in key.split(".")]
    place = values
    for step in steps:
        place = place[step]
    place[last] = text
    with pytest.raises(ParamsError, match=r"holds a password, a token or a signature: .*\*\*\*.*~/.netrc") as error:
        parse_params(values, name="params.yaml")
    assert SECRET not in str(error.value)
    assert re.sub(r"\.(\d)", r"[\1]", key) in str(error.value)


def test_a_secret_as_a_key_is_refused(values: Any) -> None:
    values["download"]["dataset"]["labels"] = {f"https://user:{SECRET}@host": "a"}
    with pytest.raises(ParamsError, match=r"download.dataset.labels holds a password") as error:
        parse_params(values, name="params.yaml")
    assert SECRET not in str(error.value)


def test_no_parser_quotes_a_secret(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(f"a: https://user:{SECRET}@host\na: https://user:{SECRET}@other\n")
    with pytest.raises(ParamsError) as error:
        read_params(tmp_path / "params.yaml")
    assert SECRET not in str(error.value)
