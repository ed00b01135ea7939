"""How a file is packed, or that it is an archive, by its first bytes, because its name may be wrong."""

import re

COMPRESSIONS = {
    "gzip": re.compile(rb"\x1f\x8b"),
    "zstd": re.compile(rb"\x28\xb5\x2f\xfd"),
    "bz2": re.compile(rb"BZh[1-9](1AY&SY|\x17\x72\x45\x38\x50\x90)"),
    "xz": re.compile(rb"\xfd7zXZ\0|\x5d\0\0"),
}
LONGEST = 10  # bytes that tell
ARCHIVES = {
    "zip": re.compile(rb"PK(\x03\x04|\x05\x06)"),
    "tar": re.compile(rb"(?s).{257}ustar"),
    "7z": re.compile(rb"7z\xbc\xaf\x27\x1c"),
    "rar": re.compile(rb"Rar!\x1a\x07"),
}
START = 262  # bytes that tell an archive


def compression_of(start: bytes) -> str | None:
    """Return how a file is packed that starts so; None: it is not."""
    return next((kind for kind, magic in COMPRESSIONS.items() if magic.match(start)), None)


def archive_of(start: bytes) -> str | None:
    """Return which archive a file is that starts so; None: it is none."""
    return next((kind for kind, magic in ARCHIVES.items() if magic.match(start)), None)
