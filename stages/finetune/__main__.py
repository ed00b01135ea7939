"""Fine-tune the encoder on train, choose the best epoch on val, and save it as a plain transformers model.

Reads:   data/tokenize/tokens, data/tokenize/labels.json, data/split/{train,val}.parquet, data/download/model
Writes:  data/finetune/SEED/model (save_pretrained and tokenizer files), curve.csv, stats.json
Params:  finetune; and machine, which changes no output

A run that was killed resumes from its last checkpoint (.retune/checkpoints) if its inputs are still the same.

Example: python -m stages.finetune --seed 42
"""

import logging

from stages import entry
from stages.files import write_json
from stages.finetune.devices import process_rank
from stages.finetune.encoder import save_model
from stages.finetune.inputs import input_files, read_inputs
from stages.finetune.summary import write_curve
from stages.finetune.train import train
from stages.params import Params
from stages.paths import Paths
from stages.targets.target import check_metric


def main(params: Params, paths: Paths, seed: int) -> dict[str, float]:
    """Train with one seed, and save the weights of the epoch with the best `finetune.monitor`."""
    if process_rank():
        logging.getLogger("stages").setLevel(logging.ERROR)  # the first process says what all do
    inputs = read_inputs(paths)
    check_metric(inputs.target, params.evaluate.metric)  # evaluate would find it only after the training
    trained = train(inputs, params, paths, seed=seed, name=f"finetune-{seed}", files=input_files(paths))
    save_model(trained.model, paths.finetuned(seed), encoder=paths.encoder)
    write_curve(paths.curve(seed), trained.fitted.curve)
    write_json(paths.finetune_stats(seed), trained.stats)
    return trained.timings


if __name__ == "__main__":
    entry.run(main, stage="finetune", doc=__doc__, argument=entry.Argument("--seed", int))
