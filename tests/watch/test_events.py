"""The events between two observations, and the bodies that are posted."""

import json
from typing import Any

import pytest

from lens_perf.watch.events import compare
from lens_perf.watch.known import Known
from lens_perf.watch.loss_spikes import Spike
from lens_perf.watch.messages import write_alerts, write_events, write_slack
from lens_perf.watch.observation import Observation
from tests.watch.workloads import progress_at, seen_at

RUNNING, STALLED, ENDED, FINISHED = (100, 100), (300, 100), (200_000, 100), (300, 1000)
STATES = {"running": RUNNING, "stalled": STALLED, "ended": ENDED, "finished": FINISHED, None: None}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, "running", []),
        (None, "stalled", [("stalled", "critical")]),
        (None, "ended", []),
        (None, "finished", []),
        ("running", "running", []),
        ("running", "stalled", [("stalled", "critical")]),
        ("stalled", "stalled", []),
        ("stalled", "running", [("resumed", "info")]),
        ("stalled", "ended", [("ended", "warning")]),
        ("running", "ended", [("ended", "warning")]),
        ("running", "finished", [("finished", "info")]),
        ("ended", "running", [("resumed", "info")]),
        ("ended", "stalled", [("stalled", "critical")]),
        ("finished", "running", [("resumed", "info")]),
    ],
)
def test_changes_of_state(before: str | None, after: str, expected: list[tuple[str, str]]) -> None:
    now, iteration = STATES[after] or (0, 0)
    events, known = compare(before and Known(before), seen_at(now, iteration), now)  # type: ignore[arg-type]
    assert [(event.event, event.severity) for event in events] == expected
    assert (known.state, known.judged_until, known.attempt) == (after, iteration, 1)
    assert all("run" in event.summary and str(iteration) in event.summary for event in events)


def test_ending_without_a_target_is_not_a_warning() -> None:
    (event,), _ = compare(Known("stalled"), seen_at(200_000, target_iteration=None), 200_000)
    assert (event.event, event.severity, event.summary) == ("ended", "info", "run ended (iteration 100)")


@pytest.mark.parametrize(
    ("now", "iteration", "since", "expected"),
    [
        (100, 100, 100, []),
        (109, 109, 100, []),
        (110, 110, 100, ["non_finite"]),
        (300, 100, 100, ["stalled", "non_finite"]),
    ],
)
def test_a_metric_has_to_stay_non_finite(now: float, iteration: int, since: int, expected: list[str]) -> None:
    events, known = compare(Known("running"), seen_at(now, iteration, non_finite={"loss": since}), now)
    assert [event.event for event in events] == expected
    again, _ = compare(known, seen_at(now, iteration, non_finite={"loss": since}), now)
    assert again == []


def test_a_non_finite_record_without_an_iteration() -> None:
    seen = seen_at(300, non_finite={"loss": 100})
    seen.progress["non_finite"][0]["since_iteration"] = None
    events, _ = compare(Known("running"), seen, 300)
    assert "run loss has been NaN or infinite" in [event.summary for event in events]


def test_non_finite_and_finite_again() -> None:
    changes = {"loss": 50, "grad_norm": 60}
    events, known = compare(Known("running"), seen_at(100, non_finite=changes), 100)
    assert [(each.metric_name, each.severity, each.iteration) for each in events] == [
        ("loss", "critical", 50),
        ("grad_norm", "warning", 60),
    ]
    events, known = compare(known, seen_at(101, 101, non_finite={"loss": 50}), 101)
    assert [(each.event, each.metric_name, each.data_source) for each in events] == [
        ("finite_again", "grad_norm", "log")
    ]
    assert len(known.non_finite) == 1


def test_a_known_ended_workload_is_not_an_event() -> None:
    for now, iteration in (ENDED, FINISHED):
        events, known = compare(None, seen_at(now, iteration, non_finite={"loss": 50}), now)
        assert (events, len(known.non_finite)) == ([], 1)


def test_a_spike() -> None:
    seen = Observation("alpha", "run", progress_at(100), {"lm loss": [Spike(90, 9.0, 2.5)]})
    (event,), _ = compare(Known("running"), seen, 100)
    assert event.summary == "run lm loss spikes: above 9 from iteration 90 on, 2.5 before"
    assert (event.event, event.severity, event.iteration, event.data_source) == ("loss_spike", "warning", 90, "log")


def test_every_event_has_its_own_id() -> None:
    ids = set()
    for now, iteration in (STALLED, (400, 200), (500, 300)):
        (event,), _ = compare(Known("running"), seen_at(now, iteration), now)
        assert event.as_json() == json.loads(json.dumps(event.as_json()))
        ids.add(event.as_json()["id"])
    assert len(ids) == 3


def event_bodies(count: int) -> list[dict[str, Any]]:
    (event,), _ = compare(Known("running"), seen_at(300), 300)
    return [event.as_json() | {"summary": f"run <{number}> & more"} for number in range(count)]


def test_messages() -> None:
    events = event_bodies(60)
    assert write_events(events) == {"version": 1, "events": events}
    lines = write_slack(events)["text"].splitlines()
    assert lines[0] == ":rotating_light: run &lt;0&gt; &amp; more [alpha]"
    assert (len(lines), lines[-1]) == (51, "and 10 more")


def test_alerts_hold_for_a_while() -> None:
    seen = [seen_at(300, non_finite={"loss": 50, "lr": 40}), seen_at(100), seen_at(200_000, non_finite={"loss": 50})]
    spike = Observation("alpha", "run", progress_at(100), {"loss": [Spike(90, 9.0, 2.5)]})
    alerts = write_alerts(seen, compare(Known("running"), spike, 100)[0], 300, 180)
    assert [(each["labels"]["alertname"], each["labels"]["severity"], each["labels"].get("metric"), each["endsAt"])
            for each in alerts] == [
        ("LensWorkloadStalled", "critical", None, "1970-01-01T00:08:00+00:00"),
        ("LensWorkloadNonFinite", "critical", "loss", "1970-01-01T00:08:00+00:00"),
        ("LensWorkloadNonFinite", "warning", "lr", "1970-01-01T00:08:00+00:00"),
        ("LensWorkloadLossSpike", "warning", "loss", "1970-01-01T01:05:00+00:00"),
    ]  # fmt: skip
    assert all(each["labels"]["workload"] == "run" for each in alerts)
