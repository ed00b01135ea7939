"""Whatever is wrong around a project: each command says it in one line; what is only a memory of ours is rebuilt."""

import errno
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.execution import workspace
from pipeline.local import server
from stages.errors import PipelineError, explain
from tests.pipeline import toy
from tests.pipeline.commands.in_process import Commands

Breaker = Callable[[Path], object]


def text(name: str, content: str | bytes) -> Breaker:
    """A file with this content."""

    def write(root: Path) -> None:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)

    return write


def file(name: str) -> Breaker:
    """A file where a folder belongs."""

    def replace(root: Path) -> None:
        shutil.rmtree(root / name, ignore_errors=True)
        text(name, "x")(root)

    return replace


def folder(name: str) -> Breaker:
    """A folder where a file belongs."""

    def replace(root: Path) -> None:
        (root / name).unlink(missing_ok=True)
        (root / name).mkdir(parents=True)

    return replace


def stage(line: str) -> Breaker:
    return lambda root: toy.edit(root, "dvc.yaml", "    params: [cut]\n", f"    params: [cut]\n    {line}\n")


def remote(url: str) -> str:
    return f"[core]\n    remote = r\n['remote \"r\"']\n    url = {url}\n"


NAMED: dict[str, tuple[Breaker, str]] = {
    "DVC's configuration is broken": (
        text(".dvc/config", "[core"),
        r"DVC's configuration can't be read: .*git checkout",
    ),
    "DVC's configuration has an unknown section": (text(".dvc/config", "[cor]\n    a = 1\n"), r"not allowed.*'cor'"),
    "DVC's configuration has a wrong value": (
        text(".dvc/config", "[core]\n    autostage = x\n"),
        r"expected true or false",
    ),
    "DVC's configuration is not UTF-8": (text(".dvc/config", b"\xff"), r"DVC's configuration can't be read"),
    "DVC's configuration is a folder": (folder(".dvc/config"), r"\.dvc/config: a folder is where a file is expected"),
    "DVC's local configuration is broken": (text(".dvc/config.local", "["), r"Correct .*\.dvc/config\.local"),
    "a remote of an unknown kind": (text(".dvc/config", remote("foo://x")), r"Unsupported URL type foo"),
    "no DVC project": (lambda root: shutil.rmtree(root / ".dvc"), r"is not a DVC project .*dvc init"),
    ".dvc is a file": (file(".dvc"), r"is not a DVC project .*dvc init"),
    "DVC's temporary folder is a file": (file(".dvc/tmp"), r"\.dvc/tmp: a file is where a folder is expected"),
    "the cache is a file": (file(".dvc/cache"), r"\.dvc/cache: a file is where a folder is expected"),
    ".dvcignore is not UTF-8": (text(".dvcignore", b"\xff"), r"\.dvcignore is not UTF-8"),
    "dvc.yaml is broken": (text("dvc.yaml", "stages: [\n"), r"dvc\.yaml is not valid YAML: line 2"),
    "dvc.yaml is a list": (text("dvc.yaml", "- a\n"), r"dvc\.yaml: expected a dictionary"),
    "dvc.yaml is empty": (text("dvc.yaml", ""), r"dvc\.yaml: expected a dictionary"),
    "dvc.yaml is deep": (text("dvc.yaml", "stages: " + "[" * 100_000), r"dvc\.yaml .*more than 50 levels"),
    "dvc.yaml has no stages": (text("dvc.yaml", "plots: []\n"), r"dvc\.yaml has no stages"),
    "stages is a list": (text("dvc.yaml", "stages: [a]\n"), r"dvc\.yaml line 1: stages: expected a dictionary"),
    "a stage is a text": (text("dvc.yaml", "stages:\n  a: b\n"), r"dvc\.yaml line 2: stages\.a: expected a dictionary"),
    "a stage without a command": (text("dvc.yaml", "stages:\n  a: {deps: [x]}\n"), r"stages\.a\.cmd: required key"),
    "an unknown key": (stage("foo: 1"), r"dvc\.yaml line 19: stages\.cut\.foo: extra keys not allowed"),
    "meta is a list": (stage("meta: [1]"), r"cut has meta: \[1\]\. Expected keys and values"),
    "meta is a text": (stage("meta: x"), r"cut has meta: 'x'\. Expected keys and values"),
    "dvc.yaml is a folder": (folder("dvc.yaml"), r"There is no dvc\.yaml"),
    "dvc.lock is a folder": (folder("dvc.lock"), r"dvc\.lock.*(is not a file|a folder is where a file is expected)"),
    "data is a file": (file("data"), r"/data: a file is where a folder is expected\. Move it away"),
    "an output folder is a file": (file("data/train/1"), r"data/train/1: a file is where a folder is expected"),
    ".git is a file": (file(".git"), r"git can't use the repository .*invalid gitfile format"),
    ".git is empty": (
        lambda root: (shutil.rmtree(root / ".git"), (root / ".git").mkdir()),
        r"git can't use the repository",
    ),
    "git's configuration is broken": (text(".git/config", "[core"), r"bad config line \d in file .*\.git/config"),
    "git's HEAD is broken": (text(".git/HEAD", "x"), r"git can't use the repository"),
    "a module json": (text("json.py", ""), r"json\.py shadows the module json of .* Rename it"),
    "a module random": (text("random.py", ""), r"random\.py shadows the module random"),
    "a package torch": (text("torch/__init__.py", ""), r"torch shadows the module torch"),
}
READ_BY_ALL = [["plan"], ["run"]]
REBUILT: dict[str, Breaker] = {
    ".retune is a file": file(".retune"),
    "logs is a file": file(".retune/logs"),
    "listings is a file": file(".retune/listings"),
    "checkpoints is a file": file(".retune/checkpoints"),
    "seconds.json is a list": text(".retune/seconds.json", "[1]"),
    "seconds.json is garbage": text(".retune/seconds.json", b"\xff{"),
    "seconds.json holds texts": text(".retune/seconds.json", '{"cut": "x", "report": null, "train@1": [1]}'),
    "seconds.json is deep": text(".retune/seconds.json", "[" * 100_000),
    "seconds.json is a folder": folder(".retune/seconds.json"),
    "run.lock is a folder": folder(".retune/run.lock"),
    "run.json is a folder": folder(".retune/run.json"),
    "the copy of dvc.lock is a folder": folder(".retune/dvc.lock"),
    "a list of a folder is garbage": text(".retune/listings/0.dir.json", "["),
    "rwlock is a list": text(".dvc/tmp/rwlock", "[1]"),
    "rwlock has foreign keys": text(".dvc/tmp/rwlock", '{"a": {"foo": [1]}}'),
    "rwlock is not UTF-8": text(".dvc/tmp/rwlock", b"\xff"),
    "rwlock is a folder": folder(".dvc/tmp/rwlock"),
    "a remote without its package": text(".dvc/config", remote("gs://bucket/x")),
    "a remote that is not configured": text(".dvc/config", "[core]\n    remote = r\n"),
}


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Commands:
    return Commands(monkeypatch, capfd)


