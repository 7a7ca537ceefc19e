"""Ends the command on SIGINT and SIGTERM at once, with 128 + the signal's number and without a traceback.

Python raises KeyboardInterrupt at any instruction: during imports, in clean-up code, or within psycopg2, which turns it
into an error of COPY; and only after the current system call or statement. Instead, Python's C handler writes the
signal's number into a pipe, and a thread that reads the pipe ends the process. An import loses nothing, because each
batch is a transaction.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

# Keep these imports few: before take_over(), signals have Python's default effect.
SIGNALS = (signal.SIGINT, signal.SIGTERM)
STANDARD_ERROR = 2
# Shows the cursor, which a progress bar hides.
SHOW_CURSOR = "\033[?25h\n"


class Interruption:
    """The process's response to signals. Before ``take_over``, signals have their previous effect."""

    def __init__(self) -> None:
        self._advice = ""
        self._instead: Callable[[], object] | None = None

    def take_over(self) -> None:
        """Handle signals from now on, except those that the process ignores since its start."""
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        for number in SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, _leave_to_the_thread)
        threading.Thread(target=self._read_signals, args=(reading,), name="signals", daemon=True).start()

    @contextmanager
    def advising(self, advice: str) -> Iterator[None]:
        """Add ``advice`` to the message of a signal during the block."""
        self._advice = f"; {advice}"
        try:
            yield
        finally:
            self._advice = ""

    @contextmanager
    def replaced_by(self, instead: Callable[[], object]) -> Iterator[None]:
        """During the block, let a signal call ``instead`` in the signal thread instead of ending the process."""
        self._instead = instead
        try:
            yield
        finally:
            self._instead = None

    @staticmethod
    def end(status: int) -> NoReturn:
        """End the process with ``status``, without the interpreter's clean-up, during which signals are not handled."""
        # If this fails, as on a full disk, Python reports it.
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
        sys.exit(status)

    def _read_signals(self, reading: int) -> None:
        while numbers := os.read(reading, 64):
            for number in numbers:
                if number in SIGNALS:
                    self._respond(number)

    def _respond(self, number: int) -> None:
        if instead := self._instead:
            instead()
            return
        shown = SHOW_CURSOR if os.isatty(STANDARD_ERROR) else ""
        # Not through sys.stderr, whose lock the interrupted thread may hold.
        with suppress(OSError):
            os.write(STANDARD_ERROR, f"{shown}lens-perf: interrupted{self._advice}\n".encode())
        os._exit(128 + number)


def _leave_to_the_thread(*_: object) -> None:
    """Do nothing: the pipe already has the signal's number."""


INTERRUPTION = Interruption()
