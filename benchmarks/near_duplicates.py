"""Nearly equal texts among thousands that share a form: how many pairs download finds, and its processor time.

Example: OMP_NUM_THREADS=1 python benchmarks/near_duplicates.py

Prints a Markdown table; benchmarks/data.md has it.
"""

import argparse
import random
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from stages import near_duplicates
from stages.near_duplicates import find_clusters

FORM = 500  # characters that all texts begin with
CASES = [(110, 4, 0.8), (60, 2, 0.9), (40, 1, 0.95), (10, 1, 0.97), (10, 1, 0.99)]  # own characters, edits, limit
WAYS = {"as it is": (near_duplicates.NEXT, near_duplicates.FURTHER), "with the next alone": (1, 0)}


def main() -> None:
    """Measure each case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=10_000)
    pairs = parser.parse_args().pairs
    generator = random.Random(2)
    find_signatures = near_duplicates._signatures
    near_duplicates._signatures = np.asarray  # they are found once for both ways
    columns = " | ".join(f"{way}: not found | s" for way in WAYS)
    print(f"| own characters | similarity | pairs at or above it | {columns} |")
    print(f"|---|---|---|{'---|---|' * len(WAYS)}")
    for own, edits, similarity in CASES:
        texts = write_texts(pairs, own, edits, generator)
        signatures = find_signatures(texts)
        similar = (signatures[:pairs] == signatures[pairs:]).mean(axis=1) >= similarity
        cells = []
        for near_duplicates.NEXT, near_duplicates.FURTHER in WAYS.values():
            start = time.process_time()
            clusters = find_clusters([signatures], similarity=similarity)
            seconds = time.process_time() - start
            cells.append(f"{(similar & (clusters[:pairs] != clusters[pairs:])).sum():,} | {seconds:.1f}")
        print(f"| {own} | {similarity} | {similar.sum():,} | {' | '.join(cells)} |", flush=True)


def write_texts(pairs: int, own: int, edits: int, generator: random.Random) -> list[str]:
    """Return `pairs` texts with a form, and then of each another that differs in some of its own characters."""

    def draw(length: int) -> str:
        return "".join(generator.choices("abcdefghijklmnopqrstuvwxyz ", k=length))

    form = draw(FORM)
    texts = [form + draw(own) for _ in range(pairs)]
    others = []
    for text in texts:
        characters = list(text)
        for place in generator.sample(range(FORM, FORM + own), edits):
            characters[place] = "#"
        others.append("".join(characters))
    return texts + others


if __name__ == "__main__":
    main()
