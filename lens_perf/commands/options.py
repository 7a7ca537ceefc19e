"""What the commands share: options, and how errors are told."""

import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import ParamSpec

import click

from lens_perf.errors import LensError
from lens_perf.ingest.read_summary import make_printable

Parameters = ParamSpec("Parameters")

USER_ERROR = 2
FILE = click.Path(dir_okay=False, path_type=Path)
DIRECTORY = click.Path(file_okay=False, path_type=Path)


def tells_errors(command: Callable[Parameters, int | None]) -> Callable[Parameters, None]:
    """End ``command`` with one line on standard error for a LensError, and with its own status otherwise."""

    @wraps(command)
    def run(*args: Parameters.args, **kwargs: Parameters.kwargs) -> None:
        try:
            status = command(*args, **kwargs)
        except LensError as error:
            print(f"lens-perf: {make_printable(error.message)}", file=sys.stderr)
            status = USER_ERROR
        sys.exit(status or 0)

    return run


config_option = click.option(
    "--config", "config", type=FILE, help="Settings file; by default the one that LENS_PERF_CONFIG names."
)
cluster_option = click.option(
    "--cluster", help="Name of the cluster; by default the one that answers when a request names none."
)
