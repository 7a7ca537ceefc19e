"""The options that several commands have, and the reporting of errors."""

import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import ParamSpec

import click

from lens_perf.errors import (
    ClusterError,
    ClusterMisconfiguredError,
    CopyNotReadyError,
    DamagedCopyError,
    DeadlineExceededError,
    LensError,
    StandardOutputError,
    TemporarySpaceError,
    UnknownClusterError,
)
from lens_perf.ingest.read_summary import make_printable

Parameters = ParamSpec("Parameters")

FAILURE, USER_ERROR = 1, 2
# The same command may succeed later, or in another state of the machine; other errors are in what the user wrote.
FAILURES = (
    ClusterError,
    CopyNotReadyError,
    DamagedCopyError,
    DeadlineExceededError,
    StandardOutputError,
    TemporarySpaceError,
)
FILE = click.Path(dir_okay=False, path_type=Path)
DIRECTORY = click.Path(file_okay=False, path_type=Path)


def reports_errors(command: Callable[Parameters, int | None]) -> Callable[Parameters, None]:
    """End ``command`` with one line on standard error for a LensError, and with its own status otherwise.

    A closed standard output is no error: its reader, such as ``head``, has what it wants.
    """

    @wraps(command)
    def run(*args: Parameters.args, **kwargs: Parameters.kwargs) -> None:
        status: int | None = 0
        try:
            status = command(*args, **kwargs)
            sys.stdout.flush()
        except BrokenPipeError:
            # Python writes what is left at exit, and would report another error.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except UnknownClusterError as error:
            status = _fail(error.listing(error.known))
        except ClusterMisconfiguredError as error:
            status = _fail(error)
        except FAILURES as error:
            status = _fail(error, FAILURE)
        except LensError as error:
            status = _fail(error)
        sys.exit(status or 0)

    return run


def _fail(error: LensError, status: int = USER_ERROR) -> int:
    reason = "" if error.reason is None else f" ({error.reason})"
    print(make_printable(f"lens-perf: {error.message}{reason}"), file=sys.stderr)
    return status


config_option = click.option(
    "--config", "config", type=FILE, help="Settings file. Default: the one that LENS_PERF_CONFIG names."
)
cluster_option = click.option("--cluster", help="Name of the cluster. Default: the default cluster of the settings.")
