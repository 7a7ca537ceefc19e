"""What SIGINT and SIGTERM do to the command: it ends at once with 128 + the signal's number, and without a traceback.

Python raises KeyboardInterrupt at any instruction: while modules are imported, in a clean-up, or within psycopg2, which
makes an error of COPY out of it. And it does so only when the system call or statement that has begun is over. Here the
C handler of Python writes the signal's number into a pipe, and a thread that reads the pipe ends the process. An import
loses nothing by that: each batch is a transaction.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

# No more than this is imported here: before take_over(), signals have Python's own effect.
SIGNALS = (signal.SIGINT, signal.SIGTERM)
STANDARD_ERROR = 2
# What a progress bar hides.
SHOW_CURSOR = "\033[?25h\n"


class Interruption:
    """The response to signals of this process. Before ``take_over``, signals do what they did."""

    def __init__(self) -> None:
        self._advice = ""
        self._instead: Callable[[], object] | None = None

    def take_over(self) -> None:
        """Respond to signals from now on, except to those that the process was started to ignore."""
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        for number in SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, _leave_to_the_thread)
        threading.Thread(target=self._read_signals, args=(reading,), name="signals", daemon=True).start()

    @contextmanager
    def advising(self, advice: str) -> Iterator[None]:
        """Add ``advice`` to the sentence that a signal prints, to the end of the block."""
        self._advice = f"; {advice}"
        try:
            yield
        finally:
            self._advice = ""

    @contextmanager
    def replaced_by(self, instead: Callable[[], object]) -> Iterator[None]:
        """Let a signal call ``instead``, in the thread of signals, and not end the process, to the end of the block."""
        self._instead = instead
        try:
            yield
        finally:
            self._instead = None

    @staticmethod
    def end(status: int) -> NoReturn:
        """End the process with ``status``, without the interpreter's own clean-up, in which no signal is heard."""
        # Where this fails, as on a full disk, Python reports it in its own way.
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
        # Past sys.stderr, whose lock the interrupted thread may hold.
        with suppress(OSError):
            os.write(STANDARD_ERROR, f"{shown}lens-perf: interrupted{self._advice}\n".encode())
        os._exit(128 + number)


def _leave_to_the_thread(*_: object) -> None:
    """Handle a signal in Python's sense: the pipe has its number already."""


INTERRUPTION = Interruption()
