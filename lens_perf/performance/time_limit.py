"""The time limit of a request: it ends at a deadline, or when the client disconnects."""

import time

from lens_perf.caller import get_client_socket, has_left
from lens_perf.errors import ClientLeftError, DeadlineExceededError

# Seconds between two checks of the client's socket.
POLL_SECONDS = 0.2
# The minimum share of the time for one of several workloads: enough to build the copy of a small one.
LEAST_SHARE_SECONDS = 1.0
PAST_DEADLINE = "The query ran past its deadline; limit it with metrics, data_source, start and end, or max_points"
LEFT = "The client left before the answer was ready"


class TimeLimit:
    """The deadlines of a request, as times of ``time.monotonic``. Create it in the thread of the request.

    ``copy_deadline`` limits the wait for a copy that has to be brought up to date.
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
        """Divide the remaining time between ``workloads``: set ``copy_deadline`` to the share of the next one."""
        share = max(LEAST_SHARE_SECONDS, self.seconds_left / workloads)
        self.copy_deadline = min(self.deadline, time.monotonic() + share)

    def check(self) -> None:
        """Raise DeadlineExceededError after the deadline, and ClientLeftError if the client has disconnected."""
        now = time.monotonic()
        if now > self.deadline:
            raise DeadlineExceededError(PAST_DEADLINE)
        if self._client is not None and now >= self._poll_at:
            self._poll_at = now + POLL_SECONDS
            if has_left(self._client):
                raise ClientLeftError(LEFT)
