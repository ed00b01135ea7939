"""A model folder from elsewhere runs no code, reads no other file and no network, whichever command loads it."""

import json
import os
import re
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from pipeline.cli import app
from stages import model_folder
from stages.download.encoder import copy_encoder
from stages.errors import ModelError
from stages.evaluate.__main__ import main as evaluate
from stages.finetune.encoder import load_encoder
from stages.inference.classifier import Classifier
from stages.model_folder import check_model_folder, offline
from stages.params import read_params
from stages.paths import Paths

LABELS = ["ham", "spam"]
OWN_CODE = "from pathlib import Path\nPath(__file__).with_name('ran').touch()\nraise SystemExit\n"


@pytest.fixture
def folder(model: Path, tmp_path: Path) -> Path:
    """A good classifier; its own code and another model lie beside it."""
    shutil.copytree(model, tmp_path / "other")
    copy = Path(shutil.copytree(model, tmp_path / "model"))
    for name in ("modeling_own.py", "custom_generate/generate.py", "theirs.py"):
        (copy / name).parent.mkdir(exist_ok=True)
        (copy / name).write_text(OWN_CODE)
    return copy


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the process tried to look up or connect to."""
    asked: list[Any] = []

    def refuse(*arguments: Any, **_: Any) -> None:
        asked.append(arguments)
        raise OSError("no network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    return asked


def download(folder: Path) -> None:
    target = folder.parent / "target"
    target.mkdir()
    copy_encoder(folder, target, source="them", sha256=None, revision=None)


def finetune(folder: Path) -> None:
    load_encoder(folder, labels=LABELS)


def check_model_folder_of(folder: Path) -> None:
    check_model_folder(folder, name="theirs")


def run_evaluate(folder: Path) -> None:
    paths = Paths(folder.parent / "project")
    paths.finetuned(1).parent.mkdir(parents=True)
    shutil.copytree(folder, paths.finetuned(1), symlinks=True)
    paths.labels.parent.mkdir(parents=True)
    paths.labels.write_text(json.dumps(LABELS))
    params = read_params(Path(__file__).parents[2] / "params.yaml")
    evaluate(params, paths, 1)


def command(*arguments: str) -> Callable[[Path], None]:
    def run(folder: Path) -> None:
        rows = folder.parent / "rows.csv"
        rows.write_text("text\ngood\n")
        out = folder.parent / "out.parquet"
        files = ["--file", str(rows), "--out", str(out)]
        result = CliRunner().invoke(app, [*arguments, *files, "--model", str(folder)])
        if result.exception:
            raise result.exception

    return run


ENTRIES = {
    "download@model": download,
    "finetune": finetune,
    "evaluate": run_evaluate,
    "predict": command("predict"),
    "embed": command("embed"),
}


def edit(file: str, **values: Any) -> Callable[[Path], None]:
    """Change keys of a JSON file, or write it."""

    def change(folder: Path) -> None:
        path = folder / file
        content = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps(content | values))

    return change


def adapter(folder: Path) -> None:
    other = {"peft_type": "LORA", "task_type": "SEQ_CLS", "base_model_name_or_path": str(folder.parent / "other")}
    (folder / "adapter_config.json").write_text(json.dumps(other))


def dangling_adapter(folder: Path) -> None:
    (folder / "adapter_config.json").symlink_to(folder.parent / "later.json")


POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 90868376\n"


def lone_index(target: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        index(target)(folder)
        (folder / "model.safetensors").unlink()

    return change


def index(target: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        names = load_file(folder / "model.safetensors")
        (folder / "weights.bin").write_bytes(b"\x80\x04pickle")
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": dict.fromkeys(names, target)}))

    return change


def linked(file: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).unlink(missing_ok=True)
        (folder / file).symlink_to(folder.parent / "other" / file)

    return change


config = "config.json"
TRICKS: dict[str, tuple[Callable[[Path], None], str]] = {
    "adapter": (adapter, "adapter_config.json makes this an adapter"),
    "an adapter's dangling link": (dangling_adapter, "adapter_config.json makes this an adapter"),
    "auto_map": (edit(config, auto_map={"AutoConfig": "modeling_own.Config"}), "has auto_map"),
    "auto_map of another repository": (edit(config, auto_map={"AutoModel": "evil/repo--m.M"}), "has auto_map"),
    "auto_map spelled otherwise": (edit(config, Auto_Map=["m.M"]), "has Auto_Map"),
    "auto_map below": (edit(config, text_config={"deep": [{"auto_map": {"A": "m.M"}}]}), "has auto_map"),
    "trust_remote_code": (edit(config, trust_remote_code=True), "has trust_remote_code"),  # CVE-2026-5241
    "quantization_config": (edit(config, quantization_config={"quant_method": "gptq"}), "has quantization_config"),
    "attention of a kernel": (edit(config, attn_implementation="evil/kernel:fn"), "has attn_implementation"),
    "attention, inner key": (edit(config, _attn_implementation="kernel"), "has _attn_implementation"),
    "attention, innermost key": (  # CVE-2026-4372
        edit(config, _attn_implementation_internal="evil/kernel"),
        "has _attn_implementation_internal",
    ),
    "attention of a part": (edit(config, _attn_implementation={"": "evil/kernel"}), "has _attn_implementation"),
    "attention that may be fetched": (edit(config, _attn_implementation="flash_attention_2"), "Remove the key"),
    "experts of a kernel": (edit(config, _experts_implementation="evil/kernel"), "has _experts_implementation"),
    "kernels": (edit(config, use_kernels=True), "has use_kernels"),
    "kernel mapping": (edit(config, kernel_config={"RMSNorm": "evil/kernel:RMSNorm"}), "has kernel_config"),
    "custom pipeline": (edit(config, custom_pipelines={"x": {"impl": "theirs.Pipe"}}), "has custom_pipelines"),
    "another config": (edit(config, configuration_files=["config.4.0.0.json"]), "has configuration_files"),
    "other weights": (edit(config, transformers_weights="weights.safetensors"), "has transformers_weights"),
    "a base model": (edit(config, base_model_name_or_path="../other"), "has base_model_name_or_path"),
    "an unknown key with a repository": (edit(config, text_encoder="evil/repo"), "has text_encoder: 'evil/repo'"),
    "an unknown key with a module": (edit(config, loader="theirs.Loader"), "has loader: 'theirs.Loader'"),
    "an unknown key with a file": (edit(config, weights=["weights.bin"]), "has weights: 'weights.bin'"),
    "custom model_type": (edit(config, model_type="own"), "model_type: 'own'"),
    "model_type of another task": (edit(config, model_type="lightglue"), "model_type: 'lightglue'"),
    "tokenizer's auto_map": (
        edit("tokenizer_config.json", auto_map={"AutoTokenizer": ["theirs.T", None]}),
        "tokenizer_config.json has auto_map",
    ),
    "tokenizer's files": (edit("tokenizer_config.json", fast_tokenizer_files=["t.4.json"]), "fast_tokenizer_files"),
    "tokenizer of an unknown class": (edit("tokenizer_config.json", tokenizer_class="Theirs"), "tokenizer_class"),
    "tokenizer of a module's class": (edit("tokenizer_config.json", tokenizer_class="theirs.T"), "tokenizer_class"),
    "processor": (edit("processor_config.json", auto_map={"AutoProcessor": "theirs.P"}), "processor_config.json has"),
    "feature extractor": (edit("preprocessor_config.json", auto_map={"AutoImageProcessor": "t.P"}), "has auto_map"),
    "generation": (edit("generation_config.json", custom_generate="evil/repo"), "has custom_generate"),
    "index of a pickle": (index("weights.bin"), "names 'weights.bin'. Expected safetensors"),
    "index of another folder": (index("../other/model.safetensors"), "names '../other/model.safetensors'"),
    "index of the root": (index("/etc/model.safetensors"), "names '/etc/model.safetensors'"),
    "index of what is missing": (lone_index("none.safetensors"), "none.safetensors, which is missing"),
    "linked config": (linked(config), "config.json is a link to .*, outside"),
    "linked weights": (linked("model.safetensors"), "model.safetensors is a link to .*, outside"),
    "linked folder": (linked("1_Pooling"), "1_Pooling is a link to .*, outside"),
    "linked pooling": (linked("1_Pooling/config.json"), "1_Pooling/config.json is a link to .*, outside"),
    "linked tokenizer": (linked("tokenizer.json"), "tokenizer.json is a link to .*, outside"),
}


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("trick", TRICKS)
def test_a_trick_is_refused_in_one_line_whatever_loads_the_folder(
    folder: Path, requests: list[Any], trick: str, entry: str
) -> None:
    change, message = TRICKS[trick]
    change(folder)
    with pytest.raises(ModelError, match=message) as error:
        ENTRIES[entry](folder)
    assert "\n" not in str(error.value)
    assert not requests
    assert not list(folder.parent.rglob("ran"))


def test_a_vocabulary_of_another_folder_is_refused_where_the_tokenizer_would_be_made_of_it(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    edit("tokenizer_config.json", vocab_file="/etc/hostname")(folder)
    with pytest.raises(ModelError, match=r"has vocab_file: '/etc/hostname', the name of another file. Remove the key"):
        check_model_folder(folder, name="theirs")


@pytest.mark.parametrize("entry", [entry for entry in ENTRIES if entry != "evaluate"])  # it needs rows
def test_a_plain_folder_is_taken_without_a_network(folder: Path, requests: list[Any], entry: str) -> None:
    ENTRIES[entry](folder)
    assert not requests
    assert not list(folder.parent.rglob("ran"))


def test_harmless_keys_of_published_models_are_taken(folder: Path) -> None:
    edit(
        config,
        _name_or_path="org/name",
        id2label={"0": "a/b", "1": "py.py"},
        label2id={"a/b": 0, "auto_map": 1},
        torch_dtype="float32",
        gradient_checkpointing=False,
        position_embedding_type="absolute",
        transformers_version="4.40.0.dev0",
        _attn_implementation_autoset=True,
        attn_implementation="sdpa",
        quantization_config=None,
        rope_theta=10**9,
    )(folder)
    edit("tokenizer_config.json", tokenizer_file="/root/x/tokenizer.json", chat_template="{{ a/b }}")(folder)
    check_model_folder(folder, name="theirs")


@pytest.mark.parametrize("store", ["blobs/" + "0f" * 20, "blobs/" + "0f" * 32, "files/md5/0f/" + "0f" * 15])
def test_links_into_the_caches_of_the_hub_and_of_dvc_are_taken(folder: Path, store: str) -> None:
    target = folder.parent / "cache" / store
    target.parent.mkdir(parents=True)
    shutil.move(folder / "model.safetensors", target)
    (folder / "model.safetensors").symlink_to(os.path.relpath(target, folder))
    check_model_folder(folder, name="theirs")


def test_a_link_inside_the_folder_is_taken_and_a_loop_ends(folder: Path) -> None:
    (folder / "vocab.txt").symlink_to("tokenizer.json")
    (folder / "notes.json").symlink_to("notes.json")
    check_model_folder(folder, name="theirs")


def test_weights_in_several_safetensors_are_taken(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = {name: f"model-{number % 2}.safetensors" for number, name in enumerate(weights)}
    for shard in set(names.values()):
        save_file({name: weights[name] for name in weights if names[name] == shard}, folder / shard, {"format": "pt"})
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": names}))
    ENTRIES["predict"](folder)


@pytest.mark.parametrize("file", ["model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json"])
@pytest.mark.parametrize("load", [check_model_folder_of, Classifier.load], ids=["checked", "loaded"])
def test_a_pointer_of_git_lfs_is_named(folder: Path, file: str, load: Callable[[Path], object]) -> None:
    (folder / file).write_text(POINTER)
    with pytest.raises(ModelError, match=rf"{file} is a pointer of git-lfs, not the file itself. Fetch it: git lfs"):
        load(folder)


def test_an_old_index_beside_a_whole_file_is_not_read_as_transformers_does_not(folder: Path) -> None:
    index("model-00001-of-00002.safetensors")(folder)
    ENTRIES["predict"](folder)


SPECIAL: dict[str, tuple[Callable[[Path], None], str]] = {
    "a pipe": (os.mkfifo, "is a named pipe, not a file"),
    "a folder": (Path.mkdir, "is a folder, not a file"),
    "a dangling link": (lambda path: path.symlink_to("nothing"), "is a link to a file that is missing"),
    "a loop": (lambda path: path.symlink_to(path.name), "can't be read: Too many levels of symbolic links"),
}


@pytest.mark.parametrize("kind", SPECIAL)
@pytest.mark.parametrize("file", model_folder.READ)
@pytest.mark.parametrize("load", [check_model_folder_of, Classifier.load], ids=["checked", "loaded"])
def test_what_is_no_file_is_neither_read_nor_missing(
    folder: Path, load: Callable[[Path], object], file: str, kind: str
) -> None:
    make, message = SPECIAL[kind]
    (folder / file).parent.mkdir(exist_ok=True)
    (folder / file).unlink(missing_ok=True)
    make(folder / file)
    with pytest.raises(ModelError, match=f"{re.escape(file)} {message}"):
        load(folder)


@pytest.mark.parametrize("file", [*model_folder.CONFIGS, model_folder.INDEX, "tokenizer.json", "calibration.json"])
def test_a_huge_or_deep_json_file_is_one_line(folder: Path, file: str) -> None:
    (folder / file).unlink(missing_ok=True)
    with (folder / file).open("wb") as opened:
        opened.truncate(10**12)
    with pytest.raises(ModelError, match=rf"{re.escape(file)} has more than [\d,]+ bytes"):
        Classifier.load(folder)
    (folder / file).write_text("[" * 100_000)
    with pytest.raises(ModelError, match=rf"{re.escape(file)} is not JSON"):
        Classifier.load(folder)


opened: list[str] | None = None


@pytest.fixture
def files() -> Iterator[list[str]]:
    """Every path that Python opens during the test."""
    global opened
    if not getattr(sys, "_retune_audit", False):
        sys.addaudithook(lambda event, values: note(values) if event == "open" else None)
        sys._retune_audit = True  # type: ignore[attr-defined]  # a hook can't be removed
    opened = []
    yield opened
    opened = None


def note(values: tuple[Any, ...]) -> None:
    if opened is not None and isinstance(values[0], str | os.PathLike):
        opened.append(os.fspath(values[0]))


@pytest.mark.parametrize("load", [finetune, Classifier.load])
def test_only_files_on_the_list_are_read(folder: Path, files: list[str], load: Callable[[Path], object]) -> None:
    for name in ("generation_config.json", "pytorch_model.bin", "config.4.0.0.json", "chat_template.jinja"):
        shutil.copy(folder / config, folder / name)
    files.clear()
    load(folder)
    read = {Path(path).name for path in files if Path(path).parent == folder}
    checked = {"generation_config.json"}
    assert read - checked <= {
        config,
        "tokenizer_config.json",
        "tokenizer.json",
        "model.safetensors",
        "calibration.json",
    }


@pytest.mark.parametrize("entry", ["finetune", "predict"])
def test_without_the_check_there_is_still_no_network(
    folder: Path, requests: list[Any], monkeypatch: pytest.MonkeyPatch, entry: str
) -> None:
    """The call itself says: no network, no remote code."""
    monkeypatch.setattr("stages.finetune.encoder.check_model_folder", lambda *_, **__: None)
    monkeypatch.setattr("stages.inference.loading.check_model_folder", lambda *_, **__: None)
    edit("adapter_config.json", peft_type="LORA", base_model_name_or_path="evil/repo")(folder)
    edit(config, auto_map={"AutoConfig": "evil/repo--theirs.C", "AutoModelForSequenceClassification": "theirs.M"})(
        folder
    )
    with pytest.raises((ModelError, OSError)):
        ENTRIES[entry](folder)
    assert not requests
    assert not list(folder.parent.rglob("ran"))


def test_the_hub_s_client_refuses_requests_while_a_model_is_loaded(requests: list[Any]) -> None:
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import OfflineModeIsEnabled

    with offline(), pytest.raises(OfflineModeIsEnabled):
        HfApi(endpoint="http://127.0.0.1:9").model_info("org/name")
    assert not requests
    assert not constants.HF_HUB_OFFLINE
    assert model_folder.offline is offline
