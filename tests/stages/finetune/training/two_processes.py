"""One of two processes that train every architecture together, for test_plain_loop.py.

Example: LOCAL_RANK=0 WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=29500 python -m \
tests.stages.finetune.training.two_processes FOLDER
"""

import sys
from pathlib import Path

import torch

from stages.finetune.__main__ import main
from stages.paths import Paths
from tests.stages.finetune.runs import params
from tests.stages.finetune.training.plain_loop import SEED
from tests.stages.finetune.training.test_plain_loop import TOGETHER


def train_all(folder: Path) -> None:
    """Train in each folder below one as its case says: its name is the architecture, a comma and the case."""
    for root in sorted(folder.iterdir()):
        case = root.name.partition(",")[2]
        try:
            main(params(devices=2, strategy="ddp", **TOGETHER[case]), Paths(root), SEED)
        except SystemExit as end:  # the process that writes nothing
            if end.code:
                raise


if __name__ == "__main__":
    torch.set_num_threads(1)
    train_all(Path(sys.argv[1]))
