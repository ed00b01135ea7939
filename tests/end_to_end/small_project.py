"""The project as it is shipped, with a small CSV and a tiny random encoder: six stages in less than a minute."""

import csv
import random
from pathlib import Path

from pipeline import params_file, recipes
from tests.pipeline import toy

WORDS = ["good", "bad", "slow", "fast", "love", "hate", "crash", "update", "free", "late", "great", "awful", "app"]
VALUES = [
    "download.dataset.files=[{source: data/samples/toy.csv}]",
    "download.model.source=encoder",
    "download.model.sha256=null",
    "finetune.max_epochs=1",
    "evaluate.resamples=119",
    "tokenize.max_length=16",
]


def create(root: Path) -> Path:
    """The project before any run, committed."""
    toy.own_project(root)
    write_rows(root / "data/samples/toy.csv")
    write_encoder(root / "encoder")
    params_file.write_params(root, recipes.compose(root, "default", VALUES), replace=True)
    return root


def write_rows(path: Path) -> None:
    chance = random.Random(0)
    path.parent.mkdir(parents=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("id", "content", "score"))
        for number in range(150):
            score = number % 3 + 1
            rows.writerow((number, " ".join([WORDS[score], *chance.choices(WORDS, k=chance.randint(2, 20))]), score))


def write_encoder(folder: Path, *, seed: int = 0) -> None:
    """A BERT of two layers with random weights and a WordPiece tokenizer."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    torch.manual_seed(seed)
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    BertTokenizerFast(vocab={word: number for number, word in enumerate(vocabulary)}).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32
    )
    BertModel(config).save_pretrained(folder)
