"""Collects the bytes of a request until a thread can answer it without waiting."""

import re

from gunicorn.http.errors import InvalidRequestLine, LimitRequestHeaders, ParseException

from lens_perf.capacity import LARGEST_BODY

# Far more than any client's headers; gunicorn's own limits on lines and fields apply first.
LARGEST_HEAD = 64 * 2**10

BARE_LF = re.compile(rb"(?<!\r)\n")
# The first bytes of a request line, or of the empty line that may precede it.
FIRST_BYTES = re.compile(rb"[\r!-~]")
CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([^\r]*?)[ \t]*(?=\r)", re.IGNORECASE)
EXPECT_CONTINUE = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*(?=\r)", re.IGNORECASE)
# The paths of probes. No other path has these names.
PROBE = re.compile(rb"(?:GET|HEAD) /(?:healthz|readyz|metrics)(?:\?[^ ]*)? HTTP/")


class ArrivingRequest:
    """The bytes of a request so far.

    ``fault`` is the error of a request that is ready although its head is incomplete: it is raised when the parser,
    which finds most errors itself, needs more bytes.
    """

    def __init__(self) -> None:
        self.received = bytearray()
        self.is_ready = False
        self.awaits_continue = False
        self.fault: ParseException | None = None
        self._size: int | None = None

    @property
    def is_probe(self) -> bool:
        """Whether the request is a probe."""
        return PROBE.match(self.received) is not None

    def add(self, content: bytes) -> None:
        """Add received bytes. Each byte is examined a bounded number of times."""
        searched = max(0, len(self.received) - 3)
        self.received += content
        if self._size is None:
            self._find_end_of_head(searched)
        self.is_ready = self.fault is not None or (self._size is not None and len(self.received) >= self._size)

    def _find_end_of_head(self, searched: int) -> None:
        end = self.received.find(b"\r\n\r\n", searched)
        if end >= 0:
            self._size = end + 4 + self._read_body_size(end)
        elif not FIRST_BYTES.match(self.received) or BARE_LF.search(self.received, searched):
            self.fault = InvalidRequestLine("incomplete")
        elif len(self.received) > LARGEST_HEAD:
            self.fault = LimitRequestHeaders("max buffer headers")

    def _read_body_size(self, end: int) -> int:
        """Return the size of the body to wait for; 0 if there is none, or it is not accepted."""
        lengths = CONTENT_LENGTH.findall(self.received, 0, end + 2)
        if len(lengths) != 1 or not re.fullmatch(rb"[0-9]{1,9}", lengths[0]) or int(lengths[0]) > LARGEST_BODY:
            return 0
        expectation = EXPECT_CONTINUE.search(self.received, 0, end + 2)
        if expectation and int(lengths[0]) > 0:
            # Answered here, where no thread waits for the body; the parser must not answer it again.
            self.awaits_continue = True
            start, after = expectation.span()
            del self.received[start:after]
            return int(lengths[0]) - (after - start)
        return int(lengths[0])