@pytest.mark.parametrize("kind", NAMED)
def test_it_is_named_in_one_line(project: Path, command: Commands, kind: str) -> None:
    breaker, message = NAMED[kind]
    breaker(project)
    for arguments in READ_BY_ALL:
        done = command(project, *arguments)
        assert (done.code, done.out, len(done.lines)) == (1, "", 1), (arguments, done.err)
        assert re.search(f"^error: .*{message}", done.lines[0]), done.err


@pytest.mark.parametrize(
    "kind", [kind for kind in NAMED if not kind.startswith(("data ", "an output", "dvc.lock", "the cache"))]
)
def test_a_comparison_names_it_too(project: Path, command: Commands, kind: str) -> None:
    NAMED[kind][0](project)
    done = command(project, "compare", "HEAD")
    assert (done.code, done.out, len(done.lines)) == (1, "", 1), done.err


@pytest.mark.parametrize("kind", REBUILT)
def test_a_memory_of_ours_stops_nothing(project: Path, command: Commands, kind: str) -> None:
    REBUILT[kind](project)
    done = command(project, "plan")
    assert (done.code, done.out.splitlines()[-1]) == (0, "Everything is up to date.")
    done = command(project, "run")
    assert (done.code, done.out.splitlines()[-1]) == (0, "Nothing has changed: nothing to run.")
    workspace.note_success(project, "cut", 1.5)
    assert json.loads((project / ".retune/seconds.json").read_text())["cut"] == 1.5


