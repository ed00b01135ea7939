"""Hashes of texts, the same on every machine: equal texts have equal keys."""

import hashlib
import unicodedata


def hash_text(text: str | None, text_pair: str | None) -> int:
    """Return a signed 64-bit hash of a text, or of a text and its second text."""
    joined = (text or "") if text_pair is None else f"{text}\x1f{text_pair}"
    return int.from_bytes(hashlib.blake2b(joined.encode(), digest_size=8).digest(), "big", signed=True)


def normalise(text: str | None) -> str | None:
    """Return `text` without differences in case, width (NFKC) or white space."""
    if text is None:
        return None
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return " ".join(text.casefold().split())
