"""Chooses the iteration metric of a run: by the run's own rules, else by well-known names."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import translate
from typing import NamedTuple

from lens_perf.errors import ImportInputError
from lens_perf.ingest.records import MetricValue
from lens_perf.ingest.wandb_files.messages import MetricRule

LOG_CALLS = "_step"
# Names in the Hugging Face Trainer, Lightning's logger and others. Names that are ambiguous between programs ("step",
# "iter", "epoch") are not included.
WELL_KNOWN = ("train/global_step", "trainer/global_step", "global_step")
MOST_NAMES = 40
# Limits for damaged or hostile files. Runs have far fewer rules.
MOST_RULES, LONGEST_GLOB = 1000, 200

Values = Mapping[str, MetricValue]


class Axis(NamedTuple):
    """The metric used as iteration, and why."""

    name: str
    reason: str

    def __str__(self) -> str:
        return f"the iteration is {self.name}, {self.reason}"


class MetricRules:
    """The run's uses of ``define_metric``."""

    def __init__(self) -> None:
        self._all: list[MetricRule] = []
        self._axes: dict[tuple[bool, str], str] = {}
        self._globs: dict[str, re.Pattern[str]] = {}

    def add(self, rule: MetricRule) -> None:
        """Add a use of ``define_metric``; a later one for the same metrics replaces an earlier one."""
        if len(self._all) == MOST_RULES:
            return
        self._all.append(rule)
        axis = rule.step_metric
        # Counted from 1, as the run's metrics are numbered where they are stored.
        if not axis and 0 < rule.step_metric_index <= len(self._all):
            axis = self._all[rule.step_metric_index - 1].pattern
        if axis:
            self._axes[rule.is_glob, rule.pattern] = axis
            if rule.is_glob and len(rule.pattern) <= LONGEST_GLOB:
                self._globs[rule.pattern] = re.compile(translate(rule.pattern))

    def find_axis(self, name: str) -> str | None:
        """Return the step metric of a metric: that of its own name, else of the longest matching glob."""
        if axis := self._axes.get((False, name)):
            return axis
        globs = [glob for glob, pattern in self._globs.items() if pattern.match(name)]
        return self._axes[True, max(globs, key=len)] if globs else None


def choose_axis(rows: Sequence[Values], rules: MetricRules, step_metric: str | None) -> Axis:
    """Return the iteration of a run that begins with ``rows``.

    ``step_metric`` if given. Otherwise every value votes for its step metric: the one that ``define_metric`` names for
    it if a row has it, else the first well-known name that a row has, else ``_step``. The majority decides. Raises
    ImportInputError if no row has ``step_metric``.
    """
    names = Counter(name for row in rows for name in row)
    if step_metric is not None:
        return _check_step_metric(step_metric, names, len(rows))
    default = next((name for row in rows for name in WELL_KNOWN if name in row), LOG_CALLS)
    votes = _count_votes(names, rules, default)
    defined = {axis: count for axis, count in votes.items() if axis is not None}
    best = max(defined, key=lambda axis: defined[axis], default=None)
    if best is not None and defined[best] >= votes[None]:
        return Axis(best, "named by the run's define_metric")
    if default in WELL_KNOWN:
        return Axis(default, "a well-known name")
    if defined:
        return Axis(default, "which counts log calls: most values have no other by define_metric")
    return Axis(default, "which counts log calls: no other was found")


def _check_step_metric(step_metric: str, names: Iterable[str], row_count: int) -> Axis:
    if step_metric in names:
        return Axis(step_metric, "named by --step-metric")
    existing = sorted(names)
    others = ", ".join(existing[:MOST_NAMES]) + (", ..." if len(existing) > MOST_NAMES else "")
    raise ImportInputError(
        f"--step-metric: none of the first {row_count} history rows has {step_metric!r}; they have {others}"
    )


def _count_votes(names: Counter[str], rules: MetricRules, default: str) -> Counter[str | None]:
    """Return the number of values for each logged step metric; None is for values without one."""
    axes = {name: rules.find_axis(name) for name in names}
    used = {axis for axis in axes.values() if axis in names}
    votes: Counter[str | None] = Counter()
    for name, count in names.items():
        # Step metrics and W&B's own values do not vote.
        if not name.startswith("_") and name not in used and name != default:
            axis = axes[name]
            votes[axis if axis in used else None] += count
    return votes
