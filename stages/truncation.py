"""Cut what is too long, and keep the special tokens around it where the model expects them."""

from collections.abc import Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer

from stages.errors import ModelError


@dataclass(frozen=True)
class Frame:
    """How many special tokens a tokenizer puts before, between and after the texts."""

    before: int
    between: int  # 0 for single texts
    after: int

    @property
    def size(self) -> int:
        """Special tokens per row."""
        return self.before + self.between + self.after


def frame_of(tokenizer: Tokenizer, *, pairs: bool) -> Frame:
    """Find the frame by asking the tokenizer, whatever its post-processor is.

    Raises:
        ModelError: The tokenizer can't take pairs, though the rows are pairs.
    """
    encoding = tokenizer.encode("a", "b") if pairs else tokenizer.encode("a")
    sequences = encoding.sequence_ids  # None for a special token, 0 or 1 for a token of the first or second text
    first = [position for position, sequence in enumerate(sequences) if sequence == 0]
    second = [position for position, sequence in enumerate(sequences) if sequence == 1]
    if not first or (pairs and not second):
        raise ModelError("The tokenizer gives no tokens for a plain letter, so it can't be the encoder's.")
    last = second[-1] if pairs else first[-1]
    return Frame(before=first[0], between=second[0] - first[-1] - 1 if pairs else 0, after=len(sequences) - last - 1)


def cut(length: int, room: int, truncation: str) -> list[slice]:
    """Return which of `length` tokens stay where there is room for fewer.

    Args:
        length: Tokens of the text (> room).
        room: Tokens that may stay (>= 0).
        truncation: head, tail, or head_tail (half of each; the odd one to the head).

    Returns:
        Slices to be joined.
    """
    if truncation == "head":
        return [slice(0, room)]
    tail = room if truncation == "tail" else room // 2
    return [slice(0, room - tail), slice(length - tail, length)]


def share_room(first: int, second: int, room: int) -> tuple[int, int]:
    """Return how many tokens of each text of a pair may stay: the longer one is cut first.

    Args:
        first: Tokens of the first text.
        second: Tokens of the second text.
        room: Tokens for both (>= 0).
    """
    if first + second <= room:
        return first, second
    if min(first, second) <= room // 2:
        return (first, room - first) if first < second else (room - second, second)
    return room - room // 2, room // 2


def kept(lengths: Sequence[int], frame: Frame, max_length: int, truncation: str) -> list[slice]:
    """Return the slices of a row's tokens, special ones included, that stay in a row of `max_length` tokens.

    Args:
        lengths: Tokens of each text, special ones not counted: one number, or two for a pair.
        frame: The special tokens around them.
        max_length: Tokens per row, special ones included (>= frame.size).
        truncation: head, tail or head_tail.
    """
    room = max_length - frame.size
    rooms = share_room(lengths[0], lengths[1], room) if len(lengths) == 2 else (room,)
    gaps = (frame.between, frame.after)[-len(lengths) :]
    slices, start = [slice(0, frame.before)], frame.before
    for length, space, gap in zip(lengths, rooms, gaps, strict=True):
        parts = cut(length, space, truncation) if length > space else [slice(0, length)]
        slices += [slice(start + part.start, start + part.stop) for part in parts]
        slices.append(slice(start + length, start + length + gap))
        start += length + gap
    return slices
