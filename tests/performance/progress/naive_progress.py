"""docs/progress.rst in plain Python, record by record, to hold the package against."""

from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from statistics import median
from typing import Any

INFINITY = 2**63 - 1


@dataclass(frozen=True)
class Record:
    """A row of the table; ``time`` in microseconds since 2000."""

    id: int
    time: int | None
    iteration: int | None
    serial: int | None = None
    target: Any = None

    @property
    def rank(self) -> int:
        return self.serial or 0

    @property
    def counts(self) -> bool:
        return self.iteration is not None and self.time is not None and abs(self.time) < INFINITY


def is_drop(before: Record, after: Record) -> bool:
    return after.rank < before.rank or (after.rank == before.rank and after.iteration < before.iteration)


def restarts(before: Record, after: Record) -> bool:
    return after.rank > before.rank or after.iteration < before.iteration


def cost(records: list[Record]) -> tuple[int, int]:
    pairs = list(pairwise(records))
    return (
        sum(is_drop(before, after) for before, after in pairs),
        sum(max(0, before.iteration - after.iteration) for before, after in pairs if before.rank == after.rank),
    )


def is_interleaved(by_id: list[Record]) -> bool:
    runs = {by_id[0].id: 0}
    for before, after in pairwise(by_id):
        runs[after.id] = runs[before.id] + (after.time < before.time)
    in_time = [runs[each.id] for each in sorted(by_id, key=lambda each: (each.time, each.id))]
    return sum(one != other for one, other in pairwise(in_time)) > max(runs.values())


def doubted(records: list[Record]) -> list[int]:
    """Return the positions of the records whose ids are below those of all since the last drop, including it."""
    found, since = [], None
    for position, (before, after) in enumerate(pairwise(records), 1):
        at_drop = is_drop(before, after)
        if after.id < before.id and (at_drop or (since is not None and all(each.id > after.id for each in since))):
            found.append(position)
        if at_drop:
            since = []
        if since is not None:
            since.append(after)
    return found


def doubt_groups(records: list[Record], reach: int) -> list[list[int]]:
    """Return the positions of the records in doubt, by group."""
    groups: list[list[int]] = []
    for position in doubted(records):
        group = [position]
        while groups and group[0] - groups[-1][-1] <= reach:
            if min(records[each].id for each in group) > max(records[each - 1].id for each in groups[-1]):
                break
            group = groups.pop() + group
        groups.append(group)
    return groups


def windows(records: list[Record], group: list[int], done: int, reach: int) -> list[tuple[int, int]]:
    """Return the first and last position of each window around a group; None for one that is too large."""
    found = []
    first = group[0]
    while first > done and records[first - 1].id > min(records[position].id for position in group):
        first -= 1
    for highest in (max(records[position - 1].id for position in group), records[group[-1] - 1].id):
        last = group[-1]
        while last + 1 < len(records) and records[last + 1].id < highest:
            last += 1
        if group[0] - first < reach and last - group[-1] < reach:
            found.append((first, last))
        else:
            found.append(None)
    return found


def order_by_id(ahead: list[Record], inside: list[Record], behind: list[Record]) -> tuple[list[Record], int, bool]:
    """Return the records by id, the number of their drops, and whether that is clearly better than by time."""
    by_id = sorted(inside, key=lambda each: each.id)
    if behind:
        rewritten = [each for each in by_id if each.id > behind[0].id]
        if len(rewritten) * 10 < len(by_id):
            by_id = [each for each in by_id if each not in rewritten]
    count, distance = cost([*ahead, *inside, *behind])
    count_by_id, distance_by_id = cost([*ahead, *by_id, *behind])
    return by_id, count_by_id, count_by_id < count / 2 and distance_by_id <= distance


def reorder_doubts(records: list[Record], reach: int) -> list[Record]:
    result, done = [], 0
    for group in doubt_groups(records, reach):
        for number, window in enumerate(windows(records, group, done, reach)):
            if window is None:
                continue
            first, last = window
            before = (result + records[done:first])[-1:]
            by_id, drops, better = order_by_id(before, records[first : last + 1], records[last + 1 : last + 2])
            if better and (drops == 0 or (number == 1 and is_interleaved(by_id))):
                result += records[done:first] + by_id
                done = last + 1
                break
    return result + records[done:]


