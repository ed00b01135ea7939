"""The stages of the toy project: deterministic, and fast unless a file in TOY_EVENTS slows or breaks one."""

import hashlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

EVENTS = Path(os.environ["TOY_EVENTS"])
TICK = 0.2  # seconds; a slow stage takes many of them
CHECKPOINT = Path(".retune/checkpoints/toy/state.json")


def main() -> None:
    name = "@".join(sys.argv[1:])
    clock = time.time()
    begun = event(name, "start", gpu=os.environ.get("TOY_GPU"), resumed=checkpoint())
    if (EVENTS / f"fail-{name}").exists():
        sys.stderr.write(f"error: {name} row 17: label is empty.\n")
        raise SystemExit(1)
    slowly(name)
    STAGES[sys.argv[1]](*sys.argv[2:])
    begun.rename(begun.with_suffix(".done"))
    event(name, "end", begun=clock)


def slowly(name: str) -> None:
    """Sleep for as many ticks as the file slow-NAME holds; only finetune writes checkpoints."""
    path = EVENTS / f"slow-{name}"
    ticks = int(path.read_text()) if path.exists() else 0
    for tick in range(checkpoint(), ticks):
        time.sleep(TICK)
        if name.startswith("finetune"):
            CHECKPOINT.parent.mkdir(parents=True, exist_ok=True)
            CHECKPOINT.with_name("new.partial").write_text(json.dumps({"tick": tick + 1}))
            CHECKPOINT.with_name("new.partial").rename(CHECKPOINT)


def download() -> None:
    outside = EVENTS / "outside.txt"  # like a download whose content changes at the source
    text = Path("source.txt").read_text() + (outside.read_text() if outside.exists() else "")
    write("data/download/rows/rows.txt", text)


def finetune(seed: str) -> None:
    params = read_params("finetune")
    weights = hashlib.sha256(f"{Path('data/download/rows/rows.txt').read_text()}{params}{seed}".encode()).hexdigest()
    write(f"data/finetune/{seed}/model/weights.txt", weights)
    write(f"data/finetune/{seed}/model/config.json", json.dumps(params))
    write(f"data/finetune/{seed}/stats.json", json.dumps({"parameters": len(weights)}))


def evaluate(seed: str) -> None:
    weights = Path(f"data/finetune/{seed}/model/weights.txt").read_text()
    write(f"data/evaluate/{seed}/predictions.txt", weights[::-1])
    write(f"data/evaluate/{seed}/metrics.json", json.dumps({"macro_f1": int(weights[:4], 16) / 65536}))


def crossfit(fold: str) -> None:
    text = f"{Path('data/download/rows/rows.txt').read_text()}{read_params('crossfit')}{fold}"
    write(f"data/crossfit/{fold}/predictions.txt", hashlib.sha256(text.encode()).hexdigest())


def extrapolate(seed: str) -> None:
    text = f"{Path('data/download/rows/rows.txt').read_text()}{read_params('extrapolate')}{seed}"
    write(f"data/extrapolate/{seed}/forecast.json", json.dumps({"rows": hashlib.sha256(text.encode()).hexdigest()}))


def report() -> None:
    found = [json.loads(path.read_text())["macro_f1"] for path in sorted(Path("data/evaluate").glob("*/metrics.json"))]
    mean = sum(found) / len(found)
    off_by_default = [*Path("data/crossfit").glob("*/*.txt"), *Path("data/extrapolate").glob("*/*.json")]
    more = "".join(f"{path.as_posix()} {path.read_text()}\n" for path in sorted(off_by_default))
    write("data/report/report.md", f"macro F1 {mean:.3f}\n{more}")
    metric = {"mean": mean, "sd": 0.0, "low": mean, "high": mean}
    write("data/report/metrics.json", json.dumps({"test": {"macro_f1": metric}, "val": {}}))


def read_params(section: str) -> Any:
    from ruamel.yaml import YAML

    return json.loads(json.dumps(YAML(typ="safe").load(Path("params.yaml"))[section]))


def checkpoint() -> int:
    return int(json.loads(CHECKPOINT.read_text())["tick"]) if CHECKPOINT.exists() else 0


def write(name: str, text: str) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(text)


def event(name: str, what: str, **facts: object) -> Path:
    path = EVENTS / f"{time.time_ns()}.{name}.{what}"
    path.write_text(json.dumps({"stage": name, "what": what, "pid": os.getpid(), "time": time.time(), **facts}))
    return path


STAGES = {
    "download": download,
    "finetune": finetune,
    "evaluate": evaluate,
    "crossfit": crossfit,
    "extrapolate": extrapolate,
    "report": report,
}

if __name__ == "__main__":
    main()
