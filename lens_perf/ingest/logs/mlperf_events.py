"""Turns the events of MLPerf logging into observations: https://github.com/mlcommons/logging.

One counter of the events is the iteration: ``samples_count``, or a step if no event has such a count. Events with only
a step wait for the next count, which is either the step itself or a number of samples per step. The other counters
become metrics.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lens_perf.ingest.logs.forms import Line
from lens_perf.ingest.logs.options import LogOptions
from lens_perf.ingest.logs.report_times import TimesByIteration
from lens_perf.ingest.logs.splitting import flatten, load_json
from lens_perf.ingest.logs.values import parse_number
from lens_perf.ingest.numbers import OUT_OF_RANGE, parse_whole
from lens_perf.ingest.read_summary import ReadSummary
from lens_perf.ingest.records import MetricValue, Observation

SAMPLES = "samples_count"
STEPS = ("step_num", "step")
COUNTERS = (SAMPLES, *STEPS, "epoch_num")
SERIES = "training event"
STATISTICS = "tracked_stats"
# Number of iterations whose counters are kept: events of one iteration are close to each other.
MOST_NAMED = 1000
MOST_WAITING = 1000
MARKER = ":::MLLOG"
NO_EVENT = "MLLOG lines that hold no event"
NO_COUNTER = "events without a counter or a number: settings and marks of phases"
OWN_COUNTER = "events that count the steps of an evaluation of their own"


@dataclass(frozen=True)
class Event:
    """One event: its key, its numbers, None for those out of range, its counters, and its time."""

    key: str
    numbers: dict[str, MetricValue]
    counters: dict[str, Any]
    created_at: datetime

    @property
    def samples(self) -> int | None:
        """The number of samples trained on."""
        return parse_whole(self.counters.get(SAMPLES))

    @property
    def step(self) -> int | None:
        """The optimizer's step."""
        return next((step for name in STEPS if (step := parse_whole(self.counters.get(name))) is not None), None)


def parse_event(text: str) -> Event:
    """Return the event in a JSON text. Raises ValueError."""
    try:
        event: dict[str, Any] = load_json(text)[0]
        key, metadata = event["key"], event.get("metadata") or {}
        created_at = datetime.fromtimestamp(event["time_ms"] / 1000, UTC)
        counters = {name: metadata[name] for name in COUNTERS if metadata.get(name) is not None}
        # The value of a phase mark is not a metric but the number of an epoch.
        value = None if str(event.get("event_type")).startswith("INTERVAL") else event.get("value")
        pairs = flatten(value if isinstance(value, dict) else {key: value})
        # A string is a setting, even if it contains a number.
        found = {str(name): parse_number(text) for name, text in pairs if type(value) is not str}
    except (KeyError, TypeError, AttributeError, OverflowError, OSError) as error:
        raise ValueError(str(error)) from None
    return Event(str(key), {name: number.value for name, number in found.items() if number}, counters, created_at)


