"""Runs imports for tests as a user does, through the command line into a cluster from which the API then answers."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from click.testing import CliRunner

from lens_perf.cli import main


class Outcome(NamedTuple):
    """The exit status of an import, its output, and its report if it succeeded."""

    status: int
    output: str
    errors: str

    @property
    def report(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads(self.output)
        return report


class Importer:
    """Runs ``lens-perf import`` for one workload."""

    def __init__(self, settings: Path, uid: str) -> None:
        self.arguments = ["--workload", uid, "--config", str(settings)]

    def run(self, kind: str, *paths: Path | str, options: tuple[str, ...] = ("--json",)) -> Outcome:
        """Run it in this process; its output is JSON unless ``options`` change that."""
        arguments = ["import", kind, *map(str, paths), *self.arguments, *options]
        result = CliRunner().invoke(main, arguments, catch_exceptions=False)
        return Outcome(result.exit_code, result.stdout, result.stderr)
