"""A client in a separate process that reads and discards answers: ``python -m tests.chaos.drain URL SECONDS``.

Prints a line for each answer: status, seconds, bytes. After a refusal, it waits as long as
Retry-After demands.
"""

import http.client
import sys
import time
from urllib.parse import urlsplit

BUFFER = bytearray(1 << 18)


def main(address: str, seconds: float) -> None:
    """Send requests until the time is over."""
    url = urlsplit(address)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=120)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        started = time.monotonic()
        size = 0
        try:
            connection.request("GET", f"{url.path}?{url.query}")
            response = connection.getresponse()
            while count := response.readinto(BUFFER):
                size += count
            status, wait = response.status, float(response.headers.get("Retry-After") or 0)
        except (OSError, http.client.HTTPException):
            connection.close()
            status, wait = 0, 0.1
        sys.stdout.write(f"{status} {time.monotonic() - started:.4f} {size}\n")
        time.sleep(wait)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
