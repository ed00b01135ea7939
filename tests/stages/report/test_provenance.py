"""Provenance: nested values as text by dotted key."""

from stages.report.provenance import flatten


def test_nested_values_become_dotted_keys_in_order() -> None:
    values = {
        "b": {"y": None, "x": True},
        "files": [{"rows": 12000}, {"rows": 7}],
        "a": [1, 2],
        "empty": {},
        "text": "",
    }
    assert list(flatten(values).items()) == [
        ("b.y", "null"),
        ("b.x", "true"),
        ("files[0].rows", "12,000"),
        ("files[1].rows", "7"),
        ("a", "[1, 2]"),
        ("empty", "{}"),
        ("text", '""'),
    ]
