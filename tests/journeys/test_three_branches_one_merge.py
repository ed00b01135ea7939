"""Three branches that all ran come together in a fresh clone on another machine, as docs/pull-requests.md says.

A person merges, settles what git can't, and runs: what a branch has computed is restored from the DVC remote, and only
what no branch has computed is run.
"""

import json
import re
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.end_to_end.small_project import VALUES, write_encoder, write_rows
from tests.journeys.long import minutes_long
from tests.pipeline import toy

pytestmark = [pytest.mark.slow, minutes_long]
BRANCHES = {  # branch -> its one change
    "rate": "finetune.learning_rate=3.0e-3",
    "seeds": "seeds=[42, 43]",
    "confidence": "evaluate.confidence=0.9",
}


class Clone:
    """A clone of the project on a machine of its own: nothing but git and the DVC remote is shared."""

    def __init__(self, origin: Path, folder: Path, api: str) -> None:
        toy.git(folder.parent, "clone", "-q", str(origin), str(folder))
        self.root = folder
        self._api = api
        self.git("config", "user.name", "toy")
        self.git("config", "user.email", "toy@localhost")

    def git(self, *arguments: str, code: int = 0) -> str:
        done = subprocess.run(["git", *arguments], cwd=self.root, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def run(self, *arguments: str) -> list[str]:
        """The stages that `retune run` ran, without those that it restored."""
        done = toy.retune(self.root, "run", *arguments, PREFECT_API_URL=self._api)
        assert done.returncode == 0, done.stdout + done.stderr
        return re.findall(r"^(\S+): running", done.stdout, flags=re.MULTILINE)

    def plan(self) -> dict[str, str]:
        """The state of each stage."""
        planned = toy.retune(self.root, "plan", "--json")
        assert planned.returncode == 0, planned.stderr
        return {line["stage"]: line["state"] for line in json.loads(planned.stdout)}

    def publish(self, branch: str) -> None:
        """Commit the results and push them."""
        self.git("add", "-A")
        self.git("commit", "-q", "-m", f"Results of {branch}")
        toy.dvc(self.root, "push", "-q", "--run-cache")
        self.git("push", "-q", "origin", branch)

    def merge(self, branch: str) -> None:
        """Merge a branch that has also run: git reports a conflict and leaves no markers in what stages write."""
        self.git("merge", f"origin/{branch}", code=1)
        unsettled = self.git("diff", "--name-only", "--diff-filter=U").split()
        assert "dvc.lock" in unsettled
        assert not [name for name in unsettled if name != "dvc.lock" and not name.startswith("data/")]
        for name in unsettled:
            assert "<<<<<<<" not in (self.root / name).read_text(encoding="utf-8")


def publish_project(folder: Path) -> Path:
    """A bare repository with the project, its own rows and a tiny encoder; none of it has run."""
    project = toy.own_project(folder / "project")
    write_rows(project / "data/samples/toy.csv")
    write_encoder(project / "encoder")
    toy.add_remote(project, str(folder / "remote"))
    done = toy.retune(project, "use", "default", *[part for value in VALUES for part in ("-S", value)])
    assert done.returncode == 0, done.stderr
    toy.git(project, "add", "-A")
    toy.git(project, "commit", "-q", "-m", "Our data")
    origin = folder / "origin.git"
    toy.git(folder, "clone", "-q", "--bare", str(project), str(origin))
    return origin


@pytest.mark.timeout(1800)
def test_three_branches_one_merge(tmp_path: Path, prefect_api: str) -> None:
    origin = publish_project(tmp_path)
    first = Clone(origin, tmp_path / "first", prefect_api)
    assert "finetune@42" in first.run()
    first.publish("main")
    for branch, change in BRANCHES.items():
        first.git("checkout", "-q", "-b", branch, "main")
        assert first.run("-S", change)
        first.publish(branch)

    second = Clone(origin, tmp_path / "second", prefect_api)
    second.git("merge", "-q", "origin/rate")
    second.merge("seeds")
    planned = second.plan()
    assert (planned["finetune@42"], planned["finetune@43"]) == ("restored", "runs"), (
        "no branch has this rate at seed 43"
    )
    assert second.run() == ["finetune@43", "evaluate@43", "report"]
    second.git("add", "-A")
    second.git("commit", "-q", "--no-edit")

    second.merge("confidence")
    ran = second.run()
    assert sorted(ran) == ["evaluate@42", "evaluate@43", "report"], "nothing is trained for another confidence"
    second.publish("main")
    assert set(second.plan().values()) == {"fresh"}
    params = YAML(typ="safe").load(second.root / "params.yaml")
    merged = params["finetune"]["learning_rate"], params["seeds"], params["evaluate"]["confidence"]
    assert merged == (3e-3, [42, 43], 0.9)

    colleague = Clone(origin, tmp_path / "colleague", prefect_api)
    assert "Running stage" not in toy.dvc(colleague.root, "repro", "--pull")
    assert colleague.git("status", "--porcelain", "--untracked-files=no") == ""
