"""`import retune`: its names, what they cost, and that it is installed with the two packages."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import retune
from pipeline.commands.plan import plan_changes
from pipeline.comparison.compare import compare
from stages.inference import Classifier, NumberPrediction, Prediction, SetPrediction
from tests.pipeline import toy
from tests.test_contract import imports, modules

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_its_names_are_the_objects_of_the_two_packages() -> None:
    objects = {
        "Classifier": Classifier,
        "NumberPrediction": NumberPrediction,
        "Prediction": Prediction,
        "SetPrediction": SetPrediction,
        "compare": compare,
        "plan": plan_changes,
    }
    assert set(retune.__all__) == set(objects)
    for name, value in objects.items():
        assert getattr(retune, name) is value
    assert set(dir(retune)) == {*objects, "__version__"}


def test_another_name_is_an_attribute_error_that_lists_them() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'train'; its names are Classifier, NumberPrediction, "):
        retune.train  # noqa: B018


@pytest.mark.parametrize("use", ["import retune", "from retune import compare, plan"])
def test_torch_is_loaded_for_the_classifier_alone(use: str) -> None:
    code = f"{use}; import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"torch", "transformers", "prefect"} & set(done.stdout.split())


def test_plan_says_what_would_run(tmp_path: Path) -> None:
    plans = {plan.stage: plan.state for plan in retune.plan(toy.create(tmp_path / "project"))}
    assert plans == {
        "download@rows": "runs",
        "download@model": "runs",
        "cut": "pending",
        "train@1": "pending",
        "train@2": "pending",
        "report": "pending",
    }


@pytest.mark.parametrize("arguments", [["--version"], ["--version", "plan"]])
def test_the_version_is_that_of_pyproject(arguments: list[str], tmp_path: Path) -> None:
    done = toy.retune(tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (0, f"retune {PROJECT['project']['version']}\n")
    assert retune.__version__ == PROJECT["project"]["version"]


def test_it_is_packaged() -> None:
    assert PROJECT["tool"]["setuptools"]["py-modules"] == ["retune"]


@pytest.mark.parametrize("wing", ["stages", "pipeline"])
def test_neither_package_imports_it(wing: str) -> None:
    for path in modules(wing):
        assert "retune" not in {name.split(".")[0] for name in imports(path)}, path
