"""Handles the signals that stop the demo, and delays them while it cannot stop."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


class StopSignals:
    """Raises KeyboardInterrupt for the first signal to stop and ignores later ones, so that stopping completes."""

    SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __enter__(self) -> "StopSignals":
        self._held = self._ignored = False
        self.arrived = False
        # Under nohup, SIGHUP is ignored, and stays ignored.
        handled = [each for each in self.SIGNALS if each != signal.SIGHUP or signal.getsignal(each) != signal.SIG_IGN]
        self._previous = {each: signal.signal(each, self._stop) for each in handled}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _stop(self, *_: object) -> None:
        self.arrived = True
        if not (self._held or self._ignored):
            self._ignored = True
            raise KeyboardInterrupt

    def ignore(self) -> None:
        """Ignore all signals to stop from now on."""
        # Not with SIG_IGN: Python prints a traceback if a signal arrives while its handler is being replaced.
        self._ignored = True

    @contextmanager
    def held(self) -> Iterator[None]:
        """Delay a signal to the end of the block, so that the block completes or does not start."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
            if self.arrived:
                self._stop()
