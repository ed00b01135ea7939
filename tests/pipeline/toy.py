"""A DVC project with a graph like retune's own, whose stages take milliseconds.

Its dvc.yaml repeats a stage over a mapping and another over `seeds`, depends on folders, on files inside an output
folder and on folders that hold outputs, and keeps its metrics out of the cache.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

from configobj import ConfigObj

REPOSITORY = Path(__file__).parents[2]
# Prefect's database, kept between sessions because creating it is slow; one per worker of pytest-xdist. Another user or
# another checkout has its own: in a database that two sessions share, the newest run may be the other session's.
_OWNER = f"{os.getuid()}-{zlib.crc32(str(REPOSITORY).encode()):08x}-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
PREFECT_HOME = Path(tempfile.gettempdir()) / f"retune-tests-prefect-{_OWNER}"

DVC_YAML = """\
stages:
  download:
    foreach:
      rows: {watch: input}
      model: {watch: pins.txt}
    do:
      cmd: >-
        python work.py data/download/${key}/content.txt data/download/${key}/extra.txt
        --from ${item.watch} --param download.${key}
      deps: [work.py, "${item.watch}"]
      params: ["download.${key}"]
      outs: ["data/download/${key}"]
      metrics:
        - "data/timing/download@${key}.json": {cache: false}
  cut:
    cmd: python work.py data/cut/tokens/a.txt data/cut/stats.json --from data/download/rows/content.txt --param cut
    deps: [work.py, code, data/download/rows/content.txt]
    params: [cut]
    outs: [data/cut/tokens]
    metrics:
      - data/cut/stats.json: {cache: false}
  train:
    foreach: ${seeds}
    do:
      cmd: >-
        python work.py data/train/${item}/model/weights.txt data/train/${item}/curve.csv
        --from data/cut/tokens data/download/model --param train --seed ${item}
      deps: [work.py, data/cut/tokens, data/download/model]
      params: [train]
      outs: ["data/train/${item}/model"]
      metrics:
        - "data/train/${item}/curve.csv": {cache: false}
      meta: {pool: gpu}
  report:
    cmd: python work.py data/report/report.md --from data/train data/download --param seeds report
    deps: [work.py, data/download, data/train]
    params: [seeds, train, report]
    outs: [data/report/report.md]
    meta: {pool: cpu}
"""

PARAMS = """\
seeds: [1, 2]
download:
  rows: {take: 3}
  model: {size: 4}
cut: {length: 5}
train: {rate: 2.0e-5, delay: 0}
report: {title: toy}
"""

WORK = '''\
"""Write files that depend on the inputs' bytes and the parameters; wait, fail or start a child where told to."""

import argparse, hashlib, os, pathlib, subprocess, sys, time
import json

parser = argparse.ArgumentParser()
parser.add_argument("outs", nargs="+")
parser.add_argument("--from", dest="inputs", nargs="*", default=[])
parser.add_argument("--param", nargs="*", default=[])
parser.add_argument("--seed", default="")
arguments = parser.parse_args()
stage = os.environ.get("DVC_STAGE", "")
with open(os.environ.get("TOY_TRACE", os.devnull), "a") as trace:
    trace.write(f"start {stage} {time.time()}\\n")
control = os.environ.get("TOY_CONTROL")
tricks = json.loads(pathlib.Path(control).read_text()) if control and os.path.exists(control) else {}
trick = tricks.get(stage, {})
print(f"working on {stage}", flush=True)
if trick.get("child"):
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)  # toy child"], start_new_session=True)
time.sleep(trick.get("sleep", 0))
flag = pathlib.Path(f".retune/killed-{stage}")
if trick.get("killed_once") and not flag.exists():
    flag.touch()
    os.kill(os.getpid(), 9)
if trick.get("fail"):
    print(f"error: {trick['fail']}", file=sys.stderr)
    raise SystemExit(1)
if stage == "none":  # never: by this line the folder is code of the stage, whatever a test writes into it
    from code import one, two
digest = hashlib.sha256()
for source in arguments.inputs:
    source = pathlib.Path(source)
    for path in sorted([source] if source.is_file() else [p for p in source.rglob("*") if p.is_file()]):
        if path.name != ".gitignore":
            digest.update(path.as_posix().encode() + path.read_bytes())
lines = pathlib.Path("params.yaml").read_text().splitlines()
for name in arguments.param:
    digest.update("".join(line for line in lines if line.startswith(name.split(".")[0] + ":")).encode())
