"""Reads dvc.yaml and the parameter files that it names, as DVC reads them."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from dvc.dependency.param import read_param_file
from dvc.exceptions import DvcException
from dvc.parsing import DataResolver
from dvc.utils.serialize import load_path, parse_yaml

from pipeline.repository.file_tree import FileTree
from pipeline.repository.graph import Graph, Stage, build_graph
from stages.errors import ParamsError, PipelineError
from stages.params import parse_params
from stages.params import parse_yaml as parse_params_text

STAGE_COMMAND = "python -m stages."  # whose params are those of stages/schema.py
UNSUPPORTED = ("frozen", "always_changed", "wdir")  # they switch the run-cache off, or change what paths mean
STAGE_NAME = re.compile(r"\w[\w.-]*(@\w[\w.-]*)?", re.ASCII)  # DVC puts a `foreach` item into commands without quotes


def read_graph(tree: FileTree) -> Graph:
    """The stages of dvc.yaml, with `foreach` and `${...}` resolved.

    Raises:
        ParamsError: params.yaml does not fit the stages: nothing may run, be restored or be removed by it.
        PipelineError: There is no dvc.yaml, it can't be read, or a stage uses what retune does not support.
    """
    text = tree.read("dvc.yaml")
    if text is None:
        raise PipelineError(f"There is no dvc.yaml in {tree.name}. Name a revision that has one.")
    if tree.rev is None and STAGE_COMMAND in text:  # an old revision may have other params, and nothing in it runs
        _check_params(tree.read("params.yaml"))
    try:
        data = parse_yaml(text, "dvc.yaml")
        resolved = DataResolver(tree, tree.path(""), data).resolve()["stages"]
    except DvcException as error:
        raise PipelineError(f"dvc.yaml can't be read: {_one_line(error)}") from error
    return build_graph(_parse_stage(name, definition) for name, definition in resolved.items())


def read_params(tree: FileTree, graph: Graph, file: str) -> Mapping[str, Any] | None:
    """The values that the stages read from a parameter file, by full key; None if there is no such file.

    Raises:
        PipelineError: The file can't be read.
    """
    if not tree.fs.exists(tree.path(file)):
        return None
    keys = [key for stage in graph.stages for key in stage.params.get(file, ())]
    whole = any(file in stage.params and not stage.params[file] for stage in graph.stages)
    try:
        values = read_param_file(tree.fs, tree.path(file), keys, flatten=True) if keys else {}
        return {**(load_path(tree.path(file), tree.fs) if whole else {}), **values}
    except DvcException as error:
        raise PipelineError(f"{file} can't be read: {_one_line(error)}") from error


def _check_params(text: str | None) -> None:
    if text is None:
        raise ParamsError("params.yaml is missing. Write it with: retune use default")
    parse_params(parse_params_text(text, name="params.yaml"), name="params.yaml")


def _parse_stage(name: str, definition: Mapping[str, Any]) -> Stage:
    if not STAGE_NAME.fullmatch(name):
        raise PipelineError(
            f"dvc.yaml: the stage {name!r} gets its name, and so a part of its command, from a value in params.yaml "
            "that holds more than letters, digits and . _ -. Change that value."
        )
    for key in UNSUPPORTED:
        if definition.get(key):
            raise PipelineError(f"dvc.yaml: {name} has {key}, which retune does not support. Remove it.")
    outs = {path: flags for kind in ("outs", "metrics", "plots") for path, flags in _flags(definition.get(kind, ()))}
    if persistent := [path for path, flags in outs.items() if flags.get("persist")]:
        raise PipelineError(
            f"dvc.yaml: {name} has persist on {persistent[0]}, which switches DVC's run-cache off. Remove it."
        )
    params: dict[str, tuple[str, ...]] = {}
    for part in definition.get("params", ()):
        for file, keys in ({"params.yaml": [part]} if isinstance(part, str) else part).items():
            params[file] = (*params.get(file, ()), *(keys or ()))
    return Stage(
        name=name,
        cmd=definition["cmd"],
        deps=tuple(dict.fromkeys(definition.get("deps", ()))),
        params=params,
        outs=tuple(outs),
        uncached=frozenset(path for path, flags in outs.items() if flags.get("cache") is False),
        meta=definition.get("meta") or {},
    )


def _flags(outs: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each path with its options: `path`, or `path: {cache: false}`."""
    for out in outs:
        yield from ([(out, {})] if isinstance(out, str) else out.items())


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
