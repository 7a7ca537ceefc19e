"""Turns the lines of a dialect whose reports have iterations into observations."""

from collections.abc import Iterator

from lens_perf.ingest.logs.forms import Line, Purpose
from lens_perf.ingest.logs.line_metrics import LineMetrics
from lens_perf.ingest.logs.metric_names import spell_name
from lens_perf.ingest.logs.options import LogOptions
from lens_perf.ingest.logs.report_times import ReportTimes
from lens_perf.ingest.logs.stamps import find_rank
from lens_perf.ingest.read_summary import ReadSummary
from lens_perf.ingest.records import MetricValue, Observation

# Other ranks print an iteration at almost the same time. One that is further back is a restart, unless it lags behind.
LARGEST_LAG = 2
# Ranks that lag behind; beyond this number they are forgotten, so that memory use is constant.
MOST_RANKS = 1 << 16
# Evaluations that wait for their report.
MOST_WAITING = 1000

AHEAD = "lines before the first iteration"


class IterationLines:
    """Reads the lines of one input. Only reports show the progress of training; other lines add to an iteration."""

    def __init__(self, summary: ReadSummary, options: LogOptions) -> None:
        self._summary = summary
        self._options = options
        self._metrics = LineMetrics(summary)
        self._times = ReportTimes(summary, options)
        self._rank: int | None = None
        self._behind: dict[int, int] = {}
        self._iteration: int | None = None
        self._spacing = 0
        self._heading: tuple[int | None, int | None] = (None, None)
        self._next: dict[str, MetricValue] = {}
        self._held: Observation | None = None
        self._bar = ""
        self._reported: Observation | None = None
        self._waiting: list[Observation] = []
        self._evaluated: tuple[int | None, dict[str, MetricValue]] = (None, {})

    def take(self, line: Line, text: str) -> Iterator[Observation]:
        """Yield the observations of a line, and those that waited for it."""
        form = line.form
        if form.purpose is Purpose.HEADING:
            yield from self._release()
            self._heading = line.iteration, line.target
        elif form.reports:
            yield from self._take_report(line, text)
        elif form.joins_next:
            self._next = self._metrics.read(line)
        else:
            yield from self._take_other(line, text)

    def settle(self) -> Iterator[Observation]:
        """Yield the waiting observations at the end of the input."""
        yield from self._release()
        yield from self._release_waiting()

    def note_other_time(self, line: Line) -> None:
        """Note the time of a line of another dialect, for reports without a time."""
        self._times.note_other(line)

    def _take_report(self, line: Line, text: str) -> Iterator[Observation]:
        iteration, target = (line.iteration, line.target) if line.iteration is not None else self._heading
        if iteration is None:
            self._count_without_iteration(line, text)
            return
        if self._is_from_another_rank(iteration, line.prefix):
            self._summary.skip("lines of other ranks", text)
            return
        performance, self._next = self._next | self._metrics.read(line), {}
        if not performance:
            return
        if target is not None:
            performance["target_iteration"] = target
        created_at = self._times.find(line.prefix, performance, iteration, self._iteration)
        observation = Observation(line.form.name, iteration, created_at, performance)
        if line.form.last_counts:
            yield from self._hold(observation, line.done)
            return
        self._spacing = iteration - self._iteration if self._iteration is not None else 0
        self._iteration, self._reported = iteration, observation
        yield observation
        yield from self._release_waiting()

    def _count_without_iteration(self, line: Line, text: str) -> None:
        if line.rest and not line.fields:
            self._summary.lose(f"{line.form.name}s that are damaged", text)
        else:
            self._summary.skip(AHEAD, text)

    def _hold(self, observation: Observation, bar: str) -> Iterator[Observation]:
        """Hold a report that a later line of its iteration may replace; another bar belongs to an evaluation."""
        held = self._held
        if held is None or held.iteration != observation.iteration:
            yield from self._release()
            self._held, self._bar = observation, bar
        elif bar == self._bar and held.performance.keys() <= observation.performance.keys():
            self._held = observation
        else:
            yield from self._release()
            own = {f"evaluation_{name}": value for name, value in observation.performance.items()}
            own.pop("evaluation_target_iteration", None)
            yield Observation(None, observation.iteration, None, own)

    def _release(self) -> Iterator[Observation]:
        """Yield the held report."""
        held, self._held = self._held, None
        if held:
            self._iteration, self._reported = held.iteration, held
            yield held
            yield from self._release_waiting()

    def _release_waiting(self) -> Iterator[Observation]:
        """Yield the evaluations whose attempt is now known."""
        waiting, self._waiting = self._waiting, []
        for observation in waiting:
            yield self._keep_from_report(observation)

    def _keep_from_report(self, observation: Observation) -> Observation:
        """Return an evaluation with metrics renamed that differ from its report, such as the elapsed time."""
        reported = self._reported
        if reported is None or reported.iteration != observation.iteration:
            return observation
        performance = {
            f"evaluation_{name}" if reported.performance.get(name, value) != value else name: value
            for name, value in observation.performance.items()
        }
        return observation._replace(performance=performance)

    def _take_other(self, line: Line, text: str) -> Iterator[Observation]:
        current = self._held.iteration if self._held else self._iteration
        iteration = line.iteration if line.iteration is not None else current
        evaluates = line.form.purpose is Purpose.EVALUATION
        if iteration is None and not evaluates:
            self._summary.skip(AHEAD, text)
            return
        performance = self._metrics.read(line)
        if evaluates:
            performance = self._distinguish_labels(line, iteration, performance)
        if not performance:
            return
        if line.target is not None:
            performance["target_iteration"] = line.target
        ahead = iteration is None or iteration != current
        created_at = self._times.find_other(line.prefix, iteration) if ahead else None
        observation = Observation(None, iteration, created_at, performance)
        if iteration is None or iteration == current:
            yield self._keep_from_report(observation)
            return
        # A line before its report, for example after a restart, waits until its attempt is known.
        if self._waiting and (self._waiting[-1].iteration != iteration or len(self._waiting) > MOST_WAITING):
            yield from self._release_waiting()
        self._waiting.append(observation)

    def _distinguish_labels(
        self, line: Line, iteration: int | None, performance: dict[str, MetricValue]
    ) -> dict[str, MetricValue]:
        """Return the metrics of an evaluation, with its label added to names that its iteration already has."""
        if self._evaluated[0] != iteration:
            self._evaluated = iteration, {}
        before = self._evaluated[1]
        if line.label and any(before.get(name, value) != value for name, value in performance.items()):
            label = spell_name(line.label)
            performance = {f"{name}_on_{label}": value for name, value in performance.items()}
        before |= performance
        return performance

    def _is_from_another_rank(self, iteration: int, prefix: str) -> bool:
        rank, last = find_rank(prefix), self._iteration
        if rank is None:
            return False
        if last is not None and iteration <= last and self._rank not in {None, rank}:
            if self._lags(rank, iteration, last, prefix):
                self._behind[rank] = iteration
                return True
            self._behind.clear()
        self._rank = rank
        return False

    def _lags(self, rank: int, iteration: int, last: int, prefix: str) -> bool:
        """Return whether a rank reports an iteration late: at its own pace, or at a time before the last report."""
        if len(self._behind) > MOST_RANKS:
            self._behind.clear()
        near = last - max(LARGEST_LAG, self._spacing) <= iteration
        proceeds = self._behind.get(rank, iteration + 1) <= iteration
        return near or proceeds or self._times.is_over(prefix)
