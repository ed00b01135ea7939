"""The review page: a small web application for one person on this machine.

The page itself holds no data. Its script asks for the rows with a token that only the address which `retune review`
prints contains, behind a `#`: browsers send that part to no server, and no other page can read it. So neither another
page in the same browser nor another user of the machine can read a row or write a decision.
"""

import json
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from pipeline.review.decisions import ChangedMeanwhileError, Decisions
from pipeline.review.rows import DataSet, ReviewRow
from stages.corrections import DECISIONS, Correction
from stages.errors import RetuneError, explain
from stages.shown import visible

TEMPLATES = Path(__file__).parent / "templates"
FILES = {"/": ("review.html", "text/html"), "/review.css": ("review.css", "text/css")}
FILES |= {"/review.js": ("review.js", "text/javascript")}
HOSTS = ("127.0.0.1", "localhost")  # whatever the port: it may be forwarded (ssh -L)
TOKEN_HEADER = "x-retune-token"
MOST_BYTES = 20_000  # of a request; a decision has a note of a few lines
MOST_NOTE = 2_000  # characters
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class RefusedError(RetuneError):
    """A request that does not come from the page, or is not one that it makes."""


def make_app(data: DataSet, rows: Sequence[ReviewRow], decisions: Decisions, *, token: str) -> Starlette:
    """Return the application.

    Args:
        data: What the rows belong to.
        rows: To review, in this order.
        decisions: Where decisions are written.
        token: That every request for data must have.
    """
    by_id = {row.id: row for row in rows}

    async def page(request: Request) -> Response:
        name, media_type = FILES[request.url.path]
        return FileResponse(TEMPLATES / name, media_type=media_type)

    async def read(request: Request) -> Response:
        decided = await run_in_threadpool(decisions.of, rows)
        labels = [] if data.kind.choice == "typed" else data.target.labels
        listed = [_as_json(row, data, decided.get(row.id)) for row in rows]
        return JSONResponse({"choice": data.kind.choice, "labels": labels, "file": decisions.path, "rows": listed})

    async def decide(request: Request) -> Response:
        row, wish = _parse(await _body(request), by_id)
        try:
            correction = await run_in_threadpool(_apply, decisions, data, row, wish)
        except ChangedMeanwhileError as error:
            now = (await run_in_threadpool(decisions.of, [row])).get(row.id)
            return JSONResponse({"error": explain(error), "decision": _shown(now)}, status_code=409)
        return JSONResponse({"decision": _shown(correction)})

    routes = [Route(path, page) for path in FILES]
    routes += [Route("/api/rows", read), Route("/api/decision", decide, methods=["POST"])]
    app = Starlette(routes=routes, middleware=[Middleware(BaseHTTPMiddleware, dispatch=_guard(token))])
    app.add_exception_handler(RetuneError, _refusal)
    app.add_exception_handler(OSError, _refusal)  # a full disk, a folder that can't be written
    return app


def _guard(token: str) -> Callable[[Request, Callable[[Request], Awaitable[Response]]], Awaitable[Response]]:
    """Return what refuses a request for another host, from another origin, or for data without the token."""

    async def guard(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        host, origin = request.headers.get("host", ""), request.headers.get("origin")
        given = request.headers.get(TOKEN_HEADER, "").encode()
        if host.partition(":")[0] not in HOSTS:  # a name of another site that leads here (DNS rebinding)
            response: Response = JSONResponse({"error": "refused: not the address of this page"}, status_code=403)
        elif origin is not None and origin != f"http://{host}":
            response = JSONResponse({"error": "refused: from another page"}, status_code=403)
        elif request.url.path not in FILES and not secrets.compare_digest(given, token.encode()):
            response = JSONResponse({"error": "refused: without the token"}, status_code=403)
        else:
            response = await call_next(request)
        response.headers.update(HEADERS)
        return response

    return guard


async def _refusal(request: Request, error: Exception) -> Response:
    return JSONResponse(
        {"error": explain(error) or str(error)}, status_code=400 if isinstance(error, RefusedError) else 422
    )


async def _body(request: Request) -> Any:
    """Return the JSON of a request.

    Raises:
        RefusedError: It is too long, or no JSON.
    """
    content = b""
    async for part in request.stream():
        content += part
        if len(content) > MOST_BYTES:
            raise RefusedError(f"more than {MOST_BYTES:,} bytes")
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise RefusedError("expected JSON")
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:  # lists in lists in lists
        raise RefusedError(f"expected JSON: {error}") from error


def _parse(body: Any, rows: dict[str, ReviewRow]) -> tuple[ReviewRow, dict[str, Any]]:
    """Return the row, and what is to be decided about it.

    Raises:
        RefusedError: It is not of the form that the page sends, or about no row of the page.
    """
    if not isinstance(body, dict) or not isinstance(body.get("id"), str) or body["id"] not in rows:
        raise RefusedError("no such row")
    for key in ("decision", "seen"):
        value = body.get(key)
        fields = ("decision", "new_label", "note") if key == "decision" else ("decision", "new_label")
        if value is not None and not (
            isinstance(value, dict)
            and value.get("decision") in DECISIONS
            and all(isinstance(value.get(name), str) for name in fields)
        ):
            raise RefusedError(f"{key}: expected null, or {', '.join(fields)}")
    return rows[body["id"]], body


def _apply(decisions: Decisions, data: DataSet, row: ReviewRow, wish: dict[str, Any]) -> Correction | None:
    """Write a decision, or remove it."""
    seen = (wish["seen"]["decision"], wish["seen"]["new_label"]) if wish.get("seen") else None
    wanted = wish.get("decision")
    if wanted is None:
        decisions.forget(row, seen=seen)
        return None
    new_label = data.known_label(wanted["new_label"]) if wanted["decision"] == "relabel" else ""
    if new_label is None:
        raise RefusedError(f"{wanted['new_label']!r} is a label {data.kind.unknown}")
    return decisions.decide(row, wanted["decision"], new_label, note=wanted["note"][:MOST_NOTE], seen=seen)


def _as_json(row: ReviewRow, data: DataSet, decision: Correction | None) -> dict[str, Any]:
    """Return a row as the page shows it: hidden characters of its texts, which may mislead a person, are seen."""
    shown = data.kind.shown
    neighbours = [{"id": near.id, "text": visible(near.text), "label": shown(near.label)} for near in row.neighbours]
    texts = {
        "text": visible(row.text),
        "text_pair": visible(row.text_pair or ""),
        "label_shown": shown(row.label),
        "suggested_shown": shown(row.suggested),
        "neighbours": neighbours,
    }
    return {**asdict(row), **texts, "decision": _shown(decision)}


def _shown(correction: Correction | None) -> dict[str, str] | None:
    return None if correction is None else {key: getattr(correction, key) for key in ("decision", "new_label", "note")}
