"""Finds the iterations of printed dictionaries in the progress bars that tqdm draws around them."""

import re
from collections.abc import Iterator
from dataclasses import replace

from lens_perf.ingest.logs.forms import Line, Purpose
from lens_perf.ingest.logs.values import parse_iteration
from lens_perf.ingest.read_summary import ReadSummary

# As in "10/100 [00:10<01:30,": tqdm's number of finished and of all iterations.
BAR = re.compile(r"(?<![0-9/])(?P<done>[0-9]{1,10})/(?P<total>[0-9]{1,10}) \[[0-9:]++<")


class RedrawnBars:
    """Adds the iterations of redrawn bars to the printed dictionaries of one input.

    tqdm draws a bar at most every 0.1 seconds, so the bar before a dictionary may show an earlier iteration. To print
    the dictionary, tqdm clears the bars and draws them again afterwards: these show the exact iteration. A dictionary
    that follows a bar in the same text was not printed by tqdm, and no bar is drawn again.
    """

    def __init__(self, summary: ReadSummary) -> None:
        self._summary = summary
        self._drawn = ""
        self._total: int | None = None
        self._known: int | None = None
        self._waiting: Line | None = None
        self._expected: tuple[int | None, ...] = ()

    def take(self, line: Line, text: str, *, training: bool) -> Iterator[Line]:
        """Yield the dictionaries whose bar is known after ``line``, a dictionary or a bar."""
        if line.form.purpose is Purpose.PROGRESS:
            yield from self._take_bar(line, text)
            return
        yield from self._release_displaced()
        overwrites, self._drawn = bool(self._drawn) and line.prefix == self._drawn, ""
        bar = find_bar(line) if training else None
        is_behind = bar is not None and not overwrites
        if line.iteration is None and not is_behind and (self._total is not None or bar is not None):
            # The bar before may be that of an evaluation, which has another total.
            self._waiting, self._expected = line, (self._total, bar and bar[1])
        else:
            yield line

    def settle(self) -> Iterator[Line]:
        """Yield the dictionary that waits for its bar at the end of the input."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            done, total = find_bar(waiting) or (None, None)
            is_later = self._total is None or (total == self._total and done != self._known)
            yield waiting if is_later else replace(waiting, prefix="")

    def _take_bar(self, bar: Line, text: str) -> Iterator[Line]:
        self._drawn = text
        if self._waiting is not None and bar.target in self._expected:
            waiting, self._waiting = self._waiting, None
            self._known, self._total = bar.iteration, bar.target
            self._summary.note("iterations are those of the progress bars drawn again after the dictionaries")
            yield replace(waiting, iteration=bar.iteration, target=bar.target)

    def _release_displaced(self) -> Iterator[Line]:
        """Yield a dictionary without a bar after it: output was buffered, and the bar before it is another's."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            yield replace(waiting, prefix="")


def find_bar(line: Line) -> tuple[int, int] | None:
    """Return the iteration and the target of the progress bar before a dictionary, or None."""
    bars = list(BAR.finditer(line.prefix))
    return (parse_iteration(bars[-1]["done"]), parse_iteration(bars[-1]["total"])) if bars else None
