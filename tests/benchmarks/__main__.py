"""Seeds an embedded PostgreSQL, measures and prints a table. Timings are shown, never asserted."""

import argparse
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from lens_perf.demo.embedded_postgres import DEFAULT_VERSION, run_embedded_postgres
from tests.benchmarks import measurements
from tests.benchmarks.answer_reader import WrongAnswerError
from tests.benchmarks.building import BUILDING
from tests.benchmarks.following import FOLLOWING
from tests.benchmarks.gunicorn_process import run_gunicorn
from tests.benchmarks.imports import IMPORTS
from tests.benchmarks.measurements import Bench
from tests.benchmarks.outcome import HEADING, Outcome, summarise, write_json
from tests.benchmarks.polling import POLLING
from tests.benchmarks.sampling import SAMPLING
from tests.benchmarks.seed import Growth, seed
from tests.front.programs import open_directory

MEASUREMENTS = {**measurements.MEASUREMENTS, **SAMPLING, **BUILDING, **POLLING, **FOLLOWING, **IMPORTS}
# A busy machine makes answers late, not wrong.
DEADLINE_SECONDS = 600.0
SETTINGS = """
[clusters.bench]
dsn = "{dsn}"
[limits]
deadline_seconds = {deadline}
[columns]
directory = "columns"
"""


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--directory", type=Path, help="keep the seeded PostgreSQL here, such as var/bench, for re-use")
    parser.add_argument("--postgres", type=int, choices=(16, 18), default=DEFAULT_VERSION)
    parser.add_argument("--rounds", type=int, default=5, help="rounds that the medians are of")
    parser.add_argument("--only", action="append", choices=MEASUREMENTS, metavar="NAME", help=", ".join(MEASUREMENTS))
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    return parser.parse_args(arguments)


@contextmanager
def open_bench(data: Path, version: int, rounds: int) -> Iterator[Bench]:
    """Run PostgreSQL over ``data``, seeded, and the service over that, until the block ends."""
    with open_directory() as scratch, run_embedded_postgres(data, version) as postgres:
        dsn = postgres.dsn(seed(postgres))

        def write_settings() -> Mapping[str, str]:
            directory = Path(tempfile.mkdtemp(dir=scratch))
            settings = directory / "lens_perf.toml"
            settings.write_text(SETTINGS.format(dsn=dsn, deadline=DEADLINE_SECONDS), "utf-8")
            return {"LENS_PERF_CONFIG": str(settings)}

        with (
            run_gunicorn("wsgi:app", write_settings()) as service,
            run_gunicorn("wsgi:app", write_settings()) as without_copies,
        ):
            yield Bench(dsn, service, without_copies, write_settings, Growth(dsn), rounds, data / "imports")


def measure(bench: Bench, names: Sequence[str]) -> list[Outcome]:
    """Run the measurements ``names``, printing each when it is known."""
    print(HEADING, flush=True)
    outcomes = []
    for name in names:
        outcomes.append(MEASUREMENTS[name](bench, name=name))
        print(outcomes[-1].line(), flush=True)
    return outcomes


def main() -> int:
    """Return the exit status: 0 when everything was measured, with any figures; 1 when an answer was wrong."""
    options = read_options()
    # As with Ctrl-C, every process that was started is stopped on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with open_directory() as fresh:
        try:
            with open_bench(options.directory or fresh, options.postgres, options.rounds) as bench:
                chosen = [name for name in MEASUREMENTS if name in (options.only or MEASUREMENTS)]
                outcomes = measure(bench, chosen)
        except WrongAnswerError as error:
            print(f"wrong answer: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            return 130
    print(summarise(outcomes))
    if options.json:
        write_json(options.json, outcomes, {"postgres": options.postgres, "rounds": options.rounds})
    return 0


if __name__ == "__main__":
    sys.exit(main())
