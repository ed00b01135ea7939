"""What can drift: names, imports, dependencies, parameters and documents that must agree with each other."""

import ast
import contextlib
import itertools
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest
from dvc.exceptions import DvcException
from dvc.parsing import DataResolver
from dvc.repo import Repo
from dvc_render.vega_templates import get_template
from pydantic import BaseModel, ValidationError, create_model
from ruamel.yaml import YAML

from pipeline.cli import app
from pipeline.repository.own_code import in_package, own_code
from stages.kept.code import CODE
from stages.params import Params, parse_params, parse_yaml
from stages.paths import Paths
from stages.schema import Section

ROOT = Path(__file__).parents[1]
STAGES = ["download", "tokenize", "split", "finetune", "evaluate", "crossfit", "extrapolate", "report"]
HALLWAY = {path.stem for path in (ROOT / "stages").glob("*.py") if path.stem != "__init__"}
SHARED_ROOMS = {"metrics", "model", "inference", "kept", "reading", "targets"}  # what stages share, beside the hallway
TRAINS_AS = {
    "crossfit": {"finetune"},
    "extrapolate": {"finetune"},
}  # stage -> the stage whose encoder or training it uses
ARROWS = {  # room of pipeline/ -> the rooms that it may import
    "yaml_edit": set(),
    "recipes": {"yaml_edit", "dataset"},
    "params_file": {"planning", "repository", "yaml_edit"},
    "repository": set(),
    "planning": {"repository"},
    "dataset": {"repository"},
    "execution": {"planning", "repository"},
    "local": {"execution", "planning", "repository", "recipes", "params_file"},
    "workers": {"execution", "planning", "repository", "recipes"},
    "status": {"workers", "execution", "planning", "repository"},
    "comparison": {"planning", "repository"},
    "prediction": set(),
    "review": set(),
    "suggestion": {"prediction"},
    "diagnosis": {"execution", "local", "repository"},
}
ARROWS["commands"] = {*ARROWS, "commands"}
ARROWS["cli"] = {"commands"}
LOADS_A_MODEL = ROOT / "pipeline/commands/model.py"  # the only module of pipeline/ that may reach stages.inference
EXEMPT = {  # hallway modules that can't change what a stage writes, and why
    "stages/__init__.py": "holds a docstring",
    "stages/targets/__init__.py": "holds a docstring",
    "stages/kept/__init__.py": "holds a docstring",
    "stages/inference/__init__.py": "holds a docstring and names that are imported when asked for",
    "stages/errors.py": "messages alone",
    "stages/proxies.py": "messages alone",
    "stages/git_lfs.py": "refuses a file, or leaves it as it is",
    "stages/architectures.py": "refuses a model, or warns of it",
    "stages/messages.py": "messages alone",
    "stages/redaction.py": "messages, and sources with secrets, which params.py refuses",
    "stages/schema.py": "the schema that params.py checks against; it has no defaults",
    "stages/schema_types.py": "the schema that params.py checks against; it has no defaults",
    "stages/params_problems.py": "messages of params.py",
    "stages/params.py": "checks values and passes them on unchanged; it has no defaults",
    "stages/yaml_file.py": "reads values and passes them on unchanged",
    "stages/special_files.py": "refuses a file, or opens it as it is",
    "stages/parquet_rows.py": "how many rows are read at once, which changes no row",
    "stages/paths.py": "names the files, as dvc.yaml does",
    "stages/model_folder.py": "refuses a model folder, or leaves it as it is",
    "stages/model_config.py": "refuses a model folder, or leaves it as it is",
    "stages/model_files.py": "refuses a file, or leaves it as it is",
    "stages/tokenizer_check.py": "refuses a tokenizer, or leaves it as it is",
    "stages/foreign_weights.py": "messages alone",
    "stages/model_fit.py": "refuses a model folder, or leaves it as it is",
    "stages/speed.py": "log and timings",
    "stages/entry.py": "log, exit code and timings",
    "stages/importing.py": "the garbage collector, while modules are imported",
    "stages/targets/options.py": "ends a stage, or leaves it as it is",
    "stages/class_rows.py": "ends a stage, or leaves it as it is",
    "stages/warm.py": "where a command runs, not what it does",
    "stages/parent.py": "ends a stage, or leaves it as it is",
    "stages/out_of_memory.py": "explains an error",
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
    """The project's files that run when `path` is imported, also those that it imports inside functions."""
    modules = {name.replace(".", "/") for name in imports(path) if name.split(".")[0] in ("stages", "pipeline")}
    packages = {parent.as_posix() for name in modules for parent in Path(name).parents if parent.name}
    candidates = [ROOT / f"{name}.py" for name in modules] + [ROOT / n / "__init__.py" for n in modules | packages]
    return {candidate for candidate in candidates if candidate.exists()}


def closure(path: Path, *, without: Path | None = None) -> set[Path]:
    """Every file of the project that `path` reaches through imports, but for what it reaches by `without` alone."""
    reached: set[Path] = set()
    pending = [path]
    while pending:
        current = pending.pop()
        if current not in reached and current != without:
            reached.add(current)
            if current.relative_to(ROOT).as_posix() not in EXEMPT:
                pending += own_files(current)
    return reached


def test_the_names_of_the_stages_agree_everywhere() -> None:
    packages = [path.parent.name for path in (ROOT / "stages").glob("*/__main__.py")]
    assert list(graph()) == STAGES
    assert sorted(packages) == sorted(STAGES)
    assert list(Params.model_fields) == ["seeds", *STAGES, "machine"]
    assert list(parse_yaml((ROOT / "params.yaml").read_text(), name="")) == ["seeds", *STAGES, "machine"]


def test_machine_settings_are_in_no_stage_s_params() -> None:
    tracked = {key.split(".")[0] for name in STAGES for key in body(name)["params"]}
    assert tracked == {"seeds", *STAGES}


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_is_its_command_and_writes_under_its_own_folder(name: str) -> None:
    stage = body(name)
    assert stage["cmd"].split()[:3] == ["python", "-m", f"stages.{name}"]
    assert stage["desc"]
    assert stage["meta"]["pool"] in ("cpu", "gpu")
    for kind in ("outs", "metrics", "plots"):
        for out in stage.get(kind, []):
            path, options = next(iter(out.items())) if isinstance(out, dict) else (out, {})
            assert path.startswith((f"data/{name}/", f"data/timing/{name}"))
            assert options.get("cache", True) == (kind != "metrics")
            assert "persist" not in options


def paths_of(name: str, *kinds: str) -> Iterator[str]:
    for kind in kinds:
        for out in body(name).get(kind, []):
            yield next(iter(out)) if isinstance(out, dict) else out


def test_dvc_s_metrics_are_the_headline_alone() -> None:
    """All others would be hundreds of columns of `dvc exp show`, and conflicts of every merge."""
    assert [path for name in STAGES for path in paths_of(name, "metrics")] == [Paths().headline.as_posix()]


def test_git_ignores_every_output_but_the_headline() -> None:
    """Else DVC refuses an output that git tracks, or a pull request shows it."""
    outs = [path for name in STAGES for path in paths_of(name, "outs", "metrics", "plots")]
    outs = [path.replace("${item.seed}", "42").replace("${item.fold}", "3").replace("${key}", "model") for path in outs]
    ignored = subprocess.run(["git", "check-ignore", *outs], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(outs) - set(ignored.stdout.split()) == {Paths().headline.as_posix()}


@pytest.mark.parametrize("name", STAGES)
def test_no_stage_depends_on_times(name: str) -> None:
    """Another clock time is another hash: equal results would run the stages below again."""
    times = [Path(path) for stage in STAGES for path in paths_of(stage, "outs") if "/timing/" in path]
    assert len(times) == len(STAGES)
    for dep in map(Path, paths_of(name, "deps")):
        assert not any(time == dep or dep in time.parents for time in times), dep


def test_the_registered_model_is_an_output() -> None:
    artifacts = YAML(typ="safe").load(ROOT / "dvc.yaml")["artifacts"]
    assert {artifact["path"] for artifact in artifacts.values()} <= set(paths_of("report", "outs"))


@pytest.mark.parametrize("name", STAGES)
def test_a_plot_has_a_template_that_dvc_finds(name: str) -> None:
    for plot in body(name).get("plots", []):
        template = get_template(next(iter(plot.values()))["template"], str(ROOT / ".dvc/plots"))
        assert template.has_anchor("data")


HOSTILE = [
    "42; touch x",
    "$(touch x)",
    "`touch x`",
    "x' ; touch x; '",
    'x" ; touch x; "',
    "a\nb; touch x",
    "| touch x",
    "&& touch x",
]
HOSTILE += [["; touch x"], {"; touch x": 1}, {"a": "; touch x"}, [["; touch x"]]]  # type: ignore[list-item]


@pytest.mark.parametrize("seed", HOSTILE, ids=repr)
def test_plain_dvc_repro_passes_no_seed_to_the_shell(seed: Any, tmp_path: Path) -> None:
    """`retune` refuses these seeds before DVC reads them; `dvc repro` alone does not look at params.yaml first."""
    text = (ROOT / "params.yaml").read_text(encoding="utf-8").replace("seeds: [42]", f"seeds: {json.dumps([seed])}")
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "dvc.yaml").write_text((ROOT / "dvc.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "python").write_text("#!/bin/sh\n")
    (tmp_path / "python").chmod(0o755)
    with Repo.init(str(tmp_path), no_scm=True) as repo:
        try:
            resolved = DataResolver(repo, str(tmp_path), graph_of(tmp_path)).resolve()["stages"]
        except DvcException:
            assert not isinstance(seed, str)  # a list or a mapping fits no path
            return
    for stage in resolved.values():
        subprocess.run(["sh", "-c", stage["cmd"]], cwd=tmp_path, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, check=False)
        assert not (tmp_path / "x").exists(), stage["cmd"]


def graph_of(folder: Path) -> Any:
    return YAML(typ="safe").load(folder / "dvc.yaml")


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


@pytest.mark.parametrize("name", ["inference/computing.py", "finetune/acceleration/head_input.py", *CODE[:2]])
def test_the_keys_of_kept_rows_hold_all_code_that_computes_them(name: str) -> None:
    paths = modules(f"stages/{name}") or [ROOT / "stages" / name]
    needed = {path.relative_to(ROOT).as_posix() for start in paths for path in closure(start)} - set(EXEMPT)
    hashed = tuple(f"stages/{part}" for part in CODE)
    assert [path for path in sorted(needed) if not path.startswith(hashed)] == []


@pytest.mark.parametrize("path", modules("stages"), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_stages_know_nothing_of_the_pipeline_and_of_each_other(path: Path) -> None:
    room = path.relative_to(ROOT).parts[1]
    for name in imports(path):
        top, *rest = name.split(".")
        assert top not in ("prefect", "dvc", "pipeline")
        if top == "stages" and rest:
            assert rest[0] in HALLWAY | SHARED_ROOMS | {room} | TRAINS_AS.get(room, set()), f"imports {name}"


def names_a_kind(node: ast.AST) -> bool:
    """Whether an expression is the name of a kind of target, or holds one in a tuple, list or set."""
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return any(map(names_a_kind, node.elts))
    return isinstance(node, ast.Constant) and node.value in ("label_set", "ordered", "number")


def asks_for_a_kind(source: str) -> list[int]:
    """The lines that compare something with the name of a kind, or with `.kind` of a target, or match on it."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            of_target = any(
                isinstance(side, ast.Attribute) and side.attr == "kind" and "target" in ast.unparse(side.value)
                for side in sides
            )
            if any(map(names_a_kind, sides)) or (of_target and not isinstance(node.ops[0], ast.In | ast.NotIn)):
                lines.append(node.lineno)
        elif isinstance(node, ast.MatchValue) and names_a_kind(node.value):
            lines.append(node.value.lineno)
    return lines


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ('if target.kind == "number": pass', [1]),
        ('x = 1 if kind in ("ordered", "number") else 2', [1]),
        ("if target.kind != other: pass", [1]),
        ('match kind:\n    case "label_set":\n        pass', [2]),
        ("EVALUATIONS[target.kind](raw)", []),
        ("if device.kind == 'cuda': pass", []),
    ],
)
def test_a_question_for_the_kind_is_noticed(source: str, lines: list[int]) -> None:
    assert asks_for_a_kind(source) == lines


@pytest.mark.parametrize(
    "path", modules("stages") + modules("pipeline"), ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_what_depends_on_the_kind_of_target_is_looked_up_by_its_name(path: Path) -> None:
    if path.is_relative_to(ROOT / "stages/targets"):
        return
    assert asks_for_a_kind(path.read_text(encoding="utf-8")) == []


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[1].removesuffix(".py")


@pytest.mark.parametrize("path", modules("pipeline"), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_pipeline_s_arrows_point_one_way(path: Path) -> None:
    room = room_of(path)
    for file in own_files(path):
        if file.is_relative_to(ROOT / "pipeline") and file.name != "__init__.py":
            assert room_of(file) in ARROWS[room] | {room}, f"{room} imports {file.relative_to(ROOT)}"


def test_the_arrows_have_no_cycle() -> None:
    list(TopologicalSorter({room: rooms - {room} for room, rooms in ARROWS.items()}).static_order())


@pytest.mark.parametrize("path", modules("pipeline"), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_pipeline_knows_nothing_of_torch_not_even_through_another_module(path: Path) -> None:
    if path == LOADS_A_MODEL:
        assert "stages.inference" in imports(path)
        return
    allowed = HALLWAY | {"metrics", "reading", "targets", "__init__"}
    for file in closure(path, without=LOADS_A_MODEL):
        heavy = {name.split(".")[0] for name in imports(file)} & HEAVY
        assert not heavy, f"{file.relative_to(ROOT)} imports {heavy}"
        if file.is_relative_to(ROOT / "stages"):
            assert room_of(file) in allowed, f"reaches {file.relative_to(ROOT)}"


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


EQUAL_TO_DVC = [(0, 0.0, False), (1, 1.0, True), (2, 2.0)]


@pytest.mark.parametrize(
    ("section", "name"), [(model, name) for model in models(Params) for name in model.model_fields], ids=str
)
def test_what_dvc_takes_for_equal_means_the_same(section: type[BaseModel], name: str) -> None:
    """DVC compares parameters as Python does: of a value that is equal to the old one, it re-runs nothing."""
    field = section.model_fields[name]
    model = create_model("Model", __base__=Section, value=(field.annotation, field))
    wraps: list[Callable[[Any], Any]] = [lambda v: v, lambda v: [v], lambda v: {"a": v}, lambda v: {v: "a"}]
    for values, wrap in itertools.product(EQUAL_TO_DVC, wraps):
        read = []
        for value in values:
            with contextlib.suppress(ValidationError):
                read.append(repr(model.model_validate({"value": wrap(value)})))
        assert len(set(read)) <= 1, f"{values} have several meanings: {read}"


def test_every_key_of_the_default_recipe_is_commented() -> None:
    above = ""
    for line in (ROOT / "recipes/default.yaml").read_text(encoding="utf-8").splitlines():
        key = re.match(r"\s*(?:- )?([a-z_0-9]+):(?: |$)", line)
        if key:
            assert "#" in line or above.lstrip().startswith("#"), f"{key[1]} has no comment"
        above = line


def _bounds(schema: Any) -> tuple[float | None, bool, float | None, bool] | None:
    """The range of a key's numbers, also of those in a list or a mapping: low, excluded?, high, excluded?"""
    if not isinstance(schema, dict):
        return None
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if {low, high, above, below} != {None}:
        high = None if high is not None and high >= 2**31 - 1 else high  # what the libraries hold
        return low if above is None else above, above is not None, high if below is None else below, below is not None
    parts = [*schema.get("anyOf", []), schema.get("items"), schema.get("additionalProperties")]
    parts += schema.get("patternProperties", {}).values()
    return next((bounds for part in parts if (bounds := _bounds(part))), None)


def _described(comment: str) -> tuple[float | None, bool, float | None, bool] | None:
    """The range that a comment names: (0 to 1), (0 to below 1), (over 0, to 1), (over 0, below 1), (>= 1), (> 0)."""
    number = r"(\d+(?:\.\d+)?)"
    if match := re.search(rf"\((?:[a-z]+ )*?(over )?{number},? (to below|to|below) {number}\b", comment):
        return float(match[2]), match[1] is not None, float(match[4]), match[3] != "to"
    if match := re.search(rf"\((?:[a-z]+ )?(>=?) {number}\)", comment):
        return float(match[2]), match[1] == ">", None, False
    return None


def test_ranges_in_comments_are_those_of_the_schema() -> None:
    schema = Params.model_json_schema()
    definitions, path, above, described = schema["$defs"], list[str](), "", 0
    for line in (ROOT / "recipes/default.yaml").read_text(encoding="utf-8").splitlines():
        key = re.match(r"( *)([a-z_0-9]+):(?: |$)", line)
        if not key:
            above = f"{above} {line.strip(' #')}" if line.lstrip().startswith("#") else ""
            continue
        path = [*path[: len(key[1]) // 2], key[2]]
        section = schema
        for name in path[:-1]:
            section = definitions[section["properties"][name]["$ref"].rpartition("/")[2]]
        bounds, comment = _bounds(section["properties"][key[2]]), f"{above} {line.partition('#')[2]}"
        assert _described(comment) == bounds, f"{'.'.join(path)}: {comment}"
        described, above = described + (bounds is not None), ""
    assert described > 30


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
    outs = [
        out.replace("${key}", "(dataset|model)").replace("${item.seed}", "42").replace("${item.fold}", "3")
        for out in outs
    ]
    paths = Paths()
    names = [name for name, value in vars(Paths).items() if isinstance(value, property)]
    files = [
        getattr(paths, name) for name in names if name not in ("params", "checkpoints", "kept_rows", "rates", "report")
    ]
    files += [paths.split(name) for name in ("train", "val", "test")]
    files += [method(42) for method in (paths.finetuned, paths.curve, paths.finetune_stats)]
    files += [method(42) for method in (paths.predictions, paths.metrics, paths.forecast)]
    files += [paths.fold(3), paths.fold_predictions(3)]
    files += [paths.timing(stage) for stage in ("download@model", "tokenize", "finetune@42", "crossfit@3", "report")]
    for file in files:
        assert any(re.match(rf"{out}(/|$)", file.as_posix()) for out in outs), file


def test_every_command_is_registered() -> None:
    """A command is a function of pipeline/commands whose docstring has an example."""
    nodes = [node for path in modules("pipeline/commands") for node in ast.parse(path.read_text()).body]
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
    names = {node.name for node in functions if "Example: `" in (ast.get_docstring(node) or "")}
    assert names == {command.callback.__name__ for command in app.registered_commands if command.callback}


def test_the_readme_names_commands_that_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    commands = [command.callback.__name__ for command in app.registered_commands if command.callback]
    code = "\n".join(re.findall(r"`([^`\n]+)`", text) + re.findall(r"```\w*\n(.*?)```", text, flags=re.DOTALL))
    for target in re.findall(r"\bmake ([a-z-]+)", code):
        assert target in targets, f"make {target}"
    for command in re.findall(r"(?<!from )\bretune ([a-z][a-z-]*)", code):
        assert command in commands, f"retune {command}"
    for stage in re.findall(r"python -m stages\.([a-z]+)", code):
        assert stage in STAGES
    for path in re.findall(r"\]\(((?!http|#)[^)]+)\)", text):
        assert (ROOT / path.partition("#")[0]).exists(), path


def test_every_module_that_a_stage_depends_on_is_code_whose_comments_are_no_change() -> None:
    def read(path: str) -> bytes | None:
        return (ROOT / path).read_bytes() if (ROOT / path).is_file() else None

    for name in STAGES:
        command = body(name)["cmd"].replace("${key}", "dataset")
        code = own_code(command, read)
        deps = [ROOT / dep for dep in body(name)["deps"] if dep.startswith("stages/")]
        files = [file for dep in deps for file in (dep.rglob("*.py") if dep.is_dir() else [dep])]
        paths = [file.relative_to(ROOT).as_posix() for file in files]
        assert paths
        assert [path for path in paths if path not in code and not in_package(path, code, read)] == []
