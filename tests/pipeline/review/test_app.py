"""The review page's server: who is refused, and that nothing is lost by a request that is not one of the page's."""

import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from pipeline.review.app import MOST_BYTES, make_app
from pipeline.review.rows import read_suspects
from stages.errors import REFUSED
from tests.pipeline.review import reviewing

HOST = "http://127.0.0.1:8765"
TOKEN = {"X-Retune-Token": "secret"}
BODY = {"id": "r2", "decision": {"decision": "relabel", "new_label": "1", "note": ""}, "seen": None}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = reviewing.create(tmp_path / "project")
    reviewing.suspects_of_classes(root)
    return root


@pytest.fixture
def page(root: Path) -> Iterator[TestClient]:
    data, decisions = reviewing.opened(root)
    app = make_app(data, read_suspects(data), decisions, token="secret")
    with TestClient(app, base_url=HOST) as client:
        yield client


def test_the_page_s_own_request_is_written(page: TestClient, root: Path) -> None:
    answer = page.post("/api/decision", json=BODY, headers={**TOKEN, "Origin": HOST})
    assert (answer.status_code, answer.json()["decision"]["decision"]) == (200, "relabel")
    correction = reviewing.corrections(root)[0]
    assert (correction.id, correction.old_label, correction.new_label, correction.who) == ("r2", "5", "1", "a person")
    assert correction.when.endswith("Z")


def test_hidden_characters_of_a_text_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["not\x00 bad", "\u202ednab ton", "two\nlines\t\U0001f469\u200d\U0001f4bb", "NOT\x00 BAD"]
    monkeypatch.setattr(reviewing, "TEXTS", texts)
    root = reviewing.create(tmp_path / "project", labels=["1", "2", "3", "4"])
    reviewing.suspects_of_classes(root, [("r0", "2", 0.1, 0.8), ("r1", "1", 0.1, 0.8), ("r2", "1", 0.1, 0.8)])
    data, decisions = reviewing.opened(root)
    with TestClient(make_app(data, read_suspects(data), decisions, token="secret"), base_url=HOST) as client:
        rows = client.get("/api/rows", headers=TOKEN).json()["rows"]
    assert [row["text"] for row in rows] == ["not\ufffd bad", "\ufffddnab ton", texts[2]]
    assert rows[0]["neighbours"] == [{"id": "r3", "text": "NOT\ufffd BAD", "label": "4"}]


@pytest.mark.parametrize("note", ["see \x1b$B log", "a\x00b", "\ud800 x", "\x9b1m", "\x7f"])
def test_no_note_makes_the_file_unreadable(page: TestClient, root: Path, note: str) -> None:
    wish = {"decision": "keep", "new_label": "", "note": note}
    body = json.dumps({"id": "r2", "decision": wish, "seen": None})
    answer = page.post("/api/decision", content=body, headers={**TOKEN, "Content-Type": "application/json"})
    assert answer.status_code == 200
    (line,) = reviewing.corrections(root)
    assert line.note.isprintable()
    assert page.get("/api/rows", headers=TOKEN).status_code == 200


STRANGERS: dict[str, dict[str, str]] = {
    "no token": {"Origin": HOST},
    "another token": {"X-Retune-Token": "guess"},
    "an empty token": {"X-Retune-Token": ""},
    "a token in another alphabet": {"X-Retune-Token": "s\u00e9cret"},
    "another site": {**TOKEN, "Origin": "https://example.com"},
    "another port of this machine": {**TOKEN, "Origin": "http://127.0.0.1:9999"},
    "a file": {**TOKEN, "Origin": "null"},
    "a name that leads here": {**TOKEN, "Host": "evil.example"},
    "a name that leads here, and says so": {**TOKEN, "Host": "evil.example", "Origin": "http://evil.example"},
    "a name that begins like ours": {**TOKEN, "Host": "127.0.0.1.evil.example"},
    "no host": {**TOKEN, "Host": ""},
}


@pytest.mark.parametrize("who", STRANGERS)
@pytest.mark.parametrize(("method", "path"), [("POST", "/api/decision"), ("GET", "/api/rows")])
def test_a_stranger_reads_and_writes_nothing(page: TestClient, root: Path, who: str, method: str, path: str) -> None:
    before = (root / "data/corrections.csv").read_bytes()
    headers = {name: value.encode() for name, value in STRANGERS[who].items()}
    answer = page.request(method, path, json=BODY if method == "POST" else None, headers=headers)
    assert answer.status_code == 403
    assert answer.json()["error"].startswith("refused: ")
    assert "never works" not in answer.text
    assert (root / "data/corrections.csv").read_bytes() == before


