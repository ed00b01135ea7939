"""A stand-in for the Hub on this machine, as far as its genuine clients need it to read data sets and models."""

import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

COMMIT = "1f" * 20
API = re.compile(
    r"/api/(?P<kind>datasets|models)/(?P<repo>[^/]+/[^/]+)(?:/(?P<verb>revision|tree|paths-info)/(?P<rest>.+))?"
)
RESOLVE = re.compile(r"/(?P<datasets>datasets/)?(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)")


class HubServer(ThreadingHTTPServer):
    """Serves repositories that have one commit, known by its hash, as `main` and as `v1`.

    Args:
        repos: Files by kind and name, e.g. {"datasets/org/reviews": {"train.csv": b"..."}}.
        gated: Names of those that a client without the token may not read.
        token: What such a client must send.
    """

    daemon_threads = True

    def __init__(self, repos: dict[str, dict[str, bytes]], gated: set[str], token: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.repos, self.gated, self.token = repos, gated, token
        self.downloaded: list[str] = []  # paths of the files whose bytes were asked for

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: HubServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        asked = self.rfile.read(length)
        path = unquote(urlsplit(self.path).path)
        if match := API.fullmatch(path):
            self.api(match["kind"], match["repo"], match["verb"], match["rest"] or "main", asked)
        elif match := RESOLVE.fullmatch(path):
            self.resolve("datasets" if match["datasets"] else "models", **match.groupdict())
        else:
            self.fail(404, "EntryNotFound")

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        self.do_GET()

    def api(self, kind: str, repo: str, verb: str | None, rest: str, asked: bytes) -> None:
        revision, _, inside = rest.partition("/")
        files = self.files(kind, repo, revision)
        if files is None:
            return
        if verb in (None, "revision"):
            siblings = [{"rfilename": name} for name in files]
            self.send_json(
                {"id": repo, "sha": COMMIT, "private": False, "tags": [], "downloads": 0, "siblings": siblings}
            )
            return
        entries = [
            {"type": "file", "oid": hashlib.sha1(body).hexdigest(), "size": len(body), "path": name}
            for name, body in files.items()
        ]
        folders = sorted({name.rpartition("/")[0] for name in files if "/" in name})
        entries += [{"type": "directory", "oid": "0" * 40, "size": 0, "path": folder} for folder in folders]
        if verb == "paths-info":
            wanted = json.loads(asked)["paths"]
            self.send_json([entry for entry in entries if entry["path"] in wanted])
            return
        self.send_json([entry for entry in entries if not inside or entry["path"].startswith(inside + "/")])

    def resolve(self, kind: str, *, repo: str, revision: str, path: str, datasets: str | None) -> None:
        files = self.files(kind, repo, revision)
        if files is None:
            return
        if path not in files:
            self.fail(404, "EntryNotFound")
            return
        body = files[path]
        if self.command == "GET":
            self.server.downloaded.append(path)
        self.respond(200, body, ETag=f'"{hashlib.sha1(body).hexdigest()}"', X_Repo_Commit=COMMIT)

    def files(self, kind: str, repo: str, revision: str) -> dict[str, bytes] | None:
        """The files of a repository, or None after the answer that there is none to see."""
        files = self.server.repos.get(f"{kind}/{repo}")
        if files is None:
            self.fail(401, "RepoNotFound")
        elif repo in self.server.gated and self.headers.get("Authorization") != f"Bearer {self.server.token}":
            self.fail(403, "GatedRepo")
        elif revision not in ("main", "v1", COMMIT):
            self.fail(404, "RevisionNotFound")
        else:
            return files
        return None

    def send_json(self, value: object) -> None:
        self.respond(200, json.dumps(value).encode(), Content_Type="application/json")

    def fail(self, status: int, code: str) -> None:
        self.respond(status, b"{}", X_Error_Code=code, X_Error_Message=code)

    def respond(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Keep the tests' output quiet."""


@contextlib.contextmanager
def serve_hub(repos: dict[str, dict[str, bytes]], gated: set[str], token: str) -> Iterator[HubServer]:
    """Serve the repositories until the block ends."""
    with HubServer(repos, gated, token) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
