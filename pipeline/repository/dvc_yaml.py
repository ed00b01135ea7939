"""Reads dvc.yaml and the parameter files that it names, as DVC reads them."""

import math
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from dvc.dependency.param import read_param_file
from dvc.exceptions import DvcException
from dvc.parsing import DataResolver, MatrixDefinition
from dvc.schema import COMPILED_MULTI_STAGE_SCHEMA
from dvc.utils.serialize import load_path
from voluptuous import Invalid

from pipeline.repository.file_tree import FileTree
from pipeline.repository.graph import Graph, Stage, build_graph
from stages.errors import ParamsError, PipelineError
from stages.params import parse_params
from stages.yaml_file import check_read_by_dvc, line_of, parse_with_lines

STAGE_COMMAND = "python -m stages."  # whose params are those of stages/schema.py
MOST_STAGES = 2_000  # a plan of so many takes about ten seconds
UNSUPPORTED = ("frozen", "always_changed", "wdir")  # they switch the run-cache off, or change what paths mean
STAGE_NAME = re.compile(
    r"\w[\w.-]*(@\w[\w.-]*)?", re.ASCII
)  # DVC puts items into paths, and those of `foreach` into commands
FOLDER_OF_ITEM = re.compile(r"([^$]+)/\$\{(?:item|key)\b[^}]*\}(?:/|\Z)")


def read_graph(tree: FileTree) -> Graph:
    """The stages of dvc.yaml, with `foreach`, `matrix` and `${...}` resolved.

    Raises:
        ParamsError: params.yaml does not fit the stages: nothing may run, be restored or be removed by it.
        PipelineError: There is no dvc.yaml, it can't be read, or a stage uses what retune does not support.
    """
    text = tree.read("dvc.yaml")
    if text is None:
        raise PipelineError(f"There is no dvc.yaml in {tree.name}. Name a revision that has one.")
    data = _parse_dvc_yaml(text, name=_name("dvc.yaml", tree))
    # An old revision may have params of another schema, and nothing in it runs.
    _check_params(tree, complete=tree.rev is None and STAGE_COMMAND in text)
    try:
        resolver = DataResolver(tree, tree.path(""), data)
        _check_number_of_stages(resolver, name=_name("dvc.yaml", tree))
        resolved = resolver.resolve().get("stages")
    except DvcException as error:
        raise PipelineError(f"{_name('dvc.yaml', tree)} can't be read: {_one_line(error)}{_other(tree)}") from error
    if not resolved:
        raise PipelineError(
            f"{_name('dvc.yaml', tree)} has no stages. {tree.advice('Restore it: git checkout -- dvc.yaml')}"
        )
    stages = [_parse_stage(name, definition, tree) for name, definition in resolved.items()]
    return build_graph(stages, item_folders=_item_folders(data["stages"], stages))


def _check_number_of_stages(resolver: DataResolver, *, name: str) -> None:
    """Check how many stages `foreach` and `matrix` make, before they are made: a few lines can stand for billions.

    Raises:
        PipelineError: There are more than MOST_STAGES, or a matrix is not made of lists.
    """
    number = 0
    for stage, definition in resolver.definitions.items():
        items = definition.resolved_iterable if hasattr(definition, "resolved_iterable") else [None]
        if isinstance(definition, MatrixDefinition):
            if not isinstance(items, Mapping) or not all(isinstance(values, Sequence) for values in items.values()):
                raise PipelineError(f"{name}: {stage} has a matrix with a value that is not a list. Write a list.")
            number += math.prod(map(len, items.values()))
        else:
            number += len(items)
    if number > MOST_STAGES:
        raise PipelineError(
            f"{name} makes {number:,} stages by foreach and matrix, more than the {MOST_STAGES:,} that retune "
            "plans. Use fewer seeds."
        )


def _parse_dvc_yaml(text: str, *, name: str) -> Any:
    data, lines = parse_with_lines(text, name=name)
    check_read_by_dvc(text, name=name)
    try:
        COMPILED_MULTI_STAGE_SCHEMA(data)
    except Invalid as error:
        steps = tuple(map(str, error.path))
        where = f" line {line}" if (line := line_of(lines, steps)) else ""
        key = f"{'.'.join(steps)}: " if steps else ""
        raise PipelineError(f"{name}{where}: {key}{error.error_message}. DVC can't read it.") from error
    return data


def read_params(tree: FileTree, graph: Graph, file: str) -> Mapping[str, Any] | None:
    """The values that the stages read from a parameter file, by full key; None if there is no such file.

    Raises:
        PipelineError: The file can't be read.
    """
    if not tree.fs.exists(tree.path(file)):
        return None
    keys = list(dict.fromkeys(key for stage in graph.stages for key in stage.params.get(file, ())))
    whole = any(file in stage.params and not stage.params[file] for stage in graph.stages)
    try:
        values = read_param_file(tree.fs, tree.path(file), keys, flatten=True) if keys else {}
        return {**(load_path(tree.path(file), tree.fs) if whole else {}), **values}
    except DvcException as error:
        raise PipelineError(f"{_name(file, tree)} can't be read: {_one_line(error)}{_other(tree)}") from error


