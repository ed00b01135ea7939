"""Test MCC of averaged weights: of several seeds (a soup), and of the last epochs of one, beside what retune ships.

Each draw has its own rows of train and val (a tenth of all), on which SEEDS models are trained with the default recipe.
They differ in the first weights of the head, dropout and the order of rows. Columns: the mean of the seeds' last
epochs; the seed that is best on val, which is what ships; the mean of all seeds' weights; the greedy soup (seeds from
the best on val on, each kept where the loss on val falls); the mean of the seeds' answers; the mean of the weights of
the last 2 and the last 3 epochs, of each seed. `small_trainings` says what the tasks are.

Source: Wortsman et al., Model soups (2022); there the head's first weights are the same for all.

Example: OMP_NUM_THREADS=1 python benchmarks/bench_soup.py --task films --draws 8
"""

import argparse
import logging
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from bench_quality import GENTLE, RECIPE
from lightning.pytorch import Callback, LightningModule, Trainer
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax
from scipy.stats import t
from sklearn.metrics import matthews_corrcoef
from small_trainings import TASKS, Setting, drawn, params_of, root_of, write_splits
from transformers import PreTrainedModel

from stages.finetune import train as training
from stages.finetune.__main__ import main as finetune
from stages.inference.loading import load_model, predict_tokens
from stages.tokens import open_tokens

ROWS, VAL, SEEDS = 600, 75, 3
COLUMNS = ("seeds", "best on val", "soup", "greedy soup", "mean answer", "last 2 epochs", "last 3 epochs")
Weights = dict[str, torch.Tensor]


class KeepEpochs(Callback):
    """Keeps the weights of each epoch."""

    def __init__(self) -> None:
        self.epochs: list[Weights] = []

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.epochs.append({name: values.detach().clone() for name, values in pl_module.state_dict().items()})


def mean(weights: Sequence[Weights]) -> Weights:
    """Return the mean of each tensor."""
    return {name: torch.stack([each[name] for each in weights]).mean(0) for name in weights[0]}


def trained(setting: Setting, seed: int) -> list[PreTrainedModel]:
    """Train, and return the models of the last epoch, of the mean of the last 2, and of the last 3."""
    paths, keep, fit = root_of(setting.task), KeepEpochs(), training.fit
    fitted: list[Any] = []

    def fit_and_keep(*args: Any, **kwargs: Any) -> Any:
        fitted.append(fit(*args, **kwargs | {"callbacks": [*kwargs["callbacks"], keep]}))
        return fitted[0]

    models = []
    with patch("stages.finetune.training.fit.load_weights"), patch.object(training, "fit", fit_and_keep):
        finetune(params_of(setting), paths, seed)
    models.append(load_model(paths.finetuned(seed), precision="32"))
    for count in (2, 3):
        averaged = mean(keep.epochs[-count:])

        def load_averaged(module: LightningModule, *args: Any, averaged: Weights = averaged, **kwargs: Any) -> Any:
            module.load_state_dict(averaged)
            return fitted[0]

        with patch.object(training, "fit", load_averaged):
            finetune(params_of(setting), paths, seed)
        models.append(load_model(paths.finetuned(seed), precision="32"))
    return models


def run(task: str, draw: int) -> list[float]:
    """Return the test MCC of each of COLUMNS."""
    setting = Setting(task, ROWS, "retune", precision="bf16", **RECIPE, **GENTLE)
    paths = root_of(task)
    known, _, test = drawn(replace(setting, rows=ROWS + VAL), draw) if has_rows(setting) else drawn(setting, draw)
    train, val = known[:-VAL], known[-VAL:]
    write_splits(paths, (train, val))
    tokens = open_tokens(paths.tokens)

    def answers(model: PreTrainedModel, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        return predict_tokens(model, tokens, np.sort(rows)).astype(np.float64)

    def mcc(logits: NDArray[np.float64]) -> float:
        return float(matthews_corrcoef(tokens.labels[np.sort(test)], logits.argmax(1)))

    def loss(model: PreTrainedModel) -> float:
        labels = tokens.labels[np.sort(val)]
        return float(-log_softmax(answers(model, val), 1)[np.arange(len(labels)), labels].mean())

    epochs = [trained(setting, seed) for seed in range(SEEDS)]
    models = sorted((of_seed[0] for of_seed in epochs), key=loss)
    weights = [{name: values.clone() for name, values in model.named_parameters()} for model in models]
    of_test = [answers(model, test) for model in models]
    found = [float(np.mean([mcc(logits) for logits in of_test])), mcc(of_test[0])]
    bowl = models[0]
    least, kept = loss(bowl), weights[:1]
    for each in weights[1:]:
        bowl.load_state_dict(mean([*kept, each]), strict=False)
        if loss(bowl) < least:
            least, kept = loss(bowl), [*kept, each]
    greedy, soup = (
        answers(bowl, test) for part in (kept, weights) if bowl.load_state_dict(mean(part), strict=False) is not None
    )
    found += [mcc(soup), mcc(greedy), mcc(np.mean([softmax(logits, 1) for logits in of_test], axis=0))]
    return found + [float(np.mean([mcc(answers(of_seed[at], test)) for of_seed in epochs])) for at in (1, 2)]


def has_rows(setting: Setting) -> bool:
    """Whether the task has rows of val besides those of train: else the last of train are taken."""
    try:
        drawn(replace(setting, rows=ROWS + VAL), 0)
    except SystemExit:
        return False
    return True


def lead(values: NDArray[np.float64]) -> str:
    """Return the mean of paired differences with its 95% interval."""
    half = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5
    return f"{values.mean():+.3f} ({values.mean() - half:+.3f} to {values.mean() + half:+.3f})"


def main() -> None:
    """Print a row per draw, the mean of each column, and its paired lead over the second, which is what ships."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", choices=list(TASKS), action="append")
    parser.add_argument("--draws", type=int, default=8)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    print(f"| task | draw | {' | '.join(COLUMNS)} |\n{'|---' * (len(COLUMNS) + 2)}|")
    for task in options.task or TASKS:
        rows = []
        for draw in range(options.draws):
            rows.append(run(task, draw))
            print(f"| {task} | {draw} | {' | '.join(f'{mcc:.3f}' for mcc in rows[-1])} |", flush=True)
        table = np.array(rows)
        print(f"| {task} | mean | {' | '.join(f'{mcc:.3f}' for mcc in table.mean(0))} |", flush=True)
        print(f"| {task} | lead | {' | '.join(lead(column - table[:, 1]) for column in table.T)} |", flush=True)


if __name__ == "__main__":
    main()
