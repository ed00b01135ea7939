"""A saved classifier of two small layers, as the report stage leaves one, and a browser without a window."""

import gc
import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver

os.environ.setdefault("OMP_NUM_THREADS", "1")  # models this small, on cores that other tests use: threads only wait
os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX512_CORE")  # float32 on every processor; tests of bf16 lift it
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in the background of a shell: what tests start inherits it
    signal.signal(signal.SIGINT, signal.default_int_handler)

gc.disable()  # until the tests are collected, which imports every package

WORDS = ["good", "bad", "crash", "love", "money", "slow"]


def pytest_collection_finish() -> None:
    """Spare the garbage collector what was imported: it would go over a million objects again and again."""
    gc.enable()
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)


def fuzz_examples(count: int) -> int:
    """The number of examples of a property test; the environment variable RETUNE_FUZZ_EXAMPLES multiplies it."""
    return int(count * float(os.environ.get("RETUNE_FUZZ_EXAMPLES", "1")))


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("model")
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    names = {0: "ham", 1: "spam"}
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    config = BertConfig(
        vocab_size=len(vocabulary), **sizes, id2label=names, label2id={name: index for index, name in names.items()}
    )
    model = BertForSequenceClassification(config)
    torch.nn.init.normal_(model.classifier.weight, std=2)
    model.save_pretrained(folder)
    BertTokenizerFast(vocab={word: number for number, word in enumerate(vocabulary)}).save_pretrained(folder)
    (folder / "calibration.json").write_text(json.dumps({"temperature": 2.0, "threshold": 0.4, "positive": "spam"}))
    return folder


@pytest.fixture
def bf16_units(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let PyTorch see a CPU with units for bf16; on one without them it is slow there, and as right."""
    import torch

    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True}, raising=False)


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("needs chromium and chromedriver (apt: chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "disable-background-networking"):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield chrome
    chrome.quit()
