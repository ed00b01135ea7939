"""All rows of a compressed file are read, or it is refused: by `init`, by `download` and by `predict`."""

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.dataset.describe import describe
from pipeline.prediction.packed import unpacked
from stages.download.sources.archive import unpack
from stages.errors import DataError

HEADER = b"text,label\n"
ROWS = [b"row %d of the file,%d\n" % (number, number % 2) for number in range(400)]
WHOLE, FIRST, SECOND = (HEADER + b"".join(ROWS), HEADER + b"".join(ROWS[:150]), b"".join(ROWS[150:]))


def zstd(content: bytes) -> bytes:
    return bytes(pa.compress(content, codec="zstd", asbytes=True))


def alone(content: bytes) -> bytes:
    return lzma.compress(content, lzma.FORMAT_ALONE)


def damaged(stream: bytes, at: int) -> bytes:
    return stream[:at] + bytes([stream[at] ^ 0x55]) + stream[at + 1 :]


PACKERS = {"gzip": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "lzma": alone, "zstd": zstd}
LAYOUTS: dict[str, Callable[[Callable[[bytes], bytes]], bytes]] = {
    "one stream": lambda pack: pack(WHOLE),
    "two streams": lambda pack: pack(FIRST) + pack(SECOND),
    "an empty stream between": lambda pack: pack(FIRST) + pack(b"") + pack(SECOND),
    "padding between": lambda pack: pack(FIRST) + bytes(8) + pack(SECOND),
    "padding longer than a read": lambda pack: pack(FIRST) + bytes(600_000) + pack(SECOND),
    "padding at the end": lambda pack: pack(WHOLE) + bytes(4),
    "padding of an odd length": lambda pack: pack(FIRST) + bytes(3) + pack(SECOND),
    "junk between": lambda pack: pack(FIRST) + b"junk" + pack(SECOND),
    "junk at the end": lambda pack: pack(WHOLE) + b"junk of some length",
    "the second stream's first byte": lambda pack: pack(FIRST) + damaged(pack(SECOND), 0),
    "the second stream's header": lambda pack: pack(FIRST) + damaged(pack(SECOND), 3),
    "the second stream's first block": lambda pack: pack(FIRST) + damaged(pack(SECOND), 12),
    "the first stream": lambda pack: damaged(pack(FIRST), 40) + pack(SECOND),
    "the second stream cut short": lambda pack: pack(FIRST) + pack(SECOND)[:-20],
    "the second stream's start alone": lambda pack: pack(FIRST) + pack(SECOND)[:3],
    "cut short": lambda pack: pack(WHOLE)[:-1],
}
READ = ["one stream", "two streams", "an empty stream between"]  # of every compression
PADDED = ["padding between", "padding longer than a read", "padding at the end"]  # xz allows it, gzip bears it


def described(path: Path) -> int:
    return describe(path).rows


def downloaded(path: Path) -> int:
    plain = unpack(path, member=None, name="data/a.csv", scratch=path.parent, limit=10_000_000)
    return len(plain.read_bytes().splitlines()) - 1


def predicted(path: Path) -> int:
    with path.open("rb") as file:
        return len(unpacked(file, "a.csv").read().splitlines()) - 1


DOORS = {"init": described, "download": downloaded, "predict": predicted}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("compression", PACKERS)
def test_all_rows_or_an_error(tmp_path: Path, compression: str, layout: str, door: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(LAYOUTS[layout](PACKERS[compression]))
    must_read = layout in READ or (compression == "xz" and layout in PADDED)
    try:
        rows = DOORS[door](path)
    except DataError as error:
        rows, refused = None, str(error)
    if rows is None:
        assert not must_read
        assert "\n" not in refused
    else:
        assert rows == len(ROWS)
