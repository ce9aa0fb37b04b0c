"""A small archive on the loopback address that speaks ESO's protocols, written from their documentation.

TAP (VOTable; the ADQL runs on SQLite), CalSelector (XML, multipart, VOTable), datalink, the data portal (names in
Content-Disposition, ranges), sign-in with tokens that end, and the errors of all of them. Nothing here was seen on the
live archive.
"""

from __future__ import annotations

import base64
import json
import math
import re
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape, quoteattr

COLUMNS = {
    "dp_id": "char",
    "dp_cat": "char",
    "dp_type": "char",
    "ins_mode": "char",
    "date_obs": "char",
    "exp_start": "char",
    "exposure": "float",
    "access_estsize": "long",
    "release_date": "char",
    "object": "char",
    "target": "char",
    "prog_id": "char",
    "datalink_url": "char",
    "ra": "double",
    "dec": "double",
    "instrument": "char",
}
PIECE = 1 << 16


@dataclass
class Remote:
    """A file: its bytes, or where they come from."""

    name: str
    content: bytes | None = None
    size: int = 0
    piece: Callable[[int, int], bytes] | None = None  # start, number
    etag: str = ""
    proprietary: bool = False
    said_length: int | None = None  # instead of the true one

    def __post_init__(self) -> None:
        if self.content is not None:
            self.size = len(self.content)

    def read(self, start: int, number: int) -> bytes:
        if self.content is not None:
            return self.content[start : start + number]
        assert self.piece is not None
        return self.piece(start, number)


