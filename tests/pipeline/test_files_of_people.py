"""Files that people keep, of which some are links into a shared place: the link and the permissions stay."""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline.params_file import write_params
from pipeline.prediction.places import check_out
from pipeline.prediction.resume import Counts, PartialOutput
from pipeline.review import exports
from pipeline.review.decisions import Decisions
from pipeline.review.rows import DataSet, read_suspects
from stages.corrections import Correction, format_corrections, write_corrections
from stages.errors import RetuneError, explain
from tests.pipeline.review import reviewing

OLD, NEW = "an earlier result", "the result"


def decide(root: Path, _: Path) -> None:
    data, decisions = reviewing.opened(root)
    decisions.decide(data.row("r2"), "unclear", seen=None)


def take(root: Path, _: Path) -> None:
    data, decisions = reviewing.opened(root)
    decisions.add([(data.row("r2"), "unclear", "", "", "")])


def params(root: Path, _: Path) -> None:
    write_params(root, (root / "params.yaml").read_text().replace("seeds: [1, 2]", "seeds: [3]"))


def export(root: Path, out: Path) -> None:
    data, _ = reviewing.opened(root)
    exports.write(out, read_suspects(data), {}, data, "label-studio")


def export_csv(root: Path, out: Path) -> None:
    data, _ = reviewing.opened(root)
    exports.write(out, read_suspects(data), {}, data, "csv")


def predict(_: Path, out: Path) -> None:
    def join(files: Sequence[Path], whole: Path) -> None:
        whole.write_bytes(b"".join(file.read_bytes() for file in files))

    check_out(out, file=None, model=out.parent / "model")
    with PartialOutput(out, {}, resume=False) as output:
        output.add(NEW.encode(), Counts(1))
        output.finish(join)


WRITERS: dict[str, tuple[Callable[[Path, Path], None], str]] = {  # and the file that each writes
    "a decision": (decide, "data/corrections.csv"),
    "an import": (take, "data/corrections.csv"),
    "parameters": (params, "params.yaml"),
    "an export": (export, "out.csv"),
    "an export as CSV": (export_csv, "out.csv"),
    "predictions": (predict, "out.csv"),
}
EXISTING = {"a decision", "an import", "parameters", "predictions"}  # an export replaces no file


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    root = reviewing.create(tmp_path / "project")
    reviewing.suspects_of_classes(root)
    (tmp_path / "shared").mkdir()
    return root


def to_link(root: Path, name: str) -> tuple[Path, Path]:
    """Move a file of the project into the shared place, if there is one; return the link, and where it leads."""
    link, target = root / name, root.parent / "shared" / Path(name).name
    if link.exists():
        link.rename(target)
    link.symlink_to(target)
    return link, target


@pytest.mark.parametrize("what", WRITERS)
def test_a_link_stays_and_the_file_that_it_leads_to_is_written(root: Path, what: str) -> None:
    write, name = WRITERS[what]
    if name.endswith("corrections.csv"):
        reviewing.opened(root)
    if what in EXISTING and not (root / name).exists():
        (root / name).write_text(OLD)
    link, target = to_link(root, name)
    before = target.read_bytes() if target.exists() else None
    if before is not None:
        target.chmod(0o664)
    write(root, link)
    assert link.is_symlink()
    assert target.read_bytes() != before
    assert before is None or target.stat().st_mode & 0o777 == 0o664, "else others of the group lose their access"
    assert list(root.parent.rglob("*.partial")) == []


@pytest.mark.parametrize("what", WRITERS)
def test_a_link_into_a_place_that_is_not_there_is_one_line(root: Path, what: str) -> None:
    write, name = WRITERS[what]
    link, target = to_link(root, name)
    if what == "parameters":  # whoever writes them has read them
        return
    target.unlink(missing_ok=True)
    target.parent.rmdir()
    with pytest.raises(RetuneError, match=r"is a link to .*/shared/.*, whose folder is missing. Mount or make"):
        write(root, link)
    assert link.is_symlink()
    assert not target.parent.exists()


@pytest.mark.parametrize("what", sorted(WRITERS.keys() - {"parameters"}))
def test_a_link_to_itself_is_one_line(root: Path, what: str) -> None:
    write, name = WRITERS[what]
    (root / name).symlink_to(Path(name).name)
    with pytest.raises((RetuneError, OSError)) as raised:
        write(root, root / name)
    assert "\n" not in (explain(raised.value) or "\n")
    assert (root / name).is_symlink()


def test_two_projects_that_share_their_corrections_lose_no_decision(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has a lock of its own in .retune, which keeps the other one out of nothing."""

    def slowly(path: Path, corrections: Iterable[Correction]) -> None:
        time.sleep(0.05)  # between reading and writing: else the other one rarely gets there
        write_corrections(path, corrections)

    others = [root, reviewing.create(root.parent / "other")]
    (root.parent / "shared/corrections.csv").write_text(format_corrections([]))
    for project in others:
        to_link(project, "data/corrections.csv")
    monkeypatch.setattr("pipeline.review.decisions.write_corrections", slowly)
    opened = [reviewing.opened(project) for project in others]

    def keep(project: tuple[DataSet, Decisions], rows: Sequence[str]) -> int:
        data, decisions = project
        return len([decisions.decide(data.row(row), "keep", seen=None) for row in rows])

    with ThreadPoolExecutor(2) as pool:
        first, second = (
            pool.submit(keep, project, rows)
            for rows, project in zip((["r0", "r1", "r2"], ["r3", "r4", "r5"]), opened, strict=True)
        )
        assert first.result() + second.result() == 6
    assert sorted(reviewing.decided(root)) == ["r0", "r1", "r2", "r3", "r4", "r5"]


def test_nobody_else_reads_the_rows_of_a_prediction_before_they_are_in_its_file(tmp_path: Path) -> None:
    """The file may have permissions of its own, which the windows beside it have not."""
    with PartialOutput(tmp_path / "out.csv", {}, resume=False) as output:
        output.add(NEW.encode(), Counts(1))
        assert output.folder.stat().st_mode & 0o077 == 0