def read_section(tree: FileTree, file: str, key: str) -> Mapping[str, Any]:
    """A section of a parameter file that no stage names; empty if there is none. Raises as `read_params`."""
    if not tree.fs.exists(tree.path(file)):
        return {}
    try:
        section = read_param_file(tree.fs, tree.path(file), [key], flatten=True).get(key)
    except DvcException as error:
        raise PipelineError(f"{_name(file, tree)} can't be read: {_one_line(error)}{_other(tree)}") from error
    return section if isinstance(section, Mapping) else {}


def check_keys(graph: Graph, read: Callable[[str], Mapping[str, Any] | None]) -> None:
    """Check that parameter files have the keys that stages name: DVC runs and restores no stage that lacks one.

    Args:
        graph: The stages.
        read: Returns the values of a parameter file, as `read_params` does.

    Raises:
        PipelineError: A key is missing.
    """
    for stage in graph.stages:
        for file, keys in stage.params.items():
            values = read(file) or {}
            if missing := [key for key in keys if key not in values]:
                raise PipelineError(
                    f"dvc.yaml: the params of {stage.name} name {missing[0]}, which is not in {file}. Correct "
                    f"the name, or add it to {file}."
                )


def _check_params(tree: FileTree, *, complete: bool) -> None:
    """Check params.yaml before DVC reads it.

    Args:
        tree: The project's files.
        complete: The file must fit the schema of the stages; else it must be YAML, if there is one.

    Raises:
        ParamsError: It does not.
    """
    text, name = tree.read("params.yaml"), _name("params.yaml", tree)
    if text is None and complete:
        raise ParamsError(f"{name} is missing. Write it with: retune use default")
    values, lines = parse_with_lines(text or "", name=name)
    check_read_by_dvc(text or "", name=name)
    if complete:
        parse_params(values, name=name, lines=lines)


def _other(tree: FileTree) -> str:
    return f". {tree.advice('')}" if tree.rev else ""


def _name(file: str, tree: FileTree) -> str:
    return f"{file} of {tree.name}" if tree.rev else file


def _item_folders(definitions: Mapping[str, Any], stages: Sequence[Stage]) -> Iterator[str]:
    """See `Graph.item_folders`; also those of a stage that is repeated for no number now."""
    for group, definition in definitions.items():
        items = [stage.name.partition("@")[2] for stage in stages if stage.group == group]
        if definition.keys() & {"foreach", "matrix"} and all(map(str.isdigit, items)):
            outs = _outs(definition.get("do", definition))
            yield from (match[1] for path in outs if (match := FOLDER_OF_ITEM.match(path)))


def _parse_stage(name: str, definition: Mapping[str, Any], tree: FileTree) -> Stage:
    if not STAGE_NAME.fullmatch(name):
        raise PipelineError(
            f"dvc.yaml: the stage {name!r} gets its name from a value in params.yaml. Use only letters, digits and . "
            "_ - in that value, because it becomes part of a command."
        )
    for key in UNSUPPORTED:
        if definition.get(key):
            raise PipelineError(f"dvc.yaml: {name} has {key}, which retune does not support. Remove it.")
    for dep in definition.get("deps", ()):
        _check_dependency(name, dep, root=tree.path(""))
    meta = definition.get("meta") or {}
    if not isinstance(meta, Mapping):
        raise PipelineError(f"dvc.yaml: {name} has meta: {meta!r}. Expected keys and values, such as pool: cpu.")
    outs = _outs(definition)
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
        meta=meta,
    )


def _check_dependency(stage: str, dep: str, *, root: str) -> None:
    """Check that a dependency is a path in the file system, and not the project itself or a folder around it."""
    if "://" in dep or not dep.isprintable():  # not shown: a URL may hold a password
        raise PipelineError(
            f"dvc.yaml: {stage} depends on a URL, or on a name with control characters. Name a local file or folder."
        )
    if PurePosixPath(root).is_relative_to(posixpath.normpath(posixpath.join(root, dep))):
        raise PipelineError(
            f"dvc.yaml: {stage} depends on {dep!r}, which contains the whole project. Name a folder inside it."
        )


def _outs(definition: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Each output of a stage with its options."""
    return {path: flags for kind in ("outs", "metrics", "plots") for path, flags in _flags(definition.get(kind, ()))}


def _flags(outs: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each path with its options: `path`, or `path: {cache: false}`."""
    for out in outs:
        yield from ([(out, {})] if isinstance(out, str) else out.items())


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