@dataclass
class State:
    """What the archive has, and how it misbehaves."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, Remote] = field(default_factory=dict)
    associations: dict[str, str] = field(default_factory=dict)  # dp_id: XML
    form: str = "xml"  # of CalSelector: xml or votable
    links: dict[str, str] = field(default_factory=dict)  # dp_id: name of its night log's file
    account: tuple[str, str] = ("astronomer", "s3cret-Wort")
    token_life: float = 3600.0
    faults: dict[str, list[tuple[int, dict[str, str]]]] = field(default_factory=dict)  # path's start: status, headers
    breaks: dict[str, list[int]] = field(default_factory=dict)  # dp_id: bytes after which the connection breaks
    ranges: bool = True
    if_range: bool = True  # whether If-Range is understood
    names: bool = True  # Content-Disposition
    pace: float = 0.0  # seconds between two pieces
    most: int = 10**9  # rows that TAP gives at most
    # what was asked
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    sent: Counter[str] = field(default_factory=Counter)  # bytes of each file
    queries: list[str] = field(default_factory=list)
    tokens: dict[str, float] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: State

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self._answer(parse_qs(self.rfile.read(length).decode()))

    def _answer(self, form: dict[str, list[str]]) -> None:
        parts = urlsplit(self.path)
        words = parse_qs(parts.query) | form
        with self.state.lock:
            self.state.requests.append((self.command, self.path, dict(self.headers)))
        if self._fault(parts.path):
            return
        doors = {
            "/tap_obs/sync": self._tap,
            "/calselector/v1/associations": self._associations,
            "/datalink/links": lambda _: self._links(parts.query),
            "/sso/oidc/token": self._token,
        }
        if parts.path in doors:
            doors[parts.path](words)
        elif parts.path.startswith("/dataPortal/file/"):
            self._file(unquote(parts.path.rsplit("/", 1)[1]))
        else:
            self._send(404, b"no such page", "text/plain")

    def _fault(self, path: str) -> bool:
        for start, left in self.state.faults.items():
            if path.startswith(start) and left:
                status, headers = left.pop(0)
                if status == 0:  # no answer at all
                    self.close_connection = True
                    return True
                self._send(status, b"<html>busy</html>", "text/html", headers)
                return True
        return False

    def _send(self, status: int, content: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    # the table

    def _tap(self, words: dict[str, list[str]]) -> None:
        query, most = words["QUERY"][0], min(int(words.get("MAXREC", ["1000000"])[0]), self.state.most)
        with self.state.lock:
            self.state.queries.append(query)
        try:
            names, rows = _ask(self.state.rows, query)
        except sqlite3.Error as error:
            text = f'<INFO name="QUERY_STATUS" value="ERROR">{escape(str(error))}</INFO>'
            self._send(200, _votable(text).encode(), "application/x-votable+xml")
            return
        status = "OVERFLOW" if len(rows) > most else "OK"
        fields = "".join(_field(name) for name in names)
        body = "".join(
            "<TR>" + "".join(f"<TD>{'' if cell is None else escape(str(cell))}</TD>" for cell in row) + "</TR>"
            for row in rows[:most]
        )
        text = (
            f'<INFO name="QUERY_STATUS" value="OK"/><TABLE>{fields}<DATA><TABLEDATA>{body}</TABLEDATA></DATA></TABLE>'
            + (f'<INFO name="QUERY_STATUS" value="{status}"/>' if status != "OK" else "")
        )
        self._send(200, _votable(text).encode(), "application/x-votable+xml")

    # calibrations

    def _associations(self, words: dict[str, list[str]]) -> None:
        known = [name for name in words.get("dp_id", []) if name in self.state.associations]
        trees = [self.state.associations[name] for name in known]
        if self.state.form == "votable":
            self._send(200, _as_votable(known[0], trees[0]).encode(), "application/x-votable+xml")
        elif len(trees) == 1:
            name = {"Content-Disposition": f'attachment; filename="{known[0]}.xml"'}
            self._send(200, trees[0].encode(), "application/xml", name)
        else:
            parts = "".join(
                f'--edge\r\nContent-Disposition: form-data; name="{name}"; filename="{name}.xml"\r\n'
                f"Content-Type: application/xml\r\n\r\n{tree}\r\n"
                for name, tree in zip(known, trees, strict=True)
            )
            self._send(200, f"{parts}--edge--\r\n".encode(), "multipart/form-data; boundary=edge")

    def _links(self, query: str) -> None:
        name = unquote(query).rpartition("?")[2]
        rows = [("#this", f"https://dataportal.eso.org/dataPortal/file/{name}")]
        if name in self.state.links:
            rows.append(
                (
                    "http://archive.eso.org/rdf/datalink/eso#night_log",
                    f"https://dataportal.eso.org/dataPortal/file/{self.state.links[name]}",
                )
            )
        body = "".join(f"<TR><TD>{s}</TD><TD>{escape(u)}</TD></TR>" for s, u in rows)
        fields = "".join(_field(name) for name in ("semantics", "access_url"))
        text = f"<TABLE>{fields}<DATA><TABLEDATA>{body}</TABLEDATA></DATA></TABLE>"
        self._send(200, _votable(text).encode(), "application/x-votable+xml")

    # signing in

    def _token(self, words: dict[str, list[str]]) -> None:
        if (words.get("username", [""])[0], words.get("password", [""])[0]) != self.state.account:
            self._send(401, b'{"error": "invalid_grant"}', "application/json")
            return
        end = time.time() + self.state.token_life
        parts = [{"alg": "RS256"}, {"exp": end, "n": len(self.state.tokens)}]
        token = ".".join(base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts) + ".sig"
        self.state.tokens[token] = end
        self._send(200, json.dumps({"id_token": token}).encode(), "application/json")

    # files

    def _file(self, dp_id: str) -> None:
        state = self.state
        if dp_id not in state.files:
            self._send(404, b"unknown", "text/plain")
            return
        remote = state.files[dp_id]
        shown = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if remote.proprietary and state.tokens.get(shown, 0.0) < time.time():
            self._send(401, b"denied", "text/plain")
            return
        start, wanted = 0, re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        same = not state.if_range or self.headers.get("If-Range", remote.etag) == remote.etag
        if wanted and state.ranges and same:
            start = int(wanted[1])
            if start >= remote.size:
                self._send(416, b"", "text/plain", {"Content-Range": f"bytes */{remote.size}"})
                return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{remote.size - 1}/{remote.size}")
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str((remote.said_length or remote.size) - start))
        if remote.etag:
            self.send_header("ETag", remote.etag)
        if state.names:
            self.send_header("Content-Disposition", f'attachment; filename="{remote.name}"')
        self.end_headers()
        self._pieces(dp_id, remote, start)

    def _pieces(self, dp_id: str, remote: Remote, start: int) -> None:
        breaks = self.state.breaks.get(dp_id, [])
        end = start + breaks.pop(0) if breaks else remote.size
        try:
            for piece in _between(remote, start, min(end, remote.size)):
                self.wfile.write(piece)
                with self.state.lock:
                    self.state.sent[dp_id] += len(piece)
                if self.state.pace:
                    time.sleep(self.state.pace)
        except (BrokenPipeError, ConnectionResetError):
            pass
        if end < remote.size or remote.said_length:
            self.close_connection = True


def _between(remote: Remote, start: int, end: int) -> Iterator[bytes]:
    while start < end:
        piece = remote.read(start, min(PIECE, end - start))
        yield piece
        start += len(piece)


def _field(name: str) -> str:
    kind = COLUMNS.get(name, "char")
    size = ' arraysize="*"' if kind == "char" else ""
    unit = ' unit="kbyte"' if name == "access_estsize" else ""
    return f'<FIELD name="{name}" datatype="{kind}"{size}{unit}/>'


def _votable(text: str) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?><VOTABLE version="1.3" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">'
        f'<RESOURCE type="results">{text}</RESOURCE></VOTABLE>'
    )


def _ask(rows: list[dict[str, Any]], adql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Run a question on SQLite, which knows all of ADQL that is used but the geometry."""
    base = sqlite3.connect(":memory:")
    base.execute("ATTACH ':memory:' AS dbo")
    base.execute(f"CREATE TABLE dbo.raw ({', '.join(COLUMNS)})")
    marks = ", ".join("?" * len(COLUMNS))
    base.executemany(f"INSERT INTO dbo.raw VALUES ({marks})", [tuple(r.get(c) for c in COLUMNS) for r in rows])
    base.create_function("POINT", 3, lambda _, ra, dec: f"{ra} {dec}")
    base.create_function("CIRCLE", 4, lambda _, ra, dec, radius: f"{ra} {dec} {radius}")
    base.create_function("CONTAINS", 2, _contains)
    found = base.execute(adql)
    names = [column[0] for column in found.description]
    answer = found.fetchall()
    base.close()
    return names, answer


