"""Chooses the columns of iteration, target and time of a table by their names and values."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from itertools import pairwise
from typing import Any

from lens_perf.errors import ImportInputError
from lens_perf.ingest.numbers import parse_whole
from lens_perf.ingest.tables.times import TimeRule, find_time_rule

RawRow = Mapping[str, Any]

BLANKS_AND_DASHES = re.compile(r"[\s-]++")

# In order of preference. Names are compared in lower case, with underscores, as a whole or after the last slash.
ITERATION_NAMES = (
    "iteration", "global_step", "global_steps", "step", "steps", "current_steps", "training_step", "train_step",
    "optimizer_step", "iter", "iters", "iterations", "it", "num_updates", "n_updates", "update", "updates", "_step",
    "step_num", "n_iter", "timestep", "timesteps", "total_timesteps",
)  # fmt: skip
EPOCH_NAMES = ("epoch", "epochs", "epoch_num")
TARGET_NAMES = (
    "target_iteration", "max_steps", "total_steps", "num_steps", "max_iterations", "total_iterations", "train_iters",
)  # fmt: skip
TIME_NAMES = (
    "timestamp", "time", "datetime", "date_time", "date", "wall_time", "walltime", "created_at", "@timestamp",
    "_timestamp", "ts", "time_stamp", "logged_at", "unix_time",
)  # fmt: skip
ELAPSED_NAMES = ("elapsed_time", "elapsed", "time_elapsed", "relative_time", "elapsed_seconds", "_runtime")
# In tables with one value per row, the column that names the metric; in other tables, the column that names the split
# of the data.
METRIC_NAMES, VALUE_NAMES = ("metric", "metric_name", "tag", "key", "name"), ("value",)
SPLIT_NAMES = ("split", "mode", "phase", "stage", "subset")
MOST_SPLITS = 10
MOST_LISTED = 40


@dataclass(frozen=True)
class TableOptions:
    """Options of a table: its columns, the unit of its times, the delimiter of a CSV.

    Times without a zone are in ``timezone``; ``start_time`` is added to times since the start.
    """

    iteration_column: str | None = None
    time_column: str | None = None
    time_unit: str | None = None
    delimiter: str | None = None
    timezone: tzinfo = UTC
    start_time: datetime | None = None


@dataclass(frozen=True)
class Columns:
    """The columns of a table that are not metrics."""

    iteration: str
    counts_epochs: bool = False
    epoch: str | None = None
    target: str | None = None
    time: TimeRule | None = None
    metric: str | None = None
    value: str | None = None
    split: str | None = None
    own: frozenset[str] = field(default_factory=frozenset)

    def describe(self) -> Iterator[str]:
        """Yield sentences that describe the choices."""
        epochs = ", as no other column counts iterations" if self.counts_epochs else ""
        yield f"the iteration is {self.iteration}{epochs}"
        if self.time:
            yield f"times are {self.time}"
        if self.metric:
            yield f"{self.metric} names the metric of a row, {self.value} is its value"
        if self.split:
            yield f"what stands in {self.split} goes ahead of the names of a row's metrics"


def choose_columns(rows: Sequence[RawRow], options: TableOptions) -> Columns | None:
    """Return the columns of a table that begins with ``rows``; None without an iteration, or if a column is missing.

    Raises ImportInputError if the time column in ``options`` has no times.
    """
    values = _collect_values(rows)
    if _find_missing(options, values):
        return None
    epoch = _find_whole(EPOCH_NAMES, values)
    iteration = options.iteration_column or _find_iteration(values, rows, epoch)
    counts_epochs = iteration is None
    iteration = iteration or epoch
    if iteration is None:
        return None
    target, time = _find_whole(TARGET_NAMES, values), _find_time(values, options)
    metric, value = _find_text(METRIC_NAMES, values), _find(VALUE_NAMES, values)
    split = None if metric and value else _find_text(SPLIT_NAMES, values)
    split = split if split and len(set(map(str, values[split]))) <= MOST_SPLITS else None
    metric, value = (metric, value) if metric and value else (None, None)
    own = {iteration, target, metric, value, split, time.column if time and not time.since_start else None}
    return Columns(
        iteration, counts_epochs, epoch if epoch != iteration else None, target, time, metric, value, split,
        frozenset(name for name in own if name is not None),
    )  # fmt: skip


def describe_missing(rows: Sequence[RawRow], options: TableOptions) -> str:
    """Return what to do about a table whose columns cannot be chosen."""
    values = _collect_values(rows)
    listed = ", ".join(list(values)[:MOST_LISTED]) + (", ..." if len(values) > MOST_LISTED else "")
    problem = _find_missing(options, values) or "no column is known to count iterations: name one by --iteration-column"
    return f"{problem}; the first rows have {listed or 'none'}"


def _find_missing(options: TableOptions, values: Mapping[str, Any]) -> str | None:
    named = (("--iteration-column", options.iteration_column), ("--time-column", options.time_column))
    missing = (f"{option}: no column {name!r}" for option, name in named if name is not None and name not in values)
    return next(missing, None)


def _collect_values(rows: Sequence[RawRow]) -> dict[str, list[Any]]:
    values: dict[str, list[Any]] = {}
    for row in rows:
        for name, value in row.items():
            if value is not None and value != "":
                values.setdefault(name, []).append(value)
    return values


def _spell(name: str) -> str:
    return BLANKS_AND_DASHES.sub("_", name.strip().lower())


def _list_matches(names: Sequence[str], values: Mapping[str, Any]) -> list[str]:
    """Return the columns with one of the ``names``, in order of preference."""
    whole: dict[str, list[str]] = {}
    ends: dict[str, list[str]] = {}
    for column in values:
        spelled = _spell(column)
        whole.setdefault(spelled, []).append(column)
        ends.setdefault(spelled.rpartition("/")[2], []).append(column)
    return list(dict.fromkeys(column for known in (whole, ends) for name in names for column in known.get(name, ())))


def _find(names: Sequence[str], values: Mapping[str, Any]) -> str | None:
    return next(iter(_list_matches(names, values)), None)


def _find_whole(names: Sequence[str], values: Mapping[str, list[Any]]) -> str | None:
    return next((column for column in _list_matches(names, values) if _are_whole(values[column])), None)


def _find_text(names: Sequence[str], values: Mapping[str, list[Any]]) -> str | None:
    def are_texts(column: str) -> bool:
        return all(isinstance(value, str) and value.strip()[:1].isalpha() for value in values[column])

    return next((column for column in _list_matches(names, values) if are_texts(column)), None)


def _are_whole(values: Sequence[Any]) -> bool:
    return 2 * sum(parse_whole(value) is not None for value in values) > len(values)


def _find_iteration(values: Mapping[str, list[Any]], rows: Sequence[RawRow], epoch: str | None) -> str | None:
    """Return the preferred column of whole numbers; a column that restarts in each epoch is the last choice."""
    found = [column for column in _list_matches(ITERATION_NAMES, values) if _are_whole(values[column])]
    return min(found, key=lambda column: epoch is not None and _begins_again(column, epoch, rows), default=None)


def _begins_again(column: str, epoch: str, rows: Sequence[RawRow]) -> bool:
    pairs = [(parse_whole(row.get(column)), parse_whole(row.get(epoch))) for row in rows]
    known = [(step, number) for step, number in pairs if step is not None and number is not None]
    return any(step < last and number > before for (last, before), (step, number) in pairwise(known))


def _find_time(values: Mapping[str, list[Any]], options: TableOptions) -> TimeRule | None:
    if options.time_column is not None:
        name, unit = options.time_column, options.time_unit
        if rule := find_time_rule(name, values[name], unit, options.timezone):
            return rule
        raise ImportInputError(f"--time-column: {name!r} has no times, such as {str(values[name][0])!r:.60}")
    for name in _list_matches(TIME_NAMES, values):
        rule = find_time_rule(name, values[name], options.time_unit, options.timezone)
        # A number could also be the duration of an iteration; only the user knows.
        if rule and not rule.since_start:
            return rule
    elapsed = _list_matches(ELAPSED_NAMES, values) if options.start_time else []
    rules = (find_time_rule(name, values[name], options.time_unit, options.timezone) for name in elapsed)
    return next((rule for rule in rules if rule and rule.since_start), None)
