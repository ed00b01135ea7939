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
    assert "split.val: input should be less than 1, not 1.5" in message
    assert "finetune.max_epochs: input should be a valid integer, not '3'" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("seeds", [], "seeds: list should have at least 1 item"),
        ("seeds", [1, 1], r"seeds \[1, 1\] lists a seed twice"),
        ("seeds", [-1], r"seeds\[0\]: input should be greater than or equal to 0, not -1"),
        ("split.val", 0.95, "leave no rows to train on"),
        ("finetune.learning_rate", 0, "finetune.learning_rate: input should be greater than 0"),
        ("finetune.learning_rate", "1e-4", "finetune.learning_rate: input should be a valid number, not '1e-4'"),
        ("finetune.batch_size", True, "finetune.batch_size: input should be a valid integer, not True"),
        ("finetune.monitor", "test.mcc", "finetune.monitor: input should be 'val.loss'"),
        ("finetune.monitor", "val/loss", "finetune.monitor: val/loss is now written val.loss"),
        ("finetune.precision", 16, "finetune.precision: input should be 'auto', '32' or 'bf16', not 16"),
        ("evaluate.metric", "f1", "evaluate.metric: input should be"),
        ("evaluate.confidence", 95, "evaluate.confidence: input should be less than 1, not 95"),
        ("download.dataset.format", "xlsx", "download.dataset.format: input should be 'csv'"),
        (
            "download.dataset.files",
            [{"sorce": "x.csv"}],
            r"unknown key download.dataset.files\[0\].sorce \(did you mean source",
        ),
        ("download.model.sha256", "abc", "download.model.sha256: string should match pattern"),
        ("download.dataset.columns.slices", ["app", "content"], r"slices \['app', 'content'\] contains a text column"),
        ("download.dataset.columns.slices", "app", "slices: input should be a valid list, not 'app'"),
        ("download.dataset", None, "download.dataset: input should be a valid dictionary"),
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
    ("key", "value"), [("num_workers", 2), ("checkpoint_minutes", 5.0), ("loggers", []), ("unpack_limit_mb", 9)]
)
def test_a_key_of_an_older_file_is_told_where_it_went(values: Any, key: str, value: Any) -> None:
    section, old = ("finetune", "finetune") if key != "unpack_limit_mb" else ("download", "download.dataset")
    (values[section]["dataset"] if section == "download" else values[section])[key] = value
    del values["machine"]
    with pytest.raises(ParamsError, match=rf"^params.yaml: {old}.{key} moved to machine.{key}; machine is missing$"):
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
    with pytest.raises(ParamsError, match=r"not valid YAML: .*line 2"):
        read_params(tmp_path / "params.yaml")


def test_a_key_given_twice_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("seeds: [1]\nseeds: [2]")
    with pytest.raises(ParamsError, match='duplicate key "seeds"'):
        read_params(tmp_path / "params.yaml")


def test_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes("a: ä".encode("latin-1"))
    with pytest.raises(ParamsError, match=r"not UTF-8 \(byte 3\)"):
        read_params(tmp_path / "params.yaml")


def test_a_file_that_is_no_mapping(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("")
    with pytest.raises(ParamsError, match="the file: input should be a valid dictionary"):
        read_params(tmp_path / "params.yaml")
