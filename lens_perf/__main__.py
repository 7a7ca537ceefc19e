"""The ``lens-perf`` command as a process: it takes over signals first, and then loads what it consists of."""

from typing import NoReturn

from lens_perf.interruption import INTERRUPTION


def main() -> NoReturn:
    """Run the command and end the process."""
    INTERRUPTION.take_over()
    from lens_perf.cli import main as command  # noqa: PLC0415 - takes ten times as long as all that comes before

    try:
        command()
    except SystemExit as ended:
        # click and the commands themselves give nothing but numbers.
        INTERRUPTION.end(int(ended.code or 0))
    INTERRUPTION.end(0)


if __name__ == "__main__":
    main()
