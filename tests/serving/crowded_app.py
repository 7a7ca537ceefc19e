"""An application whose process cannot start threads any more after a request for ``/crowded``."""

import threading
import time
from collections.abc import Iterable
from typing import Any


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answer after a moment."""
    if environ["PATH_INFO"] == "/crowded":
        threading.stack_size(1 << 46)  # see tests.faults.no_new_threads
    time.sleep(0.2)
    start_response("200 OK", [("Content-Length", "0")])
    return [b""]
