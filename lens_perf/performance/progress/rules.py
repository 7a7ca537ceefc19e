"""Derives the progress of a workload from its facts and the current time. docs/progress.rst defines every number."""

from dataclasses import asdict
from typing import cast

from lens_perf.performance.payloads import (
    Attempt,
    Eta,
    Health,
    NonFiniteMetric,
    Pace,
    ProgressFields,
    State,
    TimeFields,
)
from lens_perf.performance.progress.facts import ProgressFacts
from lens_perf.performance.progress.metric_names import is_loss

# A workload counts as stalled after its usual spacing or longest wait multiplied by these factors.
SPACING_FACTOR = 10
WAIT_FACTOR = 1.5
LEAST_SILENCE_SECONDS = 60
# After a single record, when no pace is known.
FIRST_SILENCE_SECONDS = 600
# A stalled workload counts as ended after this multiple, but not after an outage of one night.
ENDED_FACTOR = 10
LEAST_ENDED_SECONDS = 86_400
# 9999-12-31T23:59:59.999Z in milliseconds since 1970: the last instant of ISO 8601 and of Python's datetime.
LAST_TIMESTAMP = 253_402_300_799_999

NO_TIMES: TimeFields = {
    "seconds_wall": None,
    "seconds_lost_to_restarts": None,
    "seconds_paused": None,
    "seconds_productive": None,
    "goodput": None,
}
NO_RECORDS: ProgressFields = {
    "source": None,
    "state": None,
    "health": {"status": "ok", "reasons": []},
    "current_iteration": None,
    "target_iteration": None,
    "share_done": None,
    "first_timestamp": None,
    "last_timestamp": None,
    "seconds_per_iteration": None,
    "eta": None,
    "restarts": None,
    "iterations_repeated": None,
    "attempts": [],
    "non_finite": [],
    **NO_TIMES,
}


def compute_progress(facts: ProgressFacts, now_seconds: float) -> ProgressFields:
    """Return the progress of a workload at ``now_seconds``, in seconds since 1970; unknown numbers are None."""
    # The fields of the payloads are those of the facts.
    non_finite = [cast("NonFiniteMetric", asdict(metric)) for metric in facts.non_finite]
    if facts.current_iteration is None or facts.last_timestamp is None:
        return {**NO_RECORDS, "health": compute_health(facts, None), "non_finite": non_finite}
    state = compute_state(facts, now_seconds)
    return {
        "source": facts.source,
        "state": state,
        "health": compute_health(facts, state),
        "current_iteration": facts.current_iteration,
        "target_iteration": facts.target_iteration,
        "share_done": _share_done(facts),
        "first_timestamp": facts.first_timestamp,
        "last_timestamp": facts.last_timestamp,
        "seconds_per_iteration": _describe_pace(facts),
        "eta": _estimate_end(facts, now_seconds) if state == "running" else None,
        "restarts": facts.restarts,
        "attempts": [cast("Attempt", asdict(attempt)) for attempt in facts.attempts],
        "iterations_repeated": facts.iterations_repeated,
        "non_finite": non_finite,
        **_divide_time(facts),
    }


def compute_state(facts: ProgressFacts, now_seconds: float) -> State:
    """Return ``finished``, ``ended``, ``stalled`` or ``running``, depending on the workload's own pace."""
    if _remaining(facts) == 0:
        return "finished"
    silence = now_seconds - (facts.last_timestamp or 0) / 1000
    silence_limit = compute_silence_limit(facts)
    if silence > max(LEAST_ENDED_SECONDS, ENDED_FACTOR * silence_limit):
        return "ended"
    return "stalled" if silence > silence_limit else "running"


def compute_silence_limit(facts: ProgressFacts) -> float:
    """Return the seconds without a record after which the workload counts as stalled."""
    if facts.spacing_seconds is None:
        return float(FIRST_SILENCE_SECONDS)
    return max(
        float(LEAST_SILENCE_SECONDS), SPACING_FACTOR * facts.spacing_seconds, WAIT_FACTOR * (facts.longest_wait or 0)
    )


def compute_health(facts: ProgressFacts, state: State | None) -> Health:
    """Return whether the workload needs attention, and why.

    ``critical``: it is stalled, or a loss is non-finite. ``warning``: it ended before its target, or another metric is
    non-finite. Otherwise, and for a workload without records and non-finite metrics, ``ok``.
    """
    critical, warning = [], []
    if state == "stalled":
        critical.append("stalled")
    if any(is_loss(metric.metric_name) for metric in facts.non_finite):
        critical.append("non_finite_loss")
    if any(not is_loss(metric.metric_name) for metric in facts.non_finite):
        warning.append("non_finite_metric")
    if state == "ended" and facts.target_iteration is not None:
        warning.append("ended_before_target")
    return {"status": "critical" if critical else "warning" if warning else "ok", "reasons": critical + warning}


def _remaining(facts: ProgressFacts) -> int | None:
    if facts.target_iteration is None or facts.current_iteration is None:
        return None
    return max(0, facts.target_iteration - facts.current_iteration)


def _share_done(facts: ProgressFacts) -> float | None:
    if facts.target_iteration is None or facts.current_iteration is None:
        return None
    return min(1.0, max(0.0, facts.current_iteration / facts.target_iteration))


def _describe_pace(facts: ProgressFacts) -> Pace | None:
    if facts.pace is None:
        return None
    # To the nanosecond: dividing by the number of iterations leaves digits without meaning.
    low, median, high = (round(seconds, 9) for seconds in facts.pace)
    return {
        "median": median,
        "low": low,
        "high": high,
        "intervals": facts.intervals,
        "first_iteration": facts.first_recent,
        "last_iteration": facts.last_recent,
    }


def _estimate_end(facts: ProgressFacts, now_seconds: float) -> Eta | None:
    """Return when the target will be reached, None if that is unknown or after LAST_TIMESTAMP."""
    remaining = _remaining(facts)
    if remaining is None or facts.pace is None or facts.last_timestamp is None:
        return None
    earliest, expected, latest = (_add_milliseconds(facts.last_timestamp, remaining * pace) for pace in facts.pace)
    if expected is None:
        return None
    return {
        "timestamp": expected,
        "earliest": earliest,
        "latest": latest,
        "seconds": max(0.0, round(expected / 1000 - now_seconds, 3)),
        "basis": f"{remaining:,} iterations at the median pace of {facts.intervals} intervals, "
        f"iterations {facts.first_recent:,} to {facts.last_recent:,}, without restarts and pauses",
    }


def _add_milliseconds(timestamp: int, seconds: float) -> int | None:
    result = timestamp + round(seconds * 1000)
    return result if result <= LAST_TIMESTAMP else None


def _divide_time(facts: ProgressFacts) -> TimeFields:
    """Return the elapsed time and its parts: lost to restarts, paused, and the rest, which is productive."""
    if facts.seconds_wall is None or facts.records == 1:
        return NO_TIMES
    # The estimates together must not exceed the elapsed time.
    lost = min(facts.seconds_lost, facts.seconds_wall)
    paused = min(facts.seconds_paused, facts.seconds_wall - lost)
    productive = facts.seconds_wall - lost - paused
    return {
        "seconds_wall": facts.seconds_wall,
        "seconds_lost_to_restarts": lost,
        "seconds_paused": paused,
        "seconds_productive": productive,
        "goodput": productive / facts.seconds_wall if facts.seconds_wall > 0 else None,
    }
