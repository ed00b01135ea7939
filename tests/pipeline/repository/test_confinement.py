"""Paths from outside: only plain ones inside an output, behind no symbolic link, and only real MD5s."""

from pathlib import Path

import pytest

from pipeline.repository.confinement import check_md5, confined
from stages.errors import PipelineError

OUTS = ["data/cut/tokens", "data/cut/stats.json"]
OUTSIDE = [
    *("../x", "../../../../x", "data/cut/tokens/../../../x", "/tmp/x", ".git/hooks/post-checkout", ".dvc/config.local"),
    *("data/cut", "data/cut/tokens2", "data/cut/tokens/", "data/cut/tokens//a", "data/cut/tokens/.", "", ".", "a\0b"),
    *("data/cut/stats.json.partial", "stages/cut.py", "data/cut/tokens/a\0b"),
]


@pytest.mark.parametrize("path", ["data/cut/tokens", "data/cut/tokens/a/b.txt", "data/cut/tokens/..a", OUTS[1]])
def test_paths_inside_an_output(tmp_path: Path, path: str) -> None:
    assert confined(tmp_path, path, OUTS) == tmp_path.resolve() / path


@pytest.mark.parametrize("path", OUTSIDE)
def test_paths_outside_every_output(tmp_path: Path, path: str) -> None:
    with pytest.raises(PipelineError, match="is not inside an output of a stage"):
        confined(tmp_path, path, OUTS)


@pytest.mark.parametrize("link", ["data", "data/cut", "data/cut/tokens", "data/cut/tokens/a"])
def test_symbolic_links_count_wherever_they_lead(tmp_path: Path, link: str) -> None:
    (tmp_path / "elsewhere/cut/tokens").mkdir(parents=True)
    (tmp_path / link).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / link).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PipelineError, match="is a symbolic link or lies behind one"):
        confined(tmp_path, "data/cut/tokens/a", OUTS)


def test_the_project_itself_may_lie_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "link").symlink_to("project")
    assert confined(tmp_path / "link", OUTS[0], OUTS) == (tmp_path / "project").resolve() / OUTS[0]


def test_names_of_objects() -> None:
    check_md5("0" * 32)
    check_md5("0" * 32 + ".dir")
    for md5 in ("../" + "0" * 29, "0" * 31, "0" * 32 + ".dirx", "0" * 32 + "\n", "", None, 3):
        with pytest.raises(PipelineError, match="is not the MD5 of a file or folder"):
            check_md5(md5)
