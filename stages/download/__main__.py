"""Fetch the rows (`dataset`) or the encoder (`model`), check them, and write them in one format.

Reads:  what download.dataset.files or download.model.source names; no later stage uses a network
Writes: data/download/dataset/: rows.parquet (id text text_pair label group split text_key cluster file, and the
        slice columns; the label names in its schema), source.json, stats.json, set_aside.csv
        data/download/model/: config.json, the tokenizer's files, model.safetensors, source.json
Params: download.dataset or download.model; split, finetune and evaluate.metric, to fail early where they don't fit the
        labels

Example: python -m stages.download dataset
"""

from stages import entry
from stages.class_rows import require_class_rows_of_file
from stages.download.dataset import write_dataset
from stages.download.encoder import copy_encoder, locate_encoder
from stages.download.unchanged import unchanged
from stages.files import replace_folder
from stages.params import Params
from stages.paths import Paths
from stages.targets.options import check_options
from stages.targets.rows import read_rows_target
from stages.targets.target import check_metric


def main(params: Params, paths: Paths, item: str) -> None:
    if item == "model":
        model = params.download.model
        folder, revision = locate_encoder(model.source, root=paths.root)
        with replace_folder(paths.encoder) as target:
            copy_encoder(folder, target, source=model.source, sha256=model.sha256, revision=revision)
        return
    dataset = params.download.dataset
    watched = (paths.root / dataset.folder, paths.root / dataset.corrections)
    with replace_folder(paths.dataset) as target, unchanged(*watched):
        unpack_limit = params.machine.unpack_limit_mb * 1_000_000
        write_dataset(target, dataset, root=paths.root, unpack_limit=unpack_limit)
        # `split` checks the classes again, so a change of params.split re-runs that stage alone
        require_class_rows_of_file(target / paths.rows.name, params.split)
        found = read_rows_target(target / paths.rows.name)
        check_metric(found, params.evaluate.metric)
        check_options(found.kind, params.finetune)


if __name__ == "__main__":
    entry.run(main, stage="download", doc=__doc__, argument=entry.Argument("item", choices=("dataset", "model")))
