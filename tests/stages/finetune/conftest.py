from pathlib import Path

import pytest
import torch

from stages import speed
from stages.paths import Paths
from tests.stages.finetune.tiny import write_encoder, write_tokens

torch.set_num_threads(1)  # these models are so small that threads only wait for one another
speed.SIZE["cpu"] = 256  # each training measures the machine's rate: where it is not what is tested, roughly will do


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A root in which finetune can run."""
    paths = Paths(tmp_path)
    write_tokens(paths)
    write_encoder(paths.encoder)
    return paths
