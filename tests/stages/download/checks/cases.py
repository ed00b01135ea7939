"""Rows that break each rule, and nothing else."""

LONG = "the quick brown fox jumps over the lazy dog and runs away into the deep dark forest"
# bytes, settings, the rows (as numbered in the file) that break the rule, and what the message says
CASES = {
    "malformed_row": (
        b"text,label\na,x\nb\nc,y\n",
        {},
        [3],
        r"row 3 \(1 field, but the header has 2\): can't be read",
    ),
    "broken_encoding": (b"text,label\na,x\nb\xff,y\nc,y\n", {}, [3], r"row 3: has bytes that are not text"),
    "control_characters": (b"text,label\na,x\nb\x00\x07,y\nc,y\n", {}, [3], r"row 3: has control characters"),
    "empty_text": (b"text,label\na,x\n ,y\nc,y\n", {}, [3], r"row 3: the text is empty"),
    "missing_label": (b"text,label\na,x\nb,\nc,y\n", {}, [3], r"row 3: the label is empty"),
    "unknown_label": (b"text,label\na,x\nb,q\nc,y\n", {"labels": {"x": "X", "y": "Y"}}, [3], r"row 3 \(q\): the label"),
    "duplicate_id": (
        b"id,text,label\n1,a,x\n1,b,y\n2,c,y\n",
        {"columns": {"text": "text", "label": "label", "id": "id"}},
        [3],
        r"row 3 \(id 1\): has the id of an earlier row",
    ),
    "duplicate_text": (
        b"text,label\na,x\nA ,x\nc,y\n",
        {},
        [3],
        r"row 3 \(see row 2\): duplicates the text of an earlier row\. Delete it, or set",
    ),
    "conflicting_labels": (
        b"text,label\na,x\na,y\nc,y\nd,x\n",
        {},
        [2, 3],
        r"row 2, 3: the same text also has another label",
    ),
    "near_duplicate": (
        f"text,label\n{LONG},x\n{LONG}!,x\nc,y\n".encode(),
        {},
        [3],
        r"row 3 \(see row 2\): nearly duplicates the text of an earlier row",
    ),
    "rare_label": (
        b"text,label\na,x\nb,x\nc,y\nd,y\ne,z\n",
        {"min_rows_per_label": 2},
        [6],
        r"fewer than 2 rows: 'z' has 1",
    ),
}
UNUSABLE = ("malformed_row", "missing_label", "unknown_label", "duplicate_id")  # can't be used, so can't be warned of
