"""What a graph refuses."""

import pytest

from pipeline.repository.graph import Stage, build_graph
from stages.errors import PipelineError


def test_cycle() -> None:
    stages = [Stage("a", "x", deps=("b.txt",), outs=("a.txt",)), Stage("b", "x", deps=("a.txt",), outs=("b.txt",))]
    with pytest.raises(PipelineError, match="these stages form a cycle: "):
        build_graph(stages)


def test_two_writers() -> None:
    with pytest.raises(PipelineError, match=r"a and b both write x.txt. List it in the outs of only one"):
        build_graph([Stage("a", "x", outs=("x.txt",)), Stage("b", "x", outs=("x.txt",))])