def _contains(point: str, circle: str) -> int:
    if "None" in point:
        return 0
    (ra, dec), (ra0, dec0, radius) = map(float, point.split()), map(float, circle.split())
    east = (ra - ra0) * math.cos(math.radians(dec0))
    return int(math.hypot(east, dec - dec0) <= radius)


def tree(dp_id: str, calibrations: list[tuple[str, str]], **facts: str) -> str:
    """An association as the archive's documentation shows one; the first calibration has the second nested in it."""
    facts = {"category": "OBJECT", "certified": "true", "complete": "true", "mode": "Raw2Raw"} | facts
    message = facts.pop("message", "")
    head = " ".join(f"{name}={quoteattr(text)}" for name, text in facts.items())
    nested = (
        '<associatedFiles><association category="BIAS" match="calib_plan"><mainFiles>'
        f'<file category="BIAS" name={quoteattr(calibrations[0][0])}/></mainFiles></association></associatedFiles>'
    )
    inner = "".join(
        f'<association category={quoteattr(tag)} match="calib_plan"><mainFiles><file category={quoteattr(tag)}'
        f" name={quoteattr(name)}/></mainFiles><messages/>{nested}</association>"
        for name, tag in calibrations
    )
    said = f"<messages><message text={quoteattr(message)}/></messages>" if message else "<messages/>"
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><association {head}><mainFiles><file category="OBJECT"'
        f" name={quoteattr(dp_id)}/></mainFiles>{said}<associatedFiles>{inner}</associatedFiles></association>"
    )


def _as_votable(dp_id: str, text: str) -> str:
    head = re.search(r"<association ([^>]*)>", text)
    assert head
    files = sorted(set(re.findall(r'<file category="(\w[\w,]*)" name="([^"]+)"', text)) - {("OBJECT", dp_id)})
    rows = [(dp_id, "#this", "", "OBJECT", head[1])]
    rows += [
        (dp_id, "#calibration", f"https://dataportal.eso.org/dataPortal/file/{name}", tag, "") for tag, name in files
    ]
    body = "".join("<TR>" + "".join(f"<TD>{escape(cell)}</TD>" for cell in row) + "</TR>" for row in rows)
    fields = "".join(_field(name) for name in ("ID", "semantics", "access_url", "eso_category", "description"))
    return _votable(f"<TABLE>{fields}<DATA><TABLEDATA>{body}</TABLEDATA></DATA></TABLE>")


class Server(ThreadingHTTPServer):
    """The archive in a thread of its own; a context manager."""

    daemon_threads = True

    def __init__(self, state: State | None = None) -> None:
        self.state = state or State()
        super().__init__(("127.0.0.1", 0), type("Bound", (Handler,), {"state": self.state}))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went is no error."""

    def __enter__(self) -> Server:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()
