"""A toy project whose rows are tracked by `dvc add`, in each way that a person may do that; pushed, and cloned."""

from pathlib import Path

from tests.pipeline import toy

WAYS = {  # what `dvc add` gets -> what stands for it in dvc.yaml
    "input": "input",
    "input/rows.csv": "input/rows.csv",
    "input/rows.csv in a watched folder": "input",
    "raw in which input is": "raw/input",
}


def track(root: Path, way: str) -> str:
    """Track the rows of a toy project, watch them, and commit that; return the path of the rows."""
    target, watched = way.split(" in ")[0], WAYS[way]
    folder = "raw/input" if target == "raw" else "input"
    if target == "raw":
        (root / "raw").mkdir()
        (root / "input").rename(root / "raw/input")
    toy.edit(root, "dvc.yaml", "watch: input", f"watch: {watched}")
    toy.git(root, "rm", "-rq", "--cached", "input")
    toy.dvc(root, "add", target)
    toy.git(root, "add", "-A")
    toy.git(root, "commit", "-qm", f"Track {target}")
    return f"{folder}/rows.csv"


def clone(root: Path, place: Path) -> Path:
    """A clone of the project, which has nothing that is not in git, and the same remote."""
    toy.git(root, "clone", "-q", str(root), str(place))
    return place