BODIES: dict[str, Any] = {
    "no JSON": b"{",
    "lists in lists": b"[" * 19_000,
    "a list": [],
    "no id": {**BODY, "id": None},
    "an id that is a list": {**BODY, "id": ["r2"]},
    "an id that is no suspect": {**BODY, "id": "r5"},
    "no decision's fields": {**BODY, "decision": {}},
    "an unknown decision": {**BODY, "decision": {"decision": "maybe", "new_label": "", "note": ""}},
    "a label that no row has": {**BODY, "decision": {"decision": "relabel", "new_label": "6", "note": ""}},
    "a label that is a number": {**BODY, "decision": {"decision": "relabel", "new_label": 1, "note": ""}},
    "a note that is a list": {**BODY, "decision": {"decision": "keep", "new_label": "", "note": []}},
    "seen that is a text": {**BODY, "seen": "x"},
    "too long": {**BODY, "padding": "x" * MOST_BYTES},
}


@pytest.mark.parametrize("what", BODIES)
def test_a_request_of_another_form_is_refused(page: TestClient, root: Path, what: str) -> None:
    body = BODIES[what]
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = page.post("/api/decision", content=content, headers={**TOKEN, "Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert reviewing.corrections(root) == []


def test_a_form_of_another_page_is_refused_even_with_the_token(page: TestClient, root: Path) -> None:
    answer = page.post("/api/decision", content=json.dumps(BODY), headers={**TOKEN, "Content-Type": "text/plain"})
    assert answer.status_code == 400
    assert reviewing.corrections(root) == []


@pytest.mark.parametrize("path", ["/", "/review.js", "/review.css", "/api/rows", "/nothing"])
def test_every_answer_forbids_what_the_page_does_not_need(page: TestClient, path: str) -> None:
    headers = page.get(path, headers=TOKEN).headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"


def test_the_page_itself_has_no_data_and_nothing_inline(page: TestClient) -> None:
    text = page.get("/").text
    assert "never works" not in text
    assert "<style" not in text
    assert " style=" not in text
    assert " on" not in "".join(part for part in text.split("<")[1:] if part.startswith(("button", "input", "form")))
    assert "https://" not in text


def test_a_forwarded_port_may_be_another_one(page: TestClient) -> None:
    headers = {**TOKEN, "Host": "localhost:9000", "Origin": "http://localhost:9000"}
    assert page.get("/api/rows", headers=headers).status_code == 200


def test_a_file_that_somebody_broke_is_named_and_stays(page: TestClient, root: Path) -> None:
    (root / "data/corrections.csv").write_text("nonsense\n")
    answer = page.post("/api/decision", json=BODY, headers=TOKEN)
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("data/corrections.csv has no column")
    assert (root / "data/corrections.csv").read_text() == "nonsense\n"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO])
def test_a_disk_that_takes_nothing_is_named_and_the_decisions_stay(
    page: TestClient, root: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (root / "data/corrections.csv").read_bytes()

    def fail(*_: Any) -> None:
        raise OSError(number, os.strerror(number), str(root / "data"))

    monkeypatch.setattr("pipeline.review.decisions.write_corrections", fail)
    answer = page.post("/api/decision", json=BODY, headers=TOKEN)
    assert answer.status_code == 422
    assert REFUSED[number] in answer.json()["error"]
    assert (root / "data/corrections.csv").read_bytes() == before


def test_a_decision_that_changed_meanwhile_is_shown_and_stays(page: TestClient, root: Path) -> None:
    assert page.post("/api/decision", json=BODY, headers=TOKEN).status_code == 200
    other = {**BODY, "decision": {"decision": "keep", "new_label": "", "note": ""}}
    answer = page.post("/api/decision", json=other, headers=TOKEN)
    assert answer.status_code == 409
    assert answer.json()["decision"]["new_label"] == "1"
    assert reviewing.decided(root) == {"r2": ("relabel", "1")}
    seen = {"decision": "relabel", "new_label": "1"}
    assert page.post("/api/decision", json={**other, "seen": seen}, headers=TOKEN).status_code == 200
    assert reviewing.decided(root) == {"r2": ("keep", "")}
    undo = {"id": "r2", "decision": None, "seen": {"decision": "keep", "new_label": ""}}
    assert page.post("/api/decision", json=undo, headers=TOKEN).json() == {"decision": None}
    assert reviewing.corrections(root) == []
