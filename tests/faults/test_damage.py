"""Every kind of file flipped, cut off or emptied somewhere: in cache, remote, checkpoint, features and model."""

import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from stages.paths import Paths
from tests.faults import faults
from tests.pipeline import toy
from tests.stages.finetune.tiny import write_encoder, write_tokens
from tests.stages.finetune.training.test_checkpoints import kill_after, write_params
from tests.stages.finetune.training.test_checkpoints import outputs as trained

PLACES = {"objects in the cache": ".dvc/cache/files", "entries in the run-cache": ".dvc/cache/runs"}


def damage_some(folder: Path, kind: str, chance: random.Random) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in chance.sample(files, min(2, len(files))):
        faults.damage(path, kind, chance)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("number", range(10))
@pytest.mark.parametrize("kind", faults.DAMAGES)
@pytest.mark.parametrize("place", PLACES)
def test_what_dvc_keeps(copy: Path, count: Callable[[str, str], None], place: str, kind: str, number: int) -> None:
    chance, before = faults.chance_of(place, kind, number), toy.hashes(copy)
    damage_some(copy / PLACES[place], kind, chance)
    stage = chance.choice(["cut", "report"])
    shutil.rmtree(copy / "data" / stage)
    if chance.random() < 0.5:
        (copy / "dvc.lock").unlink()
    assert faults.drive(copy, stage) == []
    assert {path: md5 for path, md5 in toy.hashes(copy).items() if f"/{stage}/" in path} == {
        path: md5 for path, md5 in before.items() if f"/{stage}/" in path
    }
    count(f"damage: {place}", kind)


@pytest.fixture(scope="session")
def pushed(toy_that_ran: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy project beside its remote, which has everything; the cache is empty."""
    folder = tmp_path_factory.mktemp("pushed")
    root = faults.copy_project(toy_that_ran, folder / "project")
    toy.dvc(root, "remote", "add", "-d", "store", "../../remote")
    toy.dvc(root, "push", "--run-cache")
    shutil.rmtree(root / ".dvc/cache")
    return folder


@pytest.mark.timeout(300)
@pytest.mark.parametrize("number", range(10))
@pytest.mark.parametrize("kind", faults.DAMAGES)
def test_what_the_remote_keeps(
    pushed: Path, tmp_path: Path, count: Callable[[str, str], None], kind: str, number: int
) -> None:
    folder, chance = faults.copy_project(pushed, tmp_path / "pushed"), faults.chance_of("remote", kind, number)
    root, before = folder / "project", toy.hashes(pushed / "project")
    damage_some(folder / "remote", kind, chance)
    (root / "data/report/report.md").unlink()
    if chance.random() < 0.5:
        shutil.rmtree(root / "data/cut/tokens")
    assert faults.drive(root) == []
    assert toy.hashes(root) == before
    count("damage: the remote", kind)


@pytest.fixture(scope="session")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A fine-tune that was killed in its second epoch, with the hashes that it has where it is not."""
    paths = Paths(tmp_path_factory.mktemp("killed"))
    write_tokens(paths)
    write_encoder(paths.encoder)
    write_params(paths)
    train(paths.root)
    expected = trained(paths)
    shutil.rmtree(paths.finetuned(7))
    kill_after(paths, 8)
    return paths.root, expected


def train(root: Path) -> None:
    code = "import sys; from pathlib import Path; from stages.finetune.__main__ import main; "
    code += "from stages.params import read_params; from stages.paths import Paths; "
    code += "paths = Paths(Path(sys.argv[1])); main(read_params(paths.params), paths, 7)"
    done = subprocess.run([sys.executable, "-c", code, str(root)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.timeout(300)
@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("kind", faults.DAMAGES)
def test_checkpoints(
    killed: tuple[Path, list[str]], tmp_path: Path, count: Callable[[str, str], None], kind: str, number: int
) -> None:
    source, expected = killed
    paths = Paths(faults.copy_project(source, tmp_path / "project"))
    damage_some(paths.checkpoints, kind, faults.chance_of("checkpoint", kind, number))
    train(paths.root)
    assert trained(paths) == expected
    assert not list(paths.checkpoints.iterdir())
    count("damage: checkpoints", kind)


@pytest.fixture(scope="session")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A fine-tune of a frozen encoder, whose features are kept."""
    paths = Paths(tmp_path_factory.mktemp("frozen"))
    write_tokens(paths)
    write_encoder(paths.encoder)
    write_params(paths, method="frozen")
    train(paths.root)
    return paths.root, trained(paths)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", faults.DAMAGES)
def test_features(frozen: tuple[Path, list[str]], tmp_path: Path, count: Callable[[str, str], None], kind: str) -> None:
    source, expected = frozen
    paths = Paths(faults.copy_project(source, tmp_path / "project"))
    faults.damage(paths.kept_rows, kind, faults.chance_of("features", kind))
    shutil.rmtree(paths.finetuned(7))
    train(paths.root)
    assert trained(paths) == expected
    count("damage: features", kind)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("number", range(5))
@pytest.mark.parametrize("kind", faults.DAMAGES)
def test_a_model_folder(
    real_project: tuple[Path, dict[str, float]],
    tmp_path: Path,
    count: Callable[[str, str], None],
    kind: str,
    number: int,
) -> None:
    """One line, or an answer: a model folder by itself has no hash to compare with; in a project DVC has it."""
    chance = faults.chance_of("model", kind, number)
    folder = faults.copy_project(real_project[0] / "data/report/model", tmp_path / "model")
    files = sorted(path for path in folder.iterdir() if path.suffix in (".json", ".safetensors"))
    path = files[number % len(files)]
    faults.damage(path, kind, chance)
    done = toy.retune(tmp_path, "predict", "good app", "--model", str(folder))
    if done.returncode:
        faults.one_line(done)
    count("damage: model folder", f"{kind}: {'one line' if done.returncode else 'an answer'}")
