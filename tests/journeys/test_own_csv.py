"""A CSV of one's own on two machines: the commands of the README, and what its comments say of another machine."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.small_project import VALUES, write_encoder, write_rows
from tests.pipeline import toy

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

README = (toy.REPOSITORY / "README.md").read_text(encoding="utf-8")
STAGES = {"download@dataset", "download@model", "tokenize", "split", "finetune@42", "evaluate@42", "report"}
RERUN = STAGES - {"download@model"}


def commands_of(section: str) -> str:
    """The first block of commands under a heading of the README."""
    block = re.search(rf"^## {section}\n.*?```bash\n(.*?)```", README, flags=re.DOTALL | re.MULTILINE)
    assert block, section
    return block.group(1)


class Machine:
    """A folder for a home, a checkout of the project in it, and a shell in which `retune` and `dvc` are commands."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.project = home / "retune"
        (home / "bin").mkdir(parents=True)
        for name, module in {"retune": "pipeline.cli", "dvc": "dvc"}.items():
            command = home / "bin" / name
            command.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m {module} "$@"\n')
            command.chmod(0o755)

    def run(self, commands: str) -> str:
        variables = toy.environment(HOME=str(self.home), GIT_AUTHOR_NAME="a", GIT_COMMITTER_NAME="a")
        variables |= {"GIT_AUTHOR_EMAIL": "a@example.com", "GIT_COMMITTER_EMAIL": "a@example.com"}
        variables["PATH"] = f"{self.home / 'bin'}{os.pathsep}{variables['PATH']}"
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            cwd=self.project,
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def states(self) -> dict[str, str]:
        """What `retune plan` says of each stage."""
        return {line.split()[0]: line.split()[1] for line in self.run("retune plan").splitlines()[1:-1]}


def test_an_own_csv_on_two_machines(tmp_path: Path) -> None:
    one, two = Machine(tmp_path / "one"), Machine(tmp_path / "two")
    toy.own_project(one.project)
    write_encoder(one.project / "encoder")
    write_rows(one.home / "reviews/reviews.csv")
    (one.home / "reviews/reviews.csv").rename(one.home / "reviews.csv")
    origin = tmp_path / "origin.git"
    toy.git(tmp_path, "clone", "-q", "--bare", str(one.project), str(origin))
    one.run(f"git remote add origin {origin} && git push -q -u origin main")
    quick = " ".join(f"-S '{value}'" for value in VALUES if not value.startswith("download.dataset"))
    one.run(f"retune use default {quick}")

    one.run(commands_of("Your own CSV").replace("s3://BUCKET/retune", str(tmp_path / "storage")))
    assert one.states() == dict.fromkeys(STAGES, "fresh")
    rows = (one.home / "reviews.csv").read_text()
    assert "data/mine/reviews.csv" not in one.run("git ls-files").split()
    assert "love" in rows
    assert "love" not in one.run("git grep -h love $(git rev-list --all) -- data || true")

    toy.git(two.home, "clone", "-q", str(origin), "retune")
    assert two.states() == dict.fromkeys(STAGES, "restored"), "before a pull: all of it is in the remote"
    two.run("dvc pull")
    assert (two.project / "data/mine/reviews.csv").read_text() == rows

    with (two.project / "data/mine/reviews.csv").open("a") as file:
        file.write("150,love it,1\n")
    states = two.states()
    assert states["download@dataset"] == "runs"
    assert {stage for stage, state in states.items() if state != "fresh"} == RERUN
    two.run("retune run download@dataset && git commit -qam 'A new row' && dvc push && git push")
    one.run("git pull -q && dvc pull data/mine/reviews.csv")
    assert (one.project / "data/mine/reviews.csv").read_text() == rows + "150,love it,1\n"
    assert one.states()["download@dataset"] in ("restored", "fresh"), "the other machine's work is not done again"
