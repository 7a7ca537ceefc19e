"""A real HTTP server on loopback that records posts, and responds with given statuses."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

STALL = 0


@dataclass
class Listener:
    """The bodies and paths of posts. ``statuses`` are the responses in order, the last one repeated; STALL is none."""

    url: str = ""
    statuses: list[int] = field(default_factory=lambda: [200])
    bodies: list[Any] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)


@contextmanager
def run_listener(*statuses: int) -> Iterator[Listener]:
    """Listen on a free port of 127.0.0.1."""
    listener = Listener(statuses=list(statuses) or [200])

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            status = listener.statuses.pop(0) if len(listener.statuses) > 1 else listener.statuses[0]
            listener.paths.append(self.path)
            listener.authorizations.append(self.headers["Authorization"])
            if status == STALL:
                listener.released.wait(30)
                self.close_connection = True
                return
            if status < 300:
                listener.bodies.append(json.loads(content))
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield listener
    finally:
        listener.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
