"""Random graphs and random edits: the plan says beforehand what `dvc repro` then does."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dvc.repo import Repo
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from pipeline.planning.plan import make_plan
from pipeline.repository.project import Project

# Writes one digit that depends on the inputs, often the same one, so that an upstream output comes out identical. The
# stage's name keeps outputs of two stages apart: if they shared an object that was lost, a run of one stage would bring
# it back for the other, which no plan can know beforehand.
WORK = """\
name=$1; outs=$2; shift 2
echo "$name" >> trace.txt
value=$name-$({ for dep in "$@"; do find "$dep" -type f ! -name .gitignore | sort | xargs cat; done
         grep "^$name:" params.yaml; } | cksum | cut -c1)
for out in $outs; do
  case "$out" in
    *.txt) mkdir -p "$(dirname "$out")"; echo "$value" > "$out" ;;
    *) mkdir -p "$out/deep"; echo "$value" > "$out/part.txt"; echo "${value}x" > "$out/deep/more.txt" ;;
  esac
done
"""
SOURCES = ("a.txt", "b.txt", "folder")


@dataclass
class Toy:
    """A graph drawn by hypothesis; `deps` may name sources, outputs, parts of output folders, folders of outputs."""

    stages: list[tuple[str, tuple[str, ...], tuple[str, ...], bool]] = field(default_factory=list)

    def write(self, root: Path) -> None:
        stages = {}
        for name, deps, outs, cached in self.stages:
            command = f"sh work.sh {name} '{' '.join(outs)}' {' '.join(deps)}"
            kind = {"outs": list(outs)} if cached else {"metrics": [{out: {"cache": False}} for out in outs]}
            stages[name] = {"cmd": command, "deps": ["work.sh", *deps], "params": [name], **kind}
        with (root / "dvc.yaml").open("w") as file:
            YAML().dump({"stages": stages}, file)

    @property
    def outs(self) -> list[str]:
        return [out for _, _, outs, _ in self.stages for out in outs]


@st.composite
def graphs(draw: st.DrawFn) -> Toy:
    toy = Toy()
    for number in range(draw(st.integers(2, 5))):
        parts = [f"{out}/part.txt" for out in toy.outs if not out.endswith(".txt")]
        deep = [f"{out}/deep" for out in toy.outs if not out.endswith(".txt")]
        above = ["out"] if toy.outs and draw(st.booleans()) else []
        choices = [*SOURCES, *toy.outs, *parts, *deep]
        deps = draw(st.lists(st.sampled_from(choices), min_size=1, max_size=3, unique=True))
        cached = draw(st.booleans())
        base = f"result/{number}" if above else f"out/{number}"  # a stage that reads `out` must not write there
        kinds = [f"{base}.txt", base] if cached else [f"{base}.txt"]
        outs = draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=2, unique=True))
        toy.stages.append((f"s{number}", (*above, *deps) if above else tuple(deps), tuple(outs), cached))
        if above:
            break
    return toy


def change_source(root: Path, toy: Toy, pick: Callable[[int], int]) -> str:
    path = root / ("a.txt", "b.txt", "folder/one.txt", "folder/two.txt")[pick(4)]
    path.write_text(f"{pick(3)}\n")
    return f"write {path.name}"


def change_param(root: Path, toy: Toy, pick: Callable[[int], int]) -> str:
    lines = (root / "params.yaml").read_text().splitlines()
    number = pick(len(toy.stages))
    lines[number] = f"s{number}: {pick(3)}"
    (root / "params.yaml").write_text("\n".join(lines) + "\n")
    return lines[number]


def remove_output(root: Path, toy: Toy, pick: Callable[[int], int]) -> str:
    out = toy.outs[pick(len(toy.outs))]
    shutil.rmtree(root / out) if (root / out).is_dir() else (root / out).unlink(missing_ok=True)
    return f"remove {out}"


def change_output(root: Path, toy: Toy, pick: Callable[[int], int]) -> str:
    out = toy.outs[pick(len(toy.outs))]
    path = root / out if out.endswith(".txt") else root / out / "part.txt"
    if path.exists():
        path.unlink()
        path.write_text("by hand\n")
    return f"change {out}"


def change_command(root: Path, toy: Toy, pick: Callable[[int], int]) -> str:
    number = pick(len(toy.stages))
    text = (root / "dvc.yaml").read_text().replace(f"sh work.sh s{number} ", f"sh  work.sh s{number} ")
    (root / "dvc.yaml").write_text(text)
    return f"command of s{number}"


def lose_object(root: Path, toy: Toy, pick: Callable[[int], int]) -> str:
    found = sorted(path for path in (root / ".dvc/cache/files").rglob("*") if path.is_file())
    if found:
        found[pick(len(found))].unlink()
    return "lose an object"


def lose_lock(root: Path, toy: Toy, pick: Callable[[int], int]) -> str:
    (root / "dvc.lock").unlink(missing_ok=True)
    return "lose dvc.lock"


EDITS = (change_source, change_param, remove_output, change_output, change_command, lose_object, lose_lock)


@contextmanager
def working_in(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def create(root: Path, toy: Toy) -> None:
    (root / "folder").mkdir(parents=True)
    for name in ("a.txt", "b.txt", "folder/one.txt", "folder/two.txt"):
        (root / name).write_text("0\n")
    (root / "work.sh").write_text(WORK)
    (root / "params.yaml").write_text("".join(f"s{number}: 0\n" for number in range(len(toy.stages))))
    (root / ".dvcignore").write_text(".gitignore\n")
    toy.write(root)


def reproduce(root: Path) -> tuple[set[str], set[str]]:
    """Run `dvc repro`; return the stages whose command ran, and those that were only restored."""
    (root / "trace.txt").unlink(missing_ok=True)
    with Repo(str(root)) as repo:
        done = {stage.name for stage in repo.reproduce()}
    ran = set((root / "trace.txt").read_text().split()) if (root / "trace.txt").exists() else set()
    return ran, done - ran


@settings(
    max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=bool(os.environ.get("CI"))
)
@given(toy=graphs(), data=st.data())
def test_dvc_repro_does_what_the_plan_said(toy: Toy, data: st.DataObject) -> None:
    def pick(below: int) -> int:
        return data.draw(st.integers(0, below - 1))

    with tempfile.TemporaryDirectory() as folder, working_in(Path(folder)):
        root = Path(folder)
        create(root, toy)
        Repo.init(str(root), no_scm=True).close()
        for _ in range(4):
            with Project(root) as project:
                plans = {plan.stage: plan for plan in make_plan(project.graph, project)}
            state = {
                name: {stage for stage, plan in plans.items() if plan.state == name}
                for name in ("fresh", "restored", "runs", "pending")
            }
            note(f"planned {plans}")
            ran, restored = reproduce(root)
            note(f"ran {ran}, restored {restored}")
            assert not ran & (state["fresh"] | state["restored"]), "a stage ran that was to be fresh or restored"
            assert state["runs"] <= ran, "a stage did not run that was to run"
            assert state["restored"] <= restored, "a stage was not restored that was to be"
            assert not state["fresh"] & restored, "a fresh stage was touched"
            with Project(root) as project:
                assert {plan.state for plan in make_plan(project.graph, project)} == {"fresh"}
            for _ in range(data.draw(st.integers(1, 3))):
                note(EDITS[pick(len(EDITS))](root, toy, pick))
