"""Which tokens of a row that is too long are kept; its special tokens always are."""

from collections.abc import Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer

from stages.errors import ModelError


@dataclass(frozen=True)
class SpecialTokens:
    """How many special tokens a tokenizer puts before, between and after the texts of a row."""

    before: int
    between: int  # 0 for single texts
    after: int

    @property
    def count(self) -> int:
        """Special tokens per row."""
        return self.before + self.between + self.after


def count_special_tokens(tokenizer: Tokenizer, *, pairs: bool) -> SpecialTokens:
    """Count the special tokens by encoding single letters, so that any post-processor is understood.

    Raises:
        ModelError: The tokenizer has no token for a letter, or can't encode pairs though the rows are pairs.
    """
    encoding = tokenizer.encode("a", "b") if pairs else tokenizer.encode("a")
    sequences = encoding.sequence_ids  # None for a special token, 0 or 1 for a token of the first or second text
    first = [position for position, sequence in enumerate(sequences) if sequence == 0]
    second = [position for position, sequence in enumerate(sequences) if sequence == 1]
    if not first or (pairs and not second):
        rows = "a pair of letters" if pairs else "a letter"
        raise ModelError(f"The tokenizer has no token for {rows}, so it can't be the encoder's. Fetch the model again.")
    last = second[-1] if pairs else first[-1]
    return SpecialTokens(
        before=first[0], between=second[0] - first[-1] - 1 if pairs else 0, after=len(sequences) - last - 1
    )


def cut(length: int, room: int, truncation: str) -> list[slice]:
    """Return the slices of a text's tokens that are kept.

    Args:
        length: Tokens of the text (> room).
        room: Tokens to keep (>= 0).
        truncation: head, tail, or head_tail (half of each; the odd token from the head).
    """
    if truncation == "head":
        return [slice(0, room)]
    tail = room if truncation == "tail" else room // 2
    return [slice(0, room - tail), slice(length - tail, length)]


def share_room(first: int, second: int, room: int) -> tuple[int, int]:
    """Return how many tokens of each text of a pair are kept: the longer text is cut first, and keeps an odd token.

    So does `tokenizers` (longest_first); of two texts of the same length, the second keeps it.

    Args:
        first: Tokens of the first text.
        second: Tokens of the second text.
        room: Tokens for both (>= 0).
    """
    if first + second <= room:
        return first, second
    if min(first, second) <= room // 2:
        return (first, room - first) if first < second else (room - second, second)
    return (room - room // 2, room // 2) if first > second else (room // 2, room - room // 2)


def kept_slices(lengths: Sequence[int], special: SpecialTokens, max_length: int, truncation: str) -> list[slice]:
    """Return the slices of a row's tokens that are kept; joined, they are at most `max_length` tokens.

    Args:
        lengths: Tokens of each text, special tokens not counted: one number, or two for a pair.
        special: The special tokens around the texts.
        max_length: Tokens per row, special tokens included (>= special.count).
        truncation: head, tail or head_tail.
    """
    room = max_length - special.count
    rooms = share_room(lengths[0], lengths[1], room) if len(lengths) == 2 else (room,)
    gaps = (special.between, special.after)[-len(lengths) :]
    slices, start = [slice(0, special.before)], special.before
    for length, space, gap in zip(lengths, rooms, gaps, strict=True):
        parts = cut(length, space, truncation) if length > space else [slice(0, length)]
        slices += [slice(start + part.start, start + part.stop) for part in parts]
        slices.append(slice(start + length, start + length + gap))
        start += length + gap
    return slices
