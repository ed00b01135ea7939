"""How a model was fine-tuned, in the words that people use."""

from typing import Any, get_args

import pytest

from stages.params import read_params
from stages.report.training import METHODS, describe_evaluation, describe_training
from stages.schema import Finetune
from tests.stages.conftest import REPOSITORY

STATS: dict[str, Any] = {
    "best_epoch": 2,
    "epochs": 3,
    "monitor": {"name": "val.loss", "value": 0.61234},
    "parameters": {"trainable": 1234, "total": 10_000},
}


def facts(stats: dict[str, Any] | None = None, **options: Any) -> dict[str, str]:
    section = read_params(REPOSITORY / "recipes/default.yaml").finetune.model_copy(update=options)
    return dict(describe_training(STATS | (stats or {}), section))


def blocks(**trainable: bool) -> dict[str, Any]:
    counts = {
        name.replace("_", " "): {"trainable": 9 * trains, "frozen": 9 * (not trains)}
        for name, trains in trainable.items()
    }
    return {"parameters": {**STATS["parameters"], "blocks": counts}}


def test_every_method_has_a_sentence() -> None:
    assert set(METHODS) == set(get_args(Finetune.model_fields["method"].annotation))


@pytest.mark.parametrize(
    ("stats", "options", "name", "value"),
    [
        ({}, {}, "trained parameters", "1,234 of 10,000 (12.3%)"),
        ({}, {"max_epochs": 5}, "epochs", "3 of at most 5; the weights of epoch 2 were kept (best val.loss: 0.612)"),
        (
            {"monitor": {"name": "val.loss", "value": None}, "best_epoch": 1, "epochs": 1},
            {"fast_dev_run": True},
            "epochs",
            "1 of at most 4; the weights of epoch 1 were kept (no epoch was chosen)",
        ),
        (
            {"soup": [{"epochs": 3, "best_epoch": 2, "value": 0.7}, {"epochs": 5, "best_epoch": 5, "value": 0.65}]},
            {"max_epochs": 5},
            "epochs",
            "3 and 5 of at most 5; the mean of 2 trainings (epochs 2 and 5) was kept (val.loss: 0.612, of the "
            "trainings 0.700 and 0.650)",
        ),
        ({}, {"warmup_ratio": 0.0, "schedule": "linear", "layer_decay": 1.0}, "learning rate", "0.0002, linear"),
        (
            {},
            {"layer_decay": 0.9, "warmup_ratio": 0.0},
            "learning rate",
            "0.0002, cosine; times 0.9 for each layer further down",
        ),
        ({}, {"batch_size": 8}, "batch", "8 rows"),
        ({"precision": "32"}, {"precision": "auto"}, "precision", "float32 (chosen by auto)"),
        ({"precision": "bf16"}, {"precision": "bf16"}, "precision", "bf16 products, float32 weights"),
        (
            {},
            {"accumulate_grad_batches": 4, "max_tokens_per_batch": 2000},
            "batch",
            "16 rows, at most 2,000 tokens, 4 batches per step",
        ),
        (
            blocks(embeddings=False, layer_0=False, layer_1=False, layer_2=True, head=True),
            {},
            "frozen",
            "embeddings, layers 0 to 1",
        ),
        (blocks(embeddings=True, layer_0=False, layer_1=True, layer_2=False), {}, "frozen", "layer 0, layer 2"),
        (blocks(embeddings=False, layer_0=True), {}, "frozen", "embeddings"),
        ({"rows": {"train": 7000, "val": 800}}, {}, "rows", "7,000 train, 800 val"),
        (
            {"tokens": {"train": 9, "val": 8, "real_share": 0.97}},
            {},
            "padding in training batches",
            "3.0% of their tokens",
        ),
        (
            {"vocabulary": {"rows": 30_000, "used": 4000}},
            {},
            "vocabulary",
            "4,000 of 30,000 tokens occur; only their embeddings were held in training",
        ),
        (
            {"class_weights": [0.5, 2.0]},
            {"class_weights": "balanced"},
            "weights of the classes in the loss",
            "balanced, 0.5 to 2",
        ),
    ],
)
def test_a_fact_is_told_in_words(stats: dict[str, Any], options: dict[str, Any], name: str, value: str) -> None:
    assert facts(stats, **options)[name] == value


def test_what_is_unknown_or_does_not_apply_is_left_out() -> None:
    assert set(facts()) == {"method", "trained parameters", "learning rate", "batch", "epochs"}
    assert "frozen" not in facts(blocks(embeddings=True, head=True))


@pytest.mark.parametrize(
    ("metrics", "wanted", "value"),
    [
        ({"precision": "32"}, "auto", ["float32 (chosen by auto)"]),
        ({"precision": "bf16"}, "auto", ["bf16 (chosen by auto)"]),
        ({"precision": "32"}, "32", ["float32"]),
        ({}, "auto", []),  # of an older version
    ],
)
def test_the_precision_of_the_predictions_is_told(metrics: dict[str, Any], wanted: str, value: list[str]) -> None:
    options = read_params(REPOSITORY / "recipes/default.yaml").evaluate.model_copy(update={"precision": wanted})
    assert [text for _, text in describe_evaluation(metrics, options)] == value


@pytest.mark.parametrize(("method", "said"), [("full", True), ("partial", True), ("lora", True), ("frozen", False)])
def test_a_rate_by_layer_is_said_of_layers_that_are_trained(method: str, said: bool) -> None:
    assert ("times 0.9 for each layer" in facts(method=method, layer_decay=0.9)["learning rate"]) == said


@pytest.mark.parametrize(("part", "shown"), [(770, "0.003%"), (0, "0.0%"), (22_566_146, "100.0%")])
def test_a_small_share_of_trained_parameters_is_not_none(part: int, shown: str) -> None:
    value = facts({"parameters": {"trainable": part, "total": 22_566_146}})["trained parameters"]
    assert value == f"{part:,} of 22,566,146 ({shown})"
