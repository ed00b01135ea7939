"""A toy project with a git origin and a DVC remote; each stage that runs leaves an event."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.pipeline.toy import add_remote

ROOT = Path(__file__).parents[3]
TOY = Path(__file__).parent / "toy"
IGNORE = (
    "/.retune/\n/data/download/\n/data/*/*/model/\n/data/*/*/predictions.txt\n/data/*/*/forecast.json\n"
    "/data/report/report.md\n__pycache__/\n"
)


def run(folder: Path, *command: str, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def locked_stages(folder: Path) -> Any:
    """The entries of a dvc.lock, by stage."""
    return YAML(typ="safe").load(folder / "dvc.lock")["stages"]


class ToyProject:
    """A toy project with a git origin and a DVC remote; each stage that runs leaves an event."""

    def __init__(self, events: Path, folder: Path) -> None:
        self.event_folder = events
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.origin = folder / "origin.git"
        self.remote = folder / "remote"
        self.work = folder / "work"
        for path in events.iterdir():
            path.unlink()

    def create(
        self, *, remote: str | None = None, seeds: str = "[1]", folds: str = "[]", text: str | None = None
    ) -> None:
        """Write and push the project; without a `text` its rows are its own, so that no worker's cache has a result."""
        self.work.mkdir(parents=True)
        for source in TOY.iterdir():
            if source.is_file():
                shutil.copy(source, self.work)
        params = (ROOT / "recipes/default.yaml").read_text().replace("seeds: [42]", f"seeds: {seeds}")
        params = params.replace("folds: []", f"folds: {folds}")
        (self.work / "params.yaml").write_text(params)
        (self.work / "source.txt").write_text(text or f"rows of {self.folder}\n")
        (self.work / ".gitignore").write_text(IGNORE)
        for name in (
            "crossfit",
            "extrapolate",
        ):  # as in the project: report reads these folders, also while they are empty
            (self.work / "data" / name).mkdir(parents=True)
            shutil.copy(ROOT / f"data/{name}/.gitkeep", self.work / "data" / name)
        shutil.copy(ROOT / ".dvcignore", self.work)
        run(self.work, "git", "init", "--quiet", "--initial-branch=main")
        run(self.work, "git", "config", "user.email", "toy@localhost")
        run(self.work, "git", "config", "user.name", "toy")
        self.dvc("init", "--quiet")
        add_remote(self.work, remote or str(self.remote))
        run(self.folder, "git", "init", "--quiet", "--bare", "--initial-branch=main", str(self.origin))
        run(self.work, "git", "remote", "add", "origin", str(self.origin))
        self.commit("Start")

    def copy(self, source: Path) -> None:
        """Clone a real project, with a git origin and a DVC remote of its own."""
        run(self.folder, "git", "clone", "--quiet", str(source), str(self.work))
        run(self.work, "git", "checkout", "--quiet", "-B", "main")
        run(self.work, "git", "config", "user.email", "toy@localhost")
        run(self.work, "git", "config", "user.name", "toy")
        run(self.folder, "git", "init", "--quiet", "--bare", "--initial-branch=main", str(self.origin))
        run(self.work, "git", "remote", "set-url", "origin", str(self.origin))
        add_remote(self.work, str(self.remote))
        self.commit("A remote")

    def dvc(self, *arguments: str, folder: Path | None = None) -> str:
        return run(folder or self.work, sys.executable, "-m", "dvc", *arguments, **self.toy_environment())

    def toy_environment(self) -> dict[str, str]:
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        return {"PATH": path, "TOY_EVENTS": str(self.event_folder), "DVC_NO_ANALYTICS": "1"}

    def commit(self, message: str) -> str:
        run(self.work, "git", "add", "--all")
        run(self.work, "git", "commit", "--quiet", "--message", message)
        run(self.work, "git", "push", "--quiet", "origin", "HEAD:main")
        return run(self.work, "git", "rev-parse", "HEAD").strip()

    def clone(self, name: str, branch: str) -> Path:
        run(self.folder, "git", "clone", "--quiet", "--branch", branch, str(self.origin), name)
        return self.folder / name

    def head(self, branch: str) -> str:
        return run(self.origin, "git", "rev-parse", branch).strip()

    def branches(self) -> list[str]:
        lines = run(self.origin, "git", "for-each-ref", "--format=%(refname:short)", "refs/heads/retune")
        return lines.split()

    def slow(self, stage: str, ticks: int) -> None:
        (self.event_folder / f"slow-{stage}").write_text(str(ticks))

    def events(self, what: str = "start") -> list[dict[str, Any]]:
        paths = sorted(self.event_folder.glob(f"*.{what}"))
        if what == "start":
            paths = sorted([*paths, *self.event_folder.glob("*.done")])
        return [json.loads(path.read_text()) for path in paths]

    def ran(self) -> list[str]:
        """The stages that ran to their end, in that order."""
        return [event["stage"] for event in self.events("end")]

    def objects(self) -> list[Path]:
        return [path for path in (self.remote / "files").rglob("*") if path.is_file()]

    def records(self) -> list[str]:
        return sorted(path.parent.name for path in (self.remote / "runs").rglob("*") if path.is_file())
