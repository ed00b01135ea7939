"""What can drift: names, imports, dependencies, parameters and documents that must agree with each other."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from ruamel.yaml import YAML

from pipeline.cli import app
from stages.params import Params, parse_params, parse_yaml
from stages.paths import Paths
from stages.sections import Section

ROOT = Path(__file__).parents[1]
STAGES = ["download", "tokenize", "split", "finetune", "evaluate", "report"]
HALLWAY = {"errors", "params", "sections", "paths", "files", "entry"}
HALLWAY |= {"tokens", "texts", "truncation", "models", "calibration", "statistics", "scores", "pairs", "inference"}
HALLWAY |= {"measures", "ranking", "reliability", "heads", "predictions", "encoders", "packed"}
EXEMPT = {  # hallway modules that can't change what a stage writes, and why
    "stages/__init__.py": "holds a docstring",
    "stages/errors.py": "messages alone",
    "stages/sections.py": "the schema that params.py checks against; it has no defaults",
    "stages/params.py": "checks values and passes them on unchanged; it has no defaults",
    "stages/paths.py": "names the files, as dvc.yaml does",
    "stages/entry.py": "log, exit code and timing.json",
}
HEAVY = {"torch", "lightning", "transformers", "datasets", "torchmetrics"}


def graph() -> dict[str, Any]:
    return dict(YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"])


def body(name: str) -> dict[str, Any]:
    stage = graph()[name]
    return dict(stage.get("do", stage))


def modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imports(path: Path) -> set[str]:
    """Every module that a file imports, also inside functions; `from a import b` counts as a and a.b."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {str(node.module)} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def own_files(path: Path) -> set[Path]:
    """The project's files that `path` imports."""
    names = {name.replace(".", "/") for name in imports(path) if name.split(".")[0] in ("stages", "pipeline")}
    candidates = [ROOT / f"{name}.py" for name in names] + [ROOT / name / "__init__.py" for name in names]
    return {candidate for candidate in candidates if candidate.exists()}


def closure(path: Path) -> set[Path]:
    seen, todo = set(), [path]
    while todo:
        here = todo.pop()
        if here not in seen:
            seen.add(here)
            todo += own_files(here)
    return seen


def test_the_six_names_agree_everywhere() -> None:
    packages = [path.parent.name for path in (ROOT / "stages").glob("*/__main__.py")]
    sections = [name for name in Params.model_fields if name != "seeds"]
    assert list(graph()) == STAGES
    assert sorted(packages) == sorted(STAGES)
    assert sections == STAGES
    assert [name for name in parse_yaml((ROOT / "params.yaml").read_text(), name="") if name != "seeds"] == STAGES


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_is_its_command_and_writes_under_its_own_folder(name: str) -> None:
    stage = body(name)
    assert stage["cmd"].split()[:3] == ["python", "-m", f"stages.{name}"]
    assert stage["desc"]
    assert stage["meta"]["pool"] in ("cpu", "gpu")
    for kind in ("outs", "metrics", "plots"):
        for out in stage.get(kind, []):
            path, options = next(iter(out.items())) if isinstance(out, dict) else (out, {})
            assert path.startswith(f"data/{name}/")
            assert options.get("cache", True) == (kind == "outs")
            assert "persist" not in options


@pytest.mark.parametrize("name", STAGES)
def test_deps_cover_the_imports(name: str) -> None:
    deps = [ROOT / dep for dep in body(name)["deps"] if dep.startswith("stages")]
    needed = closure(ROOT / "stages" / name / "__main__.py")
    missing = [
        path.relative_to(ROOT).as_posix()
        for path in needed
        if not any(path == dep or dep in path.parents for dep in deps)
    ]
    assert sorted(set(missing) - set(EXEMPT)) == []


@pytest.mark.parametrize("name", STAGES)
def test_deps_name_no_code_that_is_not_imported(name: str) -> None:
    needed = closure(ROOT / "stages" / name / "__main__.py")
    for dep in body(name)["deps"]:
        if dep.startswith("stages"):
            assert any(path == ROOT / dep or ROOT / dep in path.parents for path in needed), dep


