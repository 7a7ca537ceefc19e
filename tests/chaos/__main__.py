"""Causes the faults one by one and prints a table. Exit status 1: a promise was not kept."""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from lens_perf.demo.embedded_postgres import run_embedded_postgres
from tests.benchmarks.gunicorn_process import run_gunicorn
from tests.chaos.finding import HEADING, Finding, summarise
from tests.chaos.namespace import find_obstacle, lay_cable
from tests.chaos.scenarios import DEADLINE, SCENARIOS, UNHURRIED, USUAL_DEADLINE
from tests.chaos.world import World, fill, format_settings
from tests.faults import open_gateway


@contextmanager
def make_world() -> Iterator[Callable[[float], AbstractContextManager[World]]]:
    """Create the parts that all faults share; yield a function that opens a service with a deadline."""
    # Short, because the path of a Unix socket may have only 107 bytes.
    with (
        tempfile.TemporaryDirectory(prefix="lens", dir="/tmp", ignore_cleanup_errors=True) as directory,
        run_embedded_postgres(Path(directory)) as postgres,
    ):
        fill(postgres)
        laid = nullcontext() if find_obstacle() else lay_cable(postgres, "beta")
        with open_gateway(postgres) as gateway, laid as cable:

            @contextmanager
            def serve(deadline: float) -> Iterator[World]:
                settings = Path(directory) / "lens_perf.toml"
                settings.write_text(format_settings(postgres, gateway, cable, deadline))
                with run_gunicorn("wsgi:app", {"LENS_PERF_CONFIG": str(settings)}) as service:
                    yield World(f"http://127.0.0.1:{service.port}", postgres, gateway, cable, service, settings)

            yield serve


def main() -> int:
    """Cause the faults that the command line names, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--only", action="append", choices=SCENARIOS, metavar="NAME", help=", ".join(SCENARIOS))
    names = parser.parse_args().only or list(SCENARIOS)
    findings: list[Finding] = []
    print(HEADING, flush=True)
    with make_world() as serve:
        for name in names:
            # Each fault meets a fresh service.
            with serve(USUAL_DEADLINE if name in UNHURRIED else DEADLINE) as world:
                findings.append(SCENARIOS[name](world))
            print(findings[-1].line(), flush=True)
    print(summarise(findings))
    return 0 if all(finding.is_good or finding.skipped for finding in findings) else 1


if __name__ == "__main__":
    sys.exit(main())