def find_ratio(samples: int, step: int) -> int:
    """Return the number of samples per step, counted from 0 or from 1; 1 if the step itself counts samples."""
    return next((samples // count for count in (step, step + 1) if count and samples % count == 0), 1)


class MlperfEvents:
    """Reads the events of one input. Training was restarted if its counter goes back after another ``run_start``."""

    def __init__(self, summary: ReadSummary, _: LogOptions) -> None:
        self._summary = summary
        self._evaluation: Event | None = None
        self._samples_per_step: int | None = None
        self._waiting: list[Event] = []
        self._last: int | None = None
        self._is_new_run = False
        self._reached = TimesByIteration()
        self._named: dict[int, set[str]] = {}

    def take(self, _: Line, text: str) -> Iterator[Observation]:
        """Yield the observations of an event."""
        try:
            event = parse_event(text[text.index("{", text.index(MARKER)) :])
        except ValueError:
            self._summary.lose(NO_EVENT, text)
            return
        for name in [name for name, value in event.numbers.items() if value is None]:
            del event.numbers[name]
            self._summary.lose(OUT_OF_RANGE, name)
        self._note_phase(event)
        yield from self._learn(event)
        if not event.numbers or not event.counters:
            self._summary.skip(NO_COUNTER)
        elif self._is_of_evaluation(event):
            self._summary.skip(OWN_COUNTER, text)
        elif self._samples_per_step is None and event.samples is None and event.step:
            self._waiting.append(event)
            if len(self._waiting) > MOST_WAITING:
                yield from self.settle()
        else:
            yield self._observe(event)

    def settle(self) -> Iterator[Observation]:
        """Yield the waiting events at the end of the input."""
        if self._waiting:
            self._samples_per_step = self._samples_per_step or 1
        yield from self._release()

    def _learn(self, event: Event) -> Iterator[Observation]:
        """Determine the number of samples per step, and yield the events that waited for it."""
        samples, step = event.samples, event.step
        if self._samples_per_step is None and samples and self._waiting:
            self._samples_per_step = find_ratio(samples, step or self._waiting[-1].step or 0)
        elif event.key == "eval_start" and samples and step and samples % step == 0:
            self._samples_per_step = samples // step
        if self._samples_per_step is not None:
            yield from self._release()

    def _release(self) -> Iterator[Observation]:
        waiting, self._waiting = self._waiting, []
        for event in waiting:
            yield self._observe(event)

    def note_other_time(self, line: Line) -> None:
        """Do nothing: events have times."""

    def _note_phase(self, event: Event) -> None:
        if event.key == "run_start":
            self._is_new_run = self._last is not None
        elif event.key == "eval_start":
            self._evaluation = event
        elif event.key in {"eval_stop", "run_stop"}:
            self._evaluation = None

    def _is_of_evaluation(self, event: Event) -> bool:
        """Return whether a statistic within an evaluation counts the evaluation's own steps."""
        now = self._evaluation
        if now is None or event.key != STATISTICS:
            return False
        if event.samples is not None and now.samples is not None:
            return event.samples != now.samples
        return event.step is not None and now.step is not None and event.step != now.step

    def _observe(self, event: Event) -> Observation:
        iteration, counter = self._place(event)
        if iteration is None:
            self._summary.note("events whose only counter is epoch_num have no iteration")
        else:
            self._summary.note(f"the iteration is the {counter} of an event; its other counters are metrics")
        series, created_at = self._find_series(event, iteration), event.created_at
        if series is None and iteration is not None and self._reached.has_passed(iteration):
            # Otherwise times would suggest that training went back.
            return Observation(None, iteration, self._reached.find(iteration), self._join(event, iteration, counter))
        if series is not None and iteration is not None:
            self._reached.add(iteration, created_at)
        return Observation(series, iteration, created_at, self._join(event, iteration, counter))

    def _place(self, event: Event) -> tuple[int | None, str]:
        """Return the iteration of an event, and the counter that it comes from."""
        now, step = self._evaluation, event.step
        if event.samples is not None:
            return event.samples, SAMPLES
        if step is None:
            return None, ""
        if now is not None and now.step == step and now.samples is not None:
            return now.samples, SAMPLES
        samples = self._samples_per_step or 1
        return step * samples, "step" if samples == 1 else f"step, times {samples} samples,"

    def _find_series(self, event: Event, iteration: int | None) -> str | None:
        if iteration is None:
            return SERIES
        if self._evaluation is not None or event.key.startswith("eval"):
            return None
        if self._last is None or iteration > self._last or self._is_new_run:
            self._last, self._is_new_run = iteration, False
            return SERIES
        # Some benchmarks report the samples of one block with each: a counter that lags behind is not a restart.
        return None

    def _join(self, event: Event, iteration: int | None, counter: str) -> dict[str, MetricValue]:
        """Return the numbers of an event and, once per iteration, its other counters."""
        named = set[str]() if iteration is None else self._named.setdefault(iteration, set())
        if len(self._named) > MOST_NAMED:
            del self._named[next(iter(self._named))]
        performance = dict(event.numbers)
        for name, value in event.counters.items():
            number = parse_number(repr(value))
            if not counter.startswith(name) and name not in named and number is not None:
                performance.setdefault(name, number.value)
                named.add(name)
        return performance
