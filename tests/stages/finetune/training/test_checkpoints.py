import multiprocessing
import os
import pickle
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from ruamel.yaml import YAML

from stages.files import read_json, remove_folder, sha256
from stages.finetune.__main__ import main
from stages.finetune.training import checkpoints
from stages.finetune.training.checkpoints import Resume, key_of, open_folder
from stages.finetune.training.lightning_module import FinetuneModule
from stages.params import read_params
from stages.paths import Paths

ROOT = Path(__file__).parents[4]


def write_params(paths: Paths, *, machine: dict[str, object] | None = None, **finetune: object) -> None:
    yaml = YAML()
    values = yaml.load((ROOT / "recipes/default.yaml").read_text(encoding="utf-8"))
    values["machine"].update({"checkpoint_minutes": 1e-9} | (machine or {}))
    values["finetune"].update({"batch_size": 16, "accelerator": "cpu", "max_epochs": 3, "patience": None} | finetune)
    with paths.params.open("w", encoding="utf-8") as file:
        yaml.dump(values, file)


def outputs(paths: Paths) -> list[str]:
    files = [paths.finetuned(7) / "model.safetensors", paths.curve(7), paths.finetune_stats(7)]
    return [sha256(path) for path in files]


def kill_after(paths: Paths, steps: int) -> None:
    """Train in a process that dies after `steps` steps (of 6 per epoch), without a word."""
    process = multiprocessing.get_context("fork").Process(target=_train_and_die, args=(paths, steps))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert not paths.finetuned(7).exists()


def _train_and_die(paths: Paths, steps: int) -> None:
    step, made = FinetuneModule.training_step, iter(range(steps))

    def dying(*args: Any) -> Any:
        if next(made, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        return step(*args)

    FinetuneModule.training_step = dying  # type: ignore[method-assign]
    main(read_params(paths.params), paths, 7)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("steps", "options"),
    [
        ((1,), {}),
        ((6, 5), {}),  # at the end of an epoch, and again within the next
        ((4, 3, 9), {"ema_decay": 0.9, "warmup_ratio": 0.3}),
        ((9,), {"accumulate_grad_batches": 2}),
        ((13,), {"method": "gradual", "frozen_epochs": 1}),
        ((8,), {"method": "lora"}),
        ((14,), {"method": "frozen", "max_epochs": 5}),
        ((11,), {"machine": {"checkpoint_minutes": 60.0}}),
        ((7,), {"patience": 1, "learning_rate": 0.3}),
        ((4, 20, 9), {"soup": 2}),  # in the first training, then in the second, twice
        ((20,), {"soup": 2, "method": "lora"}),
        ((37,), {"soup": 3, "method": "partial", "frozen_layers": 1}),
    ],
)
def test_a_killed_run_ends_as_one_that_was_not(
    paths: Paths, steps: tuple[int, ...], options: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "EPOCH_SECONDS", 0)  # these epochs are short, and one of the runs has no others
    write_params(paths, **options)
    main(read_params(paths.params), paths, 7)
    expected = outputs(paths)
    remove_folder(paths.finetuned(7))
    for some in steps:
        kill_after(paths, some)
    trained = count_steps(paths)
    assert outputs(paths) == expected
    assert trained < 18  # it did not start again, and a training that has ended was not repeated
    assert not list(paths.checkpoints.glob("*"))