@pytest.mark.parametrize("path", modules("stages"), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_stages_know_nothing_of_the_pipeline_and_of_each_other(path: Path) -> None:
    room = path.relative_to(ROOT).parts[1]
    for name in imports(path):
        top, *rest = name.split(".")
        assert top not in ("prefect", "dvc", "pipeline")
        if top == "stages" and rest:
            assert rest[0] in HALLWAY or rest[0] == room, f"imports {name}"


@pytest.mark.parametrize("path", modules("pipeline"), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_pipeline_knows_nothing_of_torch(path: Path) -> None:
    for name in imports(path):
        top, *rest = name.split(".")
        assert top not in HEAVY
        if top == "stages" and rest:
            inference = path.name in ("cli.py", "predict.py") and rest[0] == "inference"
            assert rest[0] in HALLWAY - {"inference"} or inference, f"imports {name}"


def models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    yield model
    for field in model.model_fields.values():
        for kind in (field.annotation, *getattr(field.annotation, "__args__", ())):
            for inner in (kind, *getattr(kind, "__args__", ())):
                if isinstance(inner, type) and issubclass(inner, Section):
                    yield from models(inner)


def test_no_default_hides_in_code() -> None:
    for model in models(Params):
        for name, field in model.model_fields.items():
            assert field.is_required() or field.default is None, f"{model.__name__}.{name} = {field.default!r}"


def test_every_key_of_the_default_recipe_is_commented() -> None:
    above = ""
    for line in (ROOT / "recipes/default.yaml").read_text(encoding="utf-8").splitlines():
        key = re.match(r"\s*(?:- )?([a-z_0-9]+):(?: |$)", line)
        if key:
            assert "#" in line or above.lstrip().startswith("#"), f"{key[1]} has no comment"
        above = line


def test_params_are_complete_and_valid() -> None:
    for path in ("params.yaml", "recipes/default.yaml"):
        parse_params(parse_yaml((ROOT / path).read_text(encoding="utf-8"), name=path), name=path)


def test_every_file_of_paths_is_an_output_of_the_graph() -> None:
    outs = [
        next(iter(out)) if isinstance(out, dict) else out
        for name in STAGES
        for kind in ("outs", "metrics", "plots")
        for out in body(name).get(kind, [])
    ]
    outs = [out.replace("${key}", "(dataset|model)").replace("${item}", "42") for out in outs]
    paths = Paths()
    names = [name for name, value in vars(Paths).items() if isinstance(value, property)]
    files = [getattr(paths, name) for name in names if name not in ("params", "checkpoints", "features", "report")]
    files += [paths.split(name) for name in ("train", "val", "test")]
    files += [method(42) for method in (paths.finetuned, paths.curve, paths.finetune_stats)]
    files += [method(42) for method in (paths.predictions, paths.metrics)]
    files += [paths.timing(stage) for stage in ("download@model", "tokenize", "finetune@42", "report")]
    for file in files:
        assert any(re.match(rf"{out}(/|$)", file.as_posix()) for out in outs), file


def test_kept_columns_have_one_prefix() -> None:
    from stages.download.layout import KEPT
    from stages.report import rows

    assert rows.KEPT == KEPT
    assert f'removeprefix("{KEPT}")' in (ROOT / "pipeline/comparison/moved.py").read_text().replace("'", '"')


def test_the_readme_names_commands_that_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    commands = [command.callback.__name__ for command in app.registered_commands if command.callback]
    code = "\n".join(re.findall(r"`([^`\n]+)`", text) + re.findall(r"```\w*\n(.*?)```", text, flags=re.DOTALL))
    for target in re.findall(r"\bmake ([a-z-]+)", code):
        assert target in targets, f"make {target}"
    for command in re.findall(r"\bretune ([a-z-]+)", code):
        assert command in commands, f"retune {command}"
    for stage in re.findall(r"python -m stages\.([a-z]+)", code):
        assert stage in STAGES
    for path in re.findall(r"\]\(((?!http|#)[^)]+)\)", text):
        assert (ROOT / path).exists(), path