digest.update(arguments.seed.encode())
value = digest.hexdigest() if not trick.get("constant") else "constant"
for out in map(pathlib.Path, arguments.outs):
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text('"' + out.name + value + '"\\n')
timing = pathlib.Path("data/timing", f"{stage}.json")
if stage.startswith("download@"):
    timing.parent.mkdir(exist_ok=True)
    timing.write_text('{"seconds": 1.5}')
with open(os.environ.get("TOY_TRACE", os.devnull), "a") as trace:
    trace.write(f"end {stage} {time.time()}\\n")
'''


def environment(**extra: str) -> dict[str, str]:
    """An environment with this interpreter's `python` and `dvc` first on the PATH, and no telemetry."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    controls = {"TOY_CONTROL": "control.json", "TOY_TRACE": "trace.txt"}
    quiet = {"DVC_NO_ANALYTICS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    return {**os.environ, "PATH": path, "PREFECT_HOME": str(PREFECT_HOME), **controls, **quiet, **extra}


def git(root: Path, *arguments: str) -> str:
    """Run git in the project and return what it prints."""
    command = ["git", "-c", "user.name=toy", "-c", "user.email=toy@example.com", *arguments]
    return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout


def dvc(root: Path, *arguments: str, **extra: str) -> str:
    """Run dvc in the project as a user does, and return what it prints."""
    command = [sys.executable, "-m", "dvc", *arguments]
    done = subprocess.run(command, cwd=root, env=environment(**extra), capture_output=True, text=True)
    if done.returncode:
        raise AssertionError(f"dvc {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def add_remote(root: Path, url: str) -> None:
    """Make a folder or a URL DVC's default remote; `dvc remote add` can't write letters outside ASCII."""
    config = ConfigObj(str(root / ".dvc/config"), encoding="utf-8")
    config['remote "storage"'] = {"url": url}
    config.setdefault("core", {})["remote"] = "storage"
    config.write()


def retune(root: Path, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
    """Run retune in the project as a user does."""
    command = [sys.executable, "-P", "-m", "pipeline.cli", *arguments]
    return subprocess.run(command, cwd=root, env=environment(**extra), capture_output=True, text=True, check=False)


def trace(root: Path) -> list[tuple[str, str, float]]:
    """The lines that stages wrote at their start and end: `start` or `end`, the stage, the time."""
    path = root / "trace.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    return [(what, stage, float(when)) for what, stage, when in map(str.split, lines)]


def create(root: Path) -> Path:
    """Write the toy project into the folder and commit it."""
    (root / "input").mkdir(parents=True)
    (root / "code").mkdir()
    for name, text in {
        "dvc.yaml": DVC_YAML,
        "params.yaml": PARAMS,
        "work.py": WORK,
        "pins.txt": "one\n",
        "input/rows.csv": "a,b\n1,2\n",
        "code/one.py": "1\n",
        "code/two.py": "2\n",
        ".dvcignore": "__pycache__/\n*.pyc\n.gitignore\n*.partial\n.retune/\n",
        ".gitignore": "/.retune/\n/control.json\n/trace.txt\n/data/\n",
    }.items():
        (root / name).write_text(text)
    git(root, "init", "-q", "-b", "main")
    dvc(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "The toy project")
    return root


def edit(root: Path, name: str, old: str, new: str) -> None:
    """Replace text in a file, which must contain it."""
    text = (root / name).read_text()
    assert old in text, f"{name} does not contain {old!r}"
    (root / name).write_text(text.replace(old, new))


def hashes(root: Path) -> dict[str, str]:
    """The MD5 of every output in dvc.lock, by path."""
    from ruamel.yaml import YAML

    stages = YAML(typ="safe").load((root / "dvc.lock").read_text())["stages"]
    return {out["path"]: out["md5"] for stage in stages.values() for out in stage.get("outs", ())}


LEFT_OUT = ("tests", "benchmarks", "docs", "data")


def own_project(root: Path) -> Path:
    """A git repository with this project's own files, but without tests, benchmarks, docs and data."""
    for name in git(REPOSITORY, "ls-files", "--cached", "--others", "--exclude-standard").splitlines():
        if not name.startswith(tuple(f"{folder}/" for folder in LEFT_OUT)) and (REPOSITORY / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, root / name)
    for name in (".gitignore", "corrections.csv", "crossfit/.gitkeep", "extrapolate/.gitkeep"):
        (root / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / "data" / name, root / "data" / name)
    (root / "dvc.lock").unlink(missing_ok=True)
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "The project")
    return root
