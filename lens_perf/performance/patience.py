"""Limits the time of a request: to its deadline, and while its client is connected."""

import time

from lens_perf.caller import get_client_socket, has_left
from lens_perf.errors import ClientLeftError, DeadlineExceededError

# Seconds between two checks of the client's socket.
POLL_SECONDS = 0.2
# Building the copy of a small workload takes less.
LEAST_SHARE_SECONDS = 1.0
PAST_DEADLINE = "The query ran past its deadline; ask for less with metrics, data_source, start and end, or max_points"
LEFT = "The client left before the answer was ready"


class Patience:
    """The time limits of a request, created in its thread. ``deadline`` is a time of ``time.monotonic``.

    ``copy_deadline`` is how long the request waits for a copy of a workload that is not up to date.
    """

    def __init__(self, seconds: float) -> None:
        self.deadline = self.copy_deadline = time.monotonic() + seconds
        self._client = get_client_socket()
        self._poll_at = 0.0

    @property
    def seconds_left(self) -> float:
        """The remaining seconds of the request."""
        return max(0.0, self.deadline - time.monotonic())

    def share(self, workloads: int) -> None:
        """Divide the remaining time between workloads: wait for the next copy only for its share."""
        share = max(LEAST_SHARE_SECONDS, self.seconds_left / workloads)
        self.copy_deadline = min(self.deadline, time.monotonic() + share)

    def check(self) -> None:
        """Raise DeadlineExceededError past the deadline, ClientLeftError if the client has disconnected."""
        now = time.monotonic()
        if now > self.deadline:
            raise DeadlineExceededError(PAST_DEADLINE)
        if self._client is not None and now >= self._poll_at:
            self._poll_at = now + POLL_SECONDS
            if has_left(self._client):
                raise ClientLeftError(LEFT)
