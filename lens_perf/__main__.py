"""The ``lens-perf`` command as a process: sets up signal handling, then imports and runs the command."""

import signal

# Ahead of all other imports: a signal waits until it is taken over. Before this, in Python's own start, it has Python's
# effect, which for SIGINT is a traceback.
USUAL_MASK = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})

from typing import NoReturn  # noqa: E402

from lens_perf.interruption import INTERRUPTION  # noqa: E402


def main() -> NoReturn:
    """Run the command and end the process."""
    INTERRUPTION.take_over()
    signal.pthread_sigmask(signal.SIG_SETMASK, USUAL_MASK)
    from lens_perf.cli import main as command  # noqa: PLC0415 - takes ten times as long as everything before it

    try:
        command()
    except SystemExit as ended:
        # click and the commands use only numbers.
        INTERRUPTION.end(int(ended.code or 0))
    INTERRUPTION.end(0)


if __name__ == "__main__":
    main()
