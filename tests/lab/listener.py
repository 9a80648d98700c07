"""Somebody who listens to webhooks, on a port of the system's choice."""

import json
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_PATIENCE = 120.0  # seconds


@dataclass(frozen=True, slots=True)
class Heard:
    """One webhook."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def prediction(self) -> dict[str, Any]:
        return json.loads(self.body)


@dataclass(slots=True)
class Listener:
    """What came in; *answers* are the statuses of the next ones, 200 after them."""

    url: str
    answers: list[int] = field(default_factory=list)
    _heard: queue.Queue[Heard] = field(default_factory=queue.Queue)

    def next(self) -> Heard:
        """The next webhook; an AssertionError where none comes."""
        try:
            return self._heard.get(timeout=_PATIENCE)
        except queue.Empty:
            raise AssertionError("no webhook came") from None

    def is_quiet(self) -> bool:
        return self._heard.empty()

    def take(self, heard: Heard) -> int:
        self._heard.put(heard)
        return self.answers.pop(0) if self.answers else 200


@contextmanager
def listening() -> Iterator[Listener]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.send_response(listener.take(Heard(self.path, headers, body)))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        listener = Listener(f"http://127.0.0.1:{server.server_port}/hook")
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield listener
        finally:
            server.shutdown()
            thread.join()
