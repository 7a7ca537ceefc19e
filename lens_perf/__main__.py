"""The ``lens-perf`` command as a process: sets up signal handling, then imports and runs the command."""

import signal

# Ahead of all other imports: a signal waits until it is taken over. Before this, in Python's own start, it has Python's
# effect, which for SIGINT is a traceback.
USUAL_MASK = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})

from collections.abc import Callable  # noqa: E402
from typing import NoReturn  # noqa: E402

from lens_perf.interruption import INTERRUPTION  # noqa: E402


def main() -> NoReturn:
    """Run the command and end the process."""
    INTERRUPTION.take_over()
    signal.pthread_sigmask(signal.SIG_SETMASK, USUAL_MASK)
    from lens_perf.cli import main as command  # noqa: PLC0415 - takes ten times as long as everything before it
    from lens_perf.commands.options import reports_errors  # noqa: PLC0415 - imported by the above
    from lens_perf.commands.standard_output import open_standard_output  # noqa: PLC0415 - likewise

    open_standard_output()
    try:
        # Also the help, and what a command has printed before it failed, may be impossible to write.
        reports_errors(lambda: _run(command))()
    except SystemExit as ended:
        INTERRUPTION.end(int(ended.code or 0))
    INTERRUPTION.end(0)


def _run(command: Callable[[], object]) -> int:
    """Run ``command`` and return its exit status."""
    try:
        command()
    except SystemExit as ended:
        # click and the commands use only numbers.
        return int(ended.code or 0)
    return 0


if __name__ == "__main__":
    main()
