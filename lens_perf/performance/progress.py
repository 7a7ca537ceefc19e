"""How a workload is getting on: what its records tell, judged by the clock. docs/progress.rst defines every number."""

from typing import Any

from lens_perf.performance.progress_queries import ProgressFacts

# A workload is given so much more time than it usually takes before it counts as stalled.
SPACING_FACTOR = 10
WAIT_FACTOR = 1.5
LEAST_SILENCE_SECONDS = 60
# Of one record, no pace can be told: it has this long to write another.
FIRST_SILENCE_SECONDS = 600

TIME_FIELDS = ("seconds_wall", "seconds_lost_to_restarts", "seconds_paused", "seconds_productive", "goodput")
NOTHING: dict[str, Any] = {
    "source": None,
    "state": None,
    "current_iteration": None,
    "target_iteration": None,
    "share_done": None,
    "first_timestamp": None,
    "last_timestamp": None,
    "seconds_per_iteration": None,
    "eta": None,
    "restarts": None,
    "iterations_repeated": None,
    **dict.fromkeys(TIME_FIELDS),
}


def judge_progress(source: str | None, facts: ProgressFacts | None, now_seconds: float) -> dict[str, Any]:
    """Return the progress of a workload at ``now_seconds`` since 1970; every number is None where no record says."""
    if facts is None or facts.current_iteration is None or facts.last_timestamp is None:
        return dict(NOTHING)
    state = judge_state(facts, now_seconds)
    return {
        "source": source,
        "state": state,
        "current_iteration": facts.current_iteration,
        "target_iteration": facts.target_iteration,
        "share_done": _share_done(facts),
        "first_timestamp": facts.first_timestamp,
        "last_timestamp": facts.last_timestamp,
        "seconds_per_iteration": _describe_pace(facts),
        "eta": _estimate_end(facts, now_seconds) if state == "running" else None,
        "restarts": facts.restarts,
        "iterations_repeated": facts.iterations_repeated,
        **_divide_time(facts),
    }


def judge_state(facts: ProgressFacts, now_seconds: float) -> str:
    """Return ``finished``, ``stalled`` or ``running``, by the workload's own pace."""
    if _remaining(facts) == 0:
        return "finished"
    silence = now_seconds - (facts.last_timestamp or 0) / 1000
    patience = float(LEAST_SILENCE_SECONDS)
    if facts.spacing_seconds is None:
        patience = FIRST_SILENCE_SECONDS
    else:
        patience = max(patience, SPACING_FACTOR * facts.spacing_seconds, WAIT_FACTOR * (facts.longest_wait or 0))
    return "stalled" if silence > patience else "running"


def _remaining(facts: ProgressFacts) -> int | None:
    if facts.target_iteration is None or facts.current_iteration is None:
        return None
    return max(0, facts.target_iteration - facts.current_iteration)


def _share_done(facts: ProgressFacts) -> float | None:
    if facts.target_iteration is None or facts.current_iteration is None:
        return None
    return min(1.0, max(0.0, facts.current_iteration / facts.target_iteration))


def _describe_pace(facts: ProgressFacts) -> dict[str, Any] | None:
    if facts.pace is None:
        return None
    low, median, high = facts.pace
    return {
        "median": median,
        "low": low,
        "high": high,
        "intervals": facts.intervals,
        "first_iteration": facts.first_recent,
        "last_iteration": facts.last_recent,
    }


def _estimate_end(facts: ProgressFacts, now_seconds: float) -> dict[str, Any] | None:
    remaining = _remaining(facts)
    if remaining is None or facts.pace is None or facts.last_timestamp is None:
        return None
    earliest, expected, latest = (facts.last_timestamp + round(remaining * pace * 1000) for pace in facts.pace)
    return {
        "timestamp": expected,
        "earliest": earliest,
        "latest": latest,
        "seconds": max(0.0, round(expected / 1000 - now_seconds, 3)),
        "basis": f"{remaining} iterations at the median pace of {facts.intervals} intervals, "
        f"iterations {facts.first_recent} to {facts.last_recent}, restarts and pauses left out",
    }


def _divide_time(facts: ProgressFacts) -> dict[str, float | None]:
    """Return the wall clock and its parts: lost to restarts, paused, and productive, which is the rest."""
    if facts.seconds_wall is None or facts.records == 1:
        return dict.fromkeys(TIME_FIELDS)
    # More cannot have been lost than has passed.
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