def put_in_order(rows: list[Record], reach: int = 2**16) -> list[Record]:
    counted = [each for each in rows if each.counts]
    return reorder_doubts(sorted(counted, key=lambda each: (each.time, each.rank, each.iteration, each.id)), reach)


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    position = (len(ordered) - 1) * share
    low = int(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)


@dataclass
class Naive:
    """The same numbers as ProgressFacts, by the same names."""

    numbers: dict[str, Any] = field(default_factory=dict)
    attempts: list[dict[str, Any]] = field(default_factory=list)


def compute(rows: list[Record], reach: int = 2**16) -> Naive:
    records = put_in_order(rows, reach)
    if not records:
        return Naive({"records": 0, "current_iteration": None, "target_iteration": None, "pace": None})
    counted = [each for each in rows if each.counts]
    steps = list(pairwise(records))
    intervals = [(a, b) for a, b in steps if not restarts(a, b) and b.iteration > a.iteration and b.time >= a.time]
    usual = median(Fraction(b.time - a.time, b.iteration - a.iteration) for a, b in intervals) if intervals else None
    gaps = sorted(b.iteration - a.iteration for a, b in intervals)
    spacing = gaps[(len(gaps) - 1) // 2] if gaps else 1
    paused = lost = Fraction(0)
    repeated, restarted, reached = 0, 0, records[0].iteration
    recent, waits = [], []
    for a, b in steps:
        seconds = Fraction(max(0, b.time - a.time), 10**6)
        pause = Fraction(0)
        if restarts(a, b):
            restarted += 1
            again = max(0, min(b.iteration, reached) - (b.iteration - spacing))
            lost += max(Fraction(0), seconds - (usual or 0) / 10**6 * max(0, b.iteration - reached))
        else:
            todo = b.iteration - a.iteration
            expected = round((usual or 0) * todo)
            waits.append(float(seconds))
            if (
                usual is not None
                and seconds >= Fraction(expected, 10**6) + 10
                and seconds > 5 * Fraction(expected, 10**6)
            ):
                pause = seconds - Fraction(expected, 10**6)
            again = max(0, min(b.iteration, reached) - a.iteration)
            if again:
                lost += (seconds - pause) * again / todo
            if not pause and (a, b) in intervals:
                recent.append((a, b))
        paused += pause
        repeated += again
        reached = max(reached, b.iteration)
    recent = recent[-100:]
    paces = [(b.time - a.time) / 1e6 / (b.iteration - a.iteration) for a, b in recent]
    targets = [
        (each.iteration, each.time, each.id, each.target)
        for each in counted
        if isinstance(each.target, int | float) and each.target == int(each.target) and 0 < each.target < 2**63
    ]
    return Naive(
        {
            "records": len(counted),
            "current_iteration": records[-1].iteration,
            "target_iteration": int(max(targets)[3]) if targets else None,
            "first_timestamp": min(each.time for each in counted) // 1000 + 946_684_800_000,
            "last_timestamp": max(each.time for each in counted) // 1000 + 946_684_800_000,
            "restarts": restarted,
            "iterations_repeated": repeated,
            "seconds_wall": (max(each.time for each in counted) - min(each.time for each in counted)) / 1e6,
            "seconds_lost": float(lost),
            "seconds_paused": float(paused),
            "intervals": len(recent),
            "first_recent": min((a.iteration for a, _ in recent), default=None),
            "last_recent": max((b.iteration for _, b in recent), default=None),
            "pace": tuple(percentile(paces, share) for share in (0.1, 0.5, 0.9)) if paces else None,
            "spacing_seconds": median([(b.time - a.time) / 1e6 for a, b in recent]) if recent else None,
            "longest_wait": max(waits[-100:], default=None),
        },
        list_attempts(records),
    )


def list_attempts(records: list[Record]) -> list[dict[str, Any]]:
    groups = [[records[0]]]
    for before, after in pairwise(records):
        if restarts(before, after):
            groups.append([])
        groups[-1].append(after)
    found = []
    for number, group in enumerate(groups, 1):
        lowest = min((later[0].iteration for later in groups[number:]), default=None)
        found.append(
            {
                "number": number,
                "serial": group[0].serial,
                "first_iteration": group[0].iteration,
                "last_iteration": group[-1].iteration,
                "first_timestamp": group[0].time // 1000 + 946_684_800_000,
                "last_timestamp": group[-1].time // 1000 + 946_684_800_000,
                "records": len(group),
                "discarded_from": lowest if lowest is not None and lowest <= group[-1].iteration else None,
            }
        )
    return found[-100:]
