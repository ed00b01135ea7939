"""Test MCC of the mean of the weights of several trainings (a soup), beside what one training gives.

Each draw has its own rows of train and val, on which models are trained with the default recipe from the same first
weights; they differ in dropout and the order of rows. Columns: the mean of the trainings; the one that is best on val;
the mean of the weights of the first 2, and of all 3; the mean of their answers; and the loss on val of that mean of
weights, less that of the trainings on average. `small_trainings` says what the tasks are.

Source: Wortsman et al., Model soups (2022).

Example: OMP_NUM_THREADS=1 python benchmarks/bench_soup.py --task films --draws 8
"""

import argparse
import copy
import logging
import warnings
from collections.abc import Sequence
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import torch
from bench_quality import GENTLE, RECIPE
from lightning.pytorch import seed_everything
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

ROWS, VAL, TRAININGS = 600, 75, 3
COLUMNS = ("one training", "best on val", "soup of 2", "soup of 3", "mean answer", "loss of the soup")
Weights = dict[str, torch.Tensor]


def mean(weights: Sequence[Weights]) -> Weights:
    """Return the mean of each tensor."""
    return {name: torch.stack([each[name] for each in weights]).mean(0) for name in weights[0]}


def trained(setting: Setting, seed: int) -> PreTrainedModel:
    """Train with a seed, from first weights that are the same for all, and return the model of the last epoch."""
    paths = root_of(setting.task)
    with (
        patch("stages.finetune.training.fit.load_weights"),
        patch.object(training, "seed_everything", lambda *_, **options: seed_everything(0, **options)),
    ):
        finetune(params_of(setting), paths, seed)
    return load_model(paths.finetuned(seed), precision="32")


def run(task: str, draw: int) -> list[float]:
    """Return the test MCC of each of COLUMNS, and the loss."""
    setting = Setting(task, ROWS, "retune", precision="bf16", **RECIPE, **GENTLE)
    paths = root_of(task)
    known, _, test = drawn(replace(setting, rows=ROWS + VAL), draw) if has_rows(setting) else drawn(setting, draw)
    train, val, test = known[:-VAL], np.sort(known[-VAL:]), np.sort(test)
    write_splits(paths, (train, val))
    tokens = open_tokens(paths.tokens)

    def answers(model: PreTrainedModel) -> NDArray[np.float64]:
        return predict_tokens(model, tokens, test).astype(np.float64)

    def mcc(logits: NDArray[np.float64]) -> float:
        return float(matthews_corrcoef(tokens.labels[test], logits.argmax(1)))

    def loss(model: PreTrainedModel) -> float:
        logits = predict_tokens(model, tokens, val).astype(np.float64)
        return float(-log_softmax(logits, 1)[np.arange(len(val)), tokens.labels[val]].mean())

    def soup(models: Sequence[PreTrainedModel]) -> PreTrainedModel:
        bowl = copy.deepcopy(models[0])
        bowl.load_state_dict(mean([dict(model.named_parameters()) for model in models]), strict=False)
        return bowl

    models = [trained(setting, seed) for seed in range(TRAININGS)]
    of_test, of_val = [answers(model) for model in models], [loss(model) for model in models]
    found = [float(np.mean([mcc(logits) for logits in of_test])), mcc(of_test[int(np.argmin(of_val))])]
    found += [mcc(answers(soup(models[:count]))) for count in (2, 3)]
    found.append(mcc(np.mean([softmax(logits, 1) for logits in of_test], axis=0)))
    return [*found, loss(soup(models)) - float(np.mean(of_val))]


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
    """Print a row per draw, the mean of each column, and its paired lead over the first."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", choices=list(TASKS), action="append")
    parser.add_argument("--draws", type=int, default=8)
    parser.add_argument("--first", type=int, default=0, help="number of the first draw")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    print(f"| task | draw | {' | '.join(COLUMNS)} |\n{'|---' * (len(COLUMNS) + 2)}|")
    for task in options.task or TASKS:
        rows = []
        for draw in range(options.first, options.first + options.draws):
            rows.append(run(task, draw))
            print(f"| {task} | {draw} | {' | '.join(f'{mcc:.3f}' for mcc in rows[-1])} |", flush=True)
        table = np.array(rows)
        print(f"| {task} | mean | {' | '.join(f'{mcc:.3f}' for mcc in table.mean(0))} |", flush=True)
        print(f"| {task} | lead | {' | '.join(lead(column - table[:, 0]) for column in table.T[:-1])} | |", flush=True)


if __name__ == "__main__":
    main()
