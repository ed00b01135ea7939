"""Test MCC of the mean of the weights of several seeds (a soup) beside that of each seed, and of their mean answer.

Each draw has its own rows of train, on which SEEDS models are trained with the default recipe; they differ in the first
weights of the head, dropout and the order of rows. `small_trainings` says what the tasks are.

Source: Wortsman et al., Model soups (2022); there the head's first weights are the same for all.

Example: OMP_NUM_THREADS=1 python benchmarks/bench_soup.py --task films --draws 3
"""

import argparse
import logging
import warnings
from unittest.mock import patch

import numpy as np
import torch
from bench_quality import RECIPE
from sklearn.metrics import matthews_corrcoef
from small_trainings import TASKS, Setting, drawn, params_of, root_of, write_splits

from stages.finetune.__main__ import main as finetune
from stages.inference.loading import load_model, predict_tokens
from stages.tokens import open_tokens

ROWS, SEEDS = 600, 3


def run(task: str, draw: int) -> list[float]:
    """Return the mean MCC of the seeds, the least and the largest of them, that of the soup, and of the mean answer."""
    setting = Setting(task, ROWS, "retune", precision="bf16", **RECIPE)
    paths, positions = root_of(task), drawn(setting, draw)
    write_splits(paths, positions)
    tokens, test = open_tokens(paths.tokens), positions[2]
    models, answers = [], []
    for seed in range(SEEDS):
        with patch("stages.finetune.training.fit.load_weights"):  # so that the last epoch is kept
            finetune(params_of(setting), paths, seed)
        models.append(load_model(paths.finetuned(seed), precision="32"))
        answers.append(predict_tokens(models[-1], tokens, test))
    weights = [dict(model.named_parameters()) for model in models]
    with torch.no_grad():
        for name, weight in models[0].named_parameters():
            weight.copy_(torch.stack([each[name] for each in weights]).mean(0))
    soup = predict_tokens(models[0], tokens, test)
    each = [matthews_corrcoef(tokens.labels[test], answer.argmax(1)) for answer in answers]
    others = [matthews_corrcoef(tokens.labels[test], answer.argmax(1)) for answer in (soup, np.mean(answers, axis=0))]
    return [float(np.mean(each)), min(each), max(each), *others]


def main() -> None:
    """Print a row per draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", choices=list(TASKS), action="append")
    parser.add_argument("--draws", type=int, default=3)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    print("| task | draw | mean of seeds | worst | best | soup | mean answer |\n|---|---|---|---|---|---|---|")
    for task in options.task or TASKS:
        for draw in range(options.draws):
            print(f"| {task} | {draw} | {' | '.join(f'{mcc:.3f}' for mcc in run(task, draw))} |", flush=True)


if __name__ == "__main__":
    main()
