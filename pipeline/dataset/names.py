"""What names of columns tell."""

import re
from collections.abc import Sequence

NAMED = {  # field -> words of column names, the most telling first
    "text": "text content body message review comment sentence tweet post document description question sms",
    "label": "label labels class category target sentiment stars star score rating intent topic polarity y",
    "id": "id uid uuid guid key",
    "group": "group author user username thread conversation session customer speaker patient",
}
WORDS = frozenset(" ".join(NAMED.values()).split())


def words_of(name: str | int) -> Sequence[str]:
    """The words of a name: `reviewText` and `review_text` are `review`, `text`."""
    return re.findall(r"[a-z]+|\d+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", str(name)).lower())


def looks_like_name(cell: str) -> bool:
    """Whether a cell reads like a column's name: `review_text`, `Tweet Text`, but not `a good review`."""
    words = words_of(cell)
    telling = [word for word in words if word in WORDS]
    return bool(telling) and (len(telling) == len(words) or not re.search(r"\s", cell.strip()))