def test_a_remote_without_its_package_is_one_warning(project: Path, command: Commands) -> None:
    REBUILT["a remote without its package"](project)
    for arguments in READ_BY_ALL:
        done = command(project, *arguments)
        assert len(done.lines) == 1
        assert "requires 'dvc-gs' to be installed. Install it with pip): using the local cache alone" in done.err


@pytest.mark.parametrize("pid", [os.getppid(), 1, 999_999_999], ids=["parent", "init", "nobody"])
def test_a_lock_of_a_process_that_is_not_dvc_s_is_removed(project: Path, pid: int) -> None:
    path = project / ".dvc/tmp/rwlock"
    user = {"pid": pid, "cmd": "dvc repro"}
    path.write_text(json.dumps({"write": {str(project / "data/cut/tokens"): user}, "read": {"x": [user]}}))
    with workspace.hold(project):
        left = json.loads(path.read_text())
    assert left == {"write": {}, "read": {}} or "dvc" in " ".join(workspace.psutil.Process(pid).cmdline())


def test_a_lock_of_a_living_dvc_stays(project: Path) -> None:
    dvc = subprocess.Popen(["sh", "-c", "sleep 60; : dvc repro"])
    path = project / ".dvc/tmp/rwlock"
    content = {"write": {"x": {"pid": dvc.pid, "cmd": "dvc repro"}}, "read": {}}
    path.write_text(json.dumps(content))
    with workspace.hold(project):
        assert json.loads(path.read_text()) == content
    dvc.kill()
    dvc.wait()


@pytest.mark.parametrize(
    "code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EFBIG]
)
def test_what_the_system_refuses_is_one_line(
    project: Path, command: Commands, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system's own error, as it comes from any write: a small disk can't be mounted everywhere."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code), str(project / "somewhere"))

    monkeypatch.setattr("pipeline.repository.project.read_graph", refuse)
    for arguments in READ_BY_ALL:
        done = command(project, *arguments)
        assert (done.code, len(done.lines)) == (1, 1)
        assert re.search(rf"^error: {re.escape(str(project))}/somewhere: .*\. [A-Z]|, ", done.err)


def test_another_error_of_the_system_is_a_bug() -> None:
    assert explain(FileNotFoundError(errno.ENOENT, "No such file", "x")) is None
    assert explain(OSError("no number")) is None


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"PATH": "/nonexistent"}, r"git is not on the PATH"),
        ({"PREFECT_API_URL": "abc"}, r"Prefect's API at abc does not answer\. Start it, or unset PREFECT_API_URL"),
        ({"PREFECT_API_URL": "http://["}, r"PREFECT_API_URL is not an address .*unset it"),
        ({"PREFECT_API_URL": "http://127.0.0.1:9/api"}, r"does not answer"),
        ({"PREFECT_HOME": "/proc/nothing"}, r"Prefect can't write in its folder /proc/nothing .*PREFECT_HOME=FOLDER"),
        ({"PREFECT_HOME": "/etc/passwd"}, r"Prefect can't write in its folder /etc/passwd"),
        ({"PREFECT_HOME": "", "HOME": "/proc/nobody"}, r"Prefect can't write in its folder /proc/nobody/\.prefect"),
    ],
    ids=str,
)
def test_variables_that_do_not_fit_are_named(project: Path, variables: dict[str, str], message: str) -> None:
    toy.edit(project, "params.yaml", "length: 5", "length: 6")
    done = toy.retune(project, "run", **variables)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert re.search(f"^error: .*{message}", done.stderr)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_repository_of_another_user_is_named_with_git_s_own_advice(project: Path, command: Commands) -> None:
    try:
        os.chown(project / ".git", 12345, 12345)
    except OSError as error:
        pytest.skip(f"there is no other user here: {error.strerror}")
    os.chown(project, 12345, 12345)
    for arguments in READ_BY_ALL:
        done = command(project, *arguments)
        assert (done.code, len(done.lines)) == (1, 1)
        assert re.search(r"dubious ownership .* git config --global --add safe\.directory", done.err)


