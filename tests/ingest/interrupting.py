"""Interrupts imports at chosen moments and checks the results; for the tests and for tests/chaos."""

import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lens_perf.ingest.record_writer import BATCH_SIZE

LINES = 2 * BATCH_SIZE + 1234
SENTENCE = "lens-perf: interrupted"
ADVICE = "what is stored is complete; import again to add the rest"


@dataclass(frozen=True)
class Ended:
    """How an import ended, and how many seconds after the signal; ``number`` is None if it ended before."""

    number: signal.Signals | None
    seconds: float
    status: int
    output: str
    errors: str
    stored: int

    def list_faults(self) -> Iterator[str]:
        """Yield the promises that were not kept."""
        whole = self.stored == LINES
        # A signal may arrive while the process ends.
        over = self.number is None or (self.status == 0 and whole and "wrote" in self.output)
        expected = 0 if over else 128 + int(self.number or 0)
        if self.status != expected:
            yield f"status {self.status} instead of {expected}"
        # Before it has parsed its arguments, the command gives no advice about imports.
        if self.errors not in ({""} if over else {f"{SENTENCE}; {ADVICE}\n", f"{SENTENCE}\n"}):
            yield f"errors {self.errors!r}"
        if not (whole or (not over and self.stored % BATCH_SIZE == 0)):
            yield f"{self.stored} of {LINES} records stored"


def write_log(directory: Path) -> Path:
    """Write a log of LINES iterations."""
    path = directory / "training.log"
    path.write_text("".join(f" iteration {number:8d}/   20000 | lm loss: {number}.5 |\n" for number in range(LINES)))
    return path


class Interrupter:
    """Runs imports of one log, each into another workload, and interrupts them."""

    def __init__(self, log: Path, settings: Path, uid: str, count: Callable[[str], int]) -> None:
        self._log, self._settings, self._uid, self._count = log, settings, uid, count
        self._runs = 0

    def interrupt_often(self, times: int) -> Iterator[Ended]:
        """Interrupt ``times`` imports with both signals, at random moments spread over the time of an import."""
        seconds = min(self._time(), self._time())
        place = 0
        while place < times:
            instant = seconds * (place + random.random()) / times
            ended = self.run(instant, (signal.SIGINT, signal.SIGTERM)[place % 2], ("log", "auto")[place // 2 % 2])
            if ended.number is None:
                seconds *= 0.95  # this import was faster
            else:
                place += 1
            yield ended

    def _time(self) -> float:
        started = time.monotonic()
        ended = self.run(60)
        assert not list(ended.list_faults()), ended
        return time.monotonic() - started

    def run(self, instant: float, number: signal.Signals = signal.SIGINT, kind: str = "log") -> Ended:
        """Import, and send a signal ``instant`` seconds after the command has taken over signals."""
        self._runs += 1
        uid = f"{self._uid}-{self._runs}"
        options = [str(self._log), "--config", str(self._settings), "--workload", uid]
        command = [sys.executable, "-m", "lens_perf", "import", kind, *options]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            wait_for_handler(process)
            sent = None
            try:
                output, errors = process.communicate(timeout=instant)
            except subprocess.TimeoutExpired:
                sent = number
                process.send_signal(number)
                began = time.monotonic()
                output, errors = process.communicate(timeout=60)
            seconds = 0.0 if sent is None else time.monotonic() - began
        return Ended(sent, seconds, process.returncode, output, errors, self._count(uid))


def wait_for_handler(process: subprocess.Popen[Any]) -> None:
    """Wait until a process handles SIGTERM, which Python does not do by default."""
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        mask = re.search(r"^SigCgt:\s*(\w+)$", status.read_text("ascii"), re.MULTILINE)
        if mask and int(mask[1], 16) >> (signal.SIGTERM - 1) & 1:
            return
        time.sleep(0.001)