@pytest.mark.parametrize(
    ("minutes", "epoch_seconds", "saved"),
    [
        (60.0, 30.0, 0),  # epochs of less than a second: what a kill would cost is less than their checkpoints
        (60.0, 0.0, 2),  # after each but the last
        (1e-9, 30.0, 18),  # after each batch, of which the last of an epoch is its end
    ],
)
def test_an_epoch_ends_with_a_checkpoint_where_enough_would_be_lost(
    paths: Paths, minutes: float, epoch_seconds: float, saved: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, made = Resume._save, []
    monkeypatch.setattr(checkpoints, "EPOCH_SECONDS", epoch_seconds)
    monkeypatch.setattr(Resume, "_save", lambda *args: made.append(1) or save(*args))
    write_params(paths, machine={"checkpoint_minutes": minutes})
    main(read_params(paths.params), paths, 7)
    assert len(made) == saved


def count_steps(paths: Paths) -> int:
    """Run the stage to its end, and return how many steps it made."""
    made, step = [], FinetuneModule.training_step
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FinetuneModule, "training_step", lambda *args: made.append(1) or step(*args))
        main(read_params(paths.params), paths, 7)
    return len(made)


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "a flipped bit": lambda content: content[:-2000] + bytes([content[-2000] ^ 1]) + content[-1999:],
    "cut off": lambda content: content[: len(content) // 2],
    "empty": lambda content: b"",
    "another file": lambda content: pickle.dumps({"state_dict": {}}),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "killed", "files", "steps"),
    [
        ({}, 8, ("last-*.ckpt", "best-*.ckpt"), 18),
        ({"ema_decay": 0.9}, 8, ("last-*.ckpt", "best-*.ckpt"), 18),
        ({"soup": 2}, 20, ("mean-*.safetensors",), 34),  # the second training goes on from its own checkpoint
    ],
)
def test_a_damaged_checkpoint_is_named_and_not_used(
    paths: Paths,
    options: dict[str, object],
    killed: int,
    files: tuple[str, ...],
    steps: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    write_params(paths, **options)
    main(read_params(paths.params), paths, 7)
    expected = outputs(paths)
    remove_folder(paths.finetuned(7))
    kill_after(paths, killed)
    kept = paths.root / "kept"
    shutil.copytree(paths.checkpoints, kept)
    for file in files:
        for kind, damaging in DAMAGES.items():
            remove_folder(paths.checkpoints)
            shutil.copytree(kept, paths.checkpoints)
            [path] = paths.checkpoints.rglob(file)
            path.write_bytes(damaging(path.read_bytes()))
            caplog.clear()
            assert count_steps(paths) == steps, f"{file}: {kind}"
            assert outputs(paths) == expected, f"{file}: {kind}"
            assert "is damaged, so it is not used" in caplog.text


@pytest.mark.slow
def test_the_best_epoch_is_known_in_another_folder(paths: Paths, tmp_path_factory: pytest.TempPathFactory) -> None:
    """As on another machine, to which a worker's checkpoints are copied: the epochs there are worse than the first."""
    write_params(paths, learning_rate=0.1, monitor="val.accuracy")
    main(read_params(paths.params), paths, 7)
    expected, best = outputs(paths), read_json(paths.finetune_stats(7))["best_epoch"]
    remove_folder(paths.finetuned(7))
    kill_after(paths, 6 * best + 2)
    elsewhere = Paths(tmp_path_factory.mktemp("elsewhere") / "root")
    shutil.copytree(paths.root, elsewhere.root)
    remove_folder(paths.root)
    assert count_steps(elsewhere) < 18
    assert outputs(elsewhere) == expected


def test_a_kill_after_a_better_epoch_keeps_the_checkpoint_before_it(tmp_path: Path) -> None:
    """The last checkpoint tells of a best epoch that is gone already, and the new one's file is there."""
    whole = tmp_path / "whole"
    torch.save({"callbacks": {"best": {"best_model_path": "/x/best-epoch=0.ckpt", "digest": "0" * 64}}}, whole)
    last = whole.rename(tmp_path / f"last-{sha256(whole)}.ckpt")
    resume = Resume(tmp_path, minutes=1.0, batches=None)
    (tmp_path / "best-epoch=1.ckpt").write_text("newer")
    assert resume.find_previous() == last
    (tmp_path / "best-epoch=1.ckpt").unlink()
    assert resume.find_previous() is None
    assert not tmp_path.exists()


@pytest.mark.slow
def test_other_inputs_start_anew(paths: Paths) -> None:
    write_params(paths)
    kill_after(paths, 8)
    write_params(paths, learning_rate=1e-3)
    assert count_steps(paths) == 18
    assert not list(paths.checkpoints.glob("*"))


@pytest.mark.slow
def test_other_machine_settings_keep_the_checkpoint(paths: Paths) -> None:
    write_params(paths, machine={"num_workers": 1, "loggers": []})
    kill_after(paths, 8)
    write_params(paths, machine={"num_workers": 0, "unpack_limit_mb": 1})
    assert 0 < count_steps(paths) < 18


@pytest.mark.slow
def test_a_checkpoint_holds_only_what_loads_without_running_anything(paths: Paths) -> None:
    write_params(paths, ema_decay=0.9)
    kill_after(paths, 8)
    files = list(paths.checkpoints.rglob("*.ckpt"))
    assert len(files) == 2  # the last state, and the best epoch so far
    for path in files:
        torch.load(path, weights_only=True)


def test_everything_that_decides_the_result_is_in_the_key(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("a")
    keys = {key_of({"seed": seed}, [file]) for seed in (1, 2)}
    assert key_of({"seed": 1}, [file]) in keys
    file.write_text("b")
    keys.add(key_of({"seed": 1}, [file]))
    assert len(keys) == 3


def test_one_unfinished_run_per_seed_is_kept(tmp_path: Path) -> None:
    for name in ("finetune-7-old", "finetune-7-mine", "finetune-71-other"):
        (tmp_path / name).mkdir()
    assert open_folder(tmp_path, "finetune-7", "mine") == tmp_path / "finetune-7-mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["finetune-7-mine", "finetune-71-other"]