def test_a_prefect_home_that_can_be_made_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "new/home"))
    server.check_settings()
    assert list((tmp_path / "new/home").iterdir()) == []
    monkeypatch.setenv("PREFECT_API_URL", "http://[::1")
    with pytest.raises(PipelineError, match="PREFECT_API_URL"):
        server.check_settings()


@pytest.mark.parametrize(
    "locale", [{"LANG": "C", "LC_ALL": "C"}, {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0"}], ids=str
)
def test_a_path_with_umlauts_in_any_locale(project: Path, locale: dict[str, str]) -> None:
    root = project.rename(project.with_name("ein Projekt für Ä"))
    done = toy.retune(root, "plan", PYTHONCOERCECLOCALE="0", **locale)
    if "PYTHONUTF8" not in locale:
        assert (done.returncode, done.stderr) == (0, "")
    else:
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert "Set PYTHONUTF8=1" in done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252:strict", "iso2022_jp:strict", "utf-16"])
def test_letters_that_the_output_lacks_are_escaped(encoding: str) -> None:
    program = "from pipeline.commands.terminal import console; print('“é”'); console.print('山 😀')"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONPATH": str(toy.REPOSITORY)},
        capture_output=True,
        check=True,
    )
    text = done.stdout.decode(encoding.removesuffix(":strict"))
    for letter in "“é”山😀":
        assert letter in text or ascii(letter)[1:-1] in text


@pytest.mark.parametrize("name", ["山\u3000田", "a\u00a0b", "👩\u200d💻", "two\nlines", 'q"$(x)`'], ids=ascii)
def test_a_path_of_any_letters(project: Path, name: str) -> None:
    root = project.rename(project.with_name(name))
    done = toy.retune(root, "plan")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("command", ["plan", "run"])
def test_standard_streams_that_are_closed(project: Path, closed: str, command: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m pipeline.cli {command} {closed}"],
        cwd=project,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert bool(done.stdout) == (">&-" not in closed.replace("2>&-", ""))


@pytest.mark.parametrize(
    ("command", "unbuffered"),
    [
        *((command, "") for command in ("--version", "--help", "plan", "plan --json", "status", "run")),
        *((command, "1") for command in ("--version", "plan")),  # else Python writes what it kept when it ends
    ],
)
def test_standard_output_that_is_full(project: Path, command: str, unbuffered: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m pipeline.cli {command} >/dev/full"],
        cwd=project,
        env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert re.fullmatch(r"error: .*(no space is left|Standard output can't be written).*\n", done.stderr)


def test_a_current_folder_that_was_removed(tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", f'mkdir gone && cd gone && rmdir ../gone && "{sys.executable}" -m pipeline.cli plan'],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1] == "error: The current folder has been removed. Change to the project's folder."


@pytest.mark.parametrize("command", ["plan", "run"])
def test_files_that_may_not_grow(project: Path, command: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f"ulimit -f 8; exec {sys.executable} -m pipeline.cli {command}"],
        cwd=project,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "ulimit -f" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("port", ["0", "-1", "70000", "x"])
def test_ports_that_cannot_be(project: Path, command: Commands, port: str) -> None:
    done = command(project, "ui", "--port", port)
    assert done.code == 2
    assert "--port" in done.err
