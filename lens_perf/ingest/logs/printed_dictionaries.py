"""Turns the dictionaries that the Hugging Face Trainer prints into observations, and finds their iterations."""

from collections.abc import Iterator
from dataclasses import replace

from lens_perf.ingest.logs.forms import Line, Purpose
from lens_perf.ingest.logs.line_metrics import LineMetrics
from lens_perf.ingest.logs.options import LogOptions
from lens_perf.ingest.logs.redrawn_bars import RedrawnBars, find_bar
from lens_perf.ingest.logs.report_times import ReportTimes
from lens_perf.ingest.logs.values import parse_number
from lens_perf.ingest.read_summary import ReadSummary
from lens_perf.ingest.records import Observation

# Evaluations that are held with the first report.
MOST_HELD = 1000
# Beginnings of values in configurations, which no value of a report has.
SETTINGS = ("True", "False", "[", "{", "(")
NO_REPORTS = "dictionaries that are not reports, such as a configuration"
REPEATED = "evaluations and final summaries that are printed again, as by other ranks"
SERIES = "printed dictionary"
CALLBACK_LINE = "callback line"


class PrintedDictionaries:
    """Reads the printed dictionaries of one input.

    The iteration is taken from the dictionary, else from the progress bar that is drawn again after it, else counted
    with ``logging_steps``, else taken from a bar before it in its line. Evaluations and the final summary belong to the
    report before them, unless they have an iteration of their own.
    """

    def __init__(self, summary: ReadSummary, options: LogOptions) -> None:
        self._summary = summary
        self._options = options
        self._metrics = LineMetrics(summary)
        self._times = ReportTimes(summary, options)
        self._bars = RedrawnBars(summary)
        self._iteration: int | None = None
        self._reports = 0
        self._callback: Line | None = None
        self._first: list[Line] = []
        self._state: frozenset[str] = frozenset()
        self._ended: tuple[frozenset[str], str] | None = None

    def take(self, line: Line, text: str) -> Iterator[Observation]:
        """Yield the observations of a dictionary, and those that waited for it or for a progress bar."""
        if line.form.purpose is not Purpose.PROGRESS and not is_report(line):
            self._summary.skip(NO_REPORTS, text)
            return
        for each in self._bars.take(line, text, training=is_training(line)):
            yield from self._take_dictionary(each)

    def _take_dictionary(self, line: Line) -> Iterator[Observation]:
        if line.form.name == CALLBACK_LINE:
            yield from self._flush_callback()
            self._callback = line
            return
        if self._callback is not None:
            callback, self._callback = self._callback, None
            if agree(callback, line):
                line = join(callback, line)
            else:
                yield from self._hold_first(callback)
        yield from self._hold_first(line)

    def settle(self) -> Iterator[Observation]:
        """Yield the waiting observations at the end of the input."""
        for each in self._bars.settle():
            yield from self._take_dictionary(each)
        yield from self._flush_callback()
        waiting, self._first = self._first, []
        for line in waiting:
            yield from self._observe(line)

    def note_other_time(self, line: Line) -> None:
        """Note the time of a line of another dialect for its iteration."""
        self._times.note_other(line)

    def _flush_callback(self) -> Iterator[Observation]:
        callback, self._callback = self._callback, None
        if callback is not None:
            yield from self._hold_first(callback)

    def _hold_first(self, line: Line) -> Iterator[Observation]:
        """Hold the first report until the second shows whether it belongs to the first iteration."""
        counts = self._options.logging_steps is not None and not self._reports and line.iteration is None
        if self._first and (is_training(line) or len(self._first) > MOST_HELD):
            first, *others = self._first
            self._first = []
            if self._is_of_first_iteration(first, line):
                first = replace(first, iteration=1)
            for each in (first, *others):
                yield from self._observe(each)
            yield from self._observe(line)
        elif self._first or (counts and is_training(line)):
            self._first.append(line)
        else:
            yield from self._observe(line)

    def _is_of_first_iteration(self, first: Line, second: Line) -> bool:
        """Return whether the first report is due to ``logging_first_step``, by the bar or epoch of the second."""
        bar, steps = find_bar(second), self._options.logging_steps
        done = second.iteration if second.iteration is not None else bar and bar[0]
        earlier, later = find_epoch(first), find_epoch(second)
        half = (later - earlier) / 2
        return earlier < half if done is None or steps is None else done <= steps and earlier <= half

    def _observe(self, line: Line) -> Iterator[Observation]:
        training = is_training(line)
        if not training and self._is_repeated(line):
            self._summary.skip(REPEATED)
            return
        iteration, target = self._place(line, training=training)
        performance = self._metrics.read(line)
        if target is not None:
            performance["target_iteration"] = target
        created_at = self._times.find(line.prefix, performance, iteration, self._iteration) if training else None
        if training:
            self._iteration, self._reports = iteration, self._reports + 1
            self._state = frozenset(performance)
        elif iteration is not None:
            # The epoch and similar values are the state of training, which the report has more exactly.
            performance = {name: performance[name] for name in performance if is_own(name) or name not in self._state}
        yield Observation(SERIES if training else None, iteration, created_at, performance)

    def _is_repeated(self, line: Line) -> bool:
        seen = frozenset(name for name, _ in line.fields), str(find_epoch(line))
        repeated, self._ended = self._ended == seen, seen
        return repeated

    def _place(self, line: Line, *, training: bool) -> tuple[int | None, int | None]:
        """Return the iteration and the target of a line."""
        if not training:
            return (self._iteration, None) if line.iteration is None else (line.iteration, line.target)
        self._ended = None
        if line.iteration is not None:
            return line.iteration, line.target
        bar, steps = find_bar(line), self._options.logging_steps
        if steps is not None:
            self._summary.note(f"iterations are counted: one report every {steps}")
            return self._count(steps, bar and bar[0]), bar and bar[1]
        if bar is None:
            self._summary.note("the lines name no iteration; --logging-steps N numbers them, if none is missing")
            return None, None
        self._summary.note("iterations are those of the progress bars ahead of the dictionaries")
        return bar

    def _count(self, steps: int, done: int | None) -> int:
        """Return the multiple of ``steps`` that follows, or the one at ``done``, which may be of a moment before."""
        following = ((self._iteration or 0) // steps + 1) * steps
        shown = following if done is None else max(-(-done // steps), 1) * steps
        return following if shown == self._iteration else shown


def is_report(line: Line) -> bool:
    """Return whether a dictionary reports metrics: a configuration also has values other than numbers."""
    fields = dict(line.fields)
    if line.iteration is None and parse_number(fields.get("epoch", "")) is None:
        return False
    if any(value.startswith(SETTINGS) for value in fields.values()):
        return False
    texts = [name for name, value in fields.items() if name not in line.form.texts and parse_number(value) is None]
    return 2 * len(texts) < len(fields) and (line.iteration is not None or any(map(_names_a_report, fields)))


def _names_a_report(name: str) -> bool:
    return name.endswith(("loss", "_runtime")) or "reward" in name or name == "grad_norm"


def is_training(line: Line) -> bool:
    """Return whether a report is about training, not an evaluation or the final summary."""
    names = {name for name, _ in line.fields}
    if names & {"loss", "grad_norm"}:
        return True
    return not any(map(is_own, names))


def is_own(name: str) -> bool:
    """Return whether only an evaluation or the final summary has a metric."""
    return name.startswith(("eval_", "train_"))


def find_epoch(line: Line) -> float:
    """Return the epoch of a report."""
    number = parse_number(dict(line.fields).get("epoch", ""))
    return number.value if number is not None and isinstance(number.value, (int, float)) else 0.0


def agree(callback: Line, line: Line) -> bool:
    """Return whether a callback's line and a dictionary are of the same report, to the digits the callback prints."""
    theirs, ours = dict(callback.fields), dict(line.fields)
    return all(name in ours and _is_rounded(theirs[name], ours[name]) for name in ("loss", "epoch") if name in theirs)


def _is_rounded(rounded: str, exact: str) -> bool:
    first, second = parse_number(rounded), parse_number(exact)
    if first is None or second is None:
        return False
    if not isinstance(first.value, (int, float)) or not isinstance(second.value, (int, float)):
        return first.value == second.value
    decimals = len(rounded.partition(".")[2].partition("e")[0])
    return abs(first.value - second.value) <= 0.51 * 10.0**-decimals


def join(callback: Line, line: Line) -> Line:
    """Return one line with the fields of both; the dictionary's numbers are the exact ones."""
    names = {name for name, _ in line.fields}
    more: list[tuple[str, str]] = [field for field in callback.fields if field[0] not in names]
    return replace(line, prefix=f"{line.prefix} {callback.prefix}", fields=[*line.fields, *more])
