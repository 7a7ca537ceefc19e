"""Thousands of schedules of writers and polling clients: every copy must equal a full read, and no 304 be wrong."""

import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

from hypothesis import given
from hypothesis.errors import FlakyFailure

from tests.chaos.finding import Finding
from tests.chaos.world import World
from tests.conftest import running_app
from tests.polling.schedules import (
    ALL_STEPS,
    TRACED_STEPS,
    Schedule,
    large_workloads,
    run_schedule,
    schedules,
    steps,
)

SCHEDULES = 1_000


def poll_schedules(world: World) -> Finding:
    """Run as many schedules on workloads that are compared at each poll, and on workloads that are not."""
    finding = Finding("polling schedules", 20.0)
    dsn = world.postgres.dsn("alpha")
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "lens_perf.toml"
        path.write_text(f'[clusters.alpha]\ndsn = "{dsn}"\n[columns]\ndirectory = "copies"\n', "utf-8")
        with running_app(path) as app:
            for names, workloads in ((ALL_STEPS, nullcontext()), (TRACED_STEPS, large_workloads(3600))):

                @schedules(SCHEDULES)
                @given(schedule=steps(*names))
                def check(schedule: Schedule) -> None:
                    started = time.monotonic()
                    run_schedule(app, dsn, schedule)
                    finding.tried += 1
                    finding.worst = max(finding.worst, time.monotonic() - started)

                with workloads:
                    try:
                        check()
                    except (AssertionError, FlakyFailure) as error:
                        finding.wrong += 1
                        finding.failures.append(str(error).splitlines()[0])
    finding.notes = ["worst is a whole schedule"]
    return finding
