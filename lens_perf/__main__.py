"""The ``lens-perf`` command as a process: sets up signal handling, then imports and runs the command."""

from typing import NoReturn

from lens_perf.interruption import INTERRUPTION


def main() -> NoReturn:
    """Run the command and end the process."""
    INTERRUPTION.take_over()
    from lens_perf.cli import main as command  # noqa: PLC0415 - takes ten times as long as everything before it

    try:
        command()
    except SystemExit as ended:
        # click and the commands use only numbers.
        INTERRUPTION.end(int(ended.code or 0))
    INTERRUPTION.end(0)


if __name__ == "__main__":
    main()
