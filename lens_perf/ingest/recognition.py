"""Finds the files of an import and, by their content, what kind they are."""

import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path

from lens_perf.errors import ImportInputError
from lens_perf.ingest.event_files.framing import looks_like_event_file
from lens_perf.ingest.foreign_files import describe_foreign
from lens_perf.ingest.logs.evidence import find_nearest, recognise
from lens_perf.ingest.logs.forms import Dialect
from lens_perf.ingest.read_summary import make_printable
from lens_perf.ingest.results_file import looks_like_results
from lens_perf.ingest.source_files import read_head, read_text_head
from lens_perf.ingest.tables.evidence import find_csv_iteration, find_json_iteration
from lens_perf.ingest.trainer_state import looks_like_trainer_state
from lens_perf.ingest.wandb_files.chart_export import looks_like_chart_export
from lens_perf.ingest.wandb_files.framing import looks_like_wandb_file

STANDARD_INPUT = Path("-")
HEAD_SIZE = 1 << 16
LOG_HEAD_SIZE = 1 << 24
NEAREST_HEAD_SIZE = 1 << 20


class Kind(StrEnum):
    """The kinds of input."""

    LOG = "log"
    TENSORBOARD = "tensorboard"
    WANDB = "wandb"
    HUGGINGFACE = "huggingface"
    CSV = "csv"
    JSONL = "jsonl"


DATA_SOURCES = {
    Kind.LOG: "log",
    Kind.TENSORBOARD: "tensorflow",
    Kind.WANDB: "wandb",
    Kind.HUGGINGFACE: "log",
    Kind.CSV: "log",
    Kind.JSONL: "log",
}

TRAINER_STATE = "trainer_state.json"
# Names of the files of each kind in directories. If a directory has several kinds, the first one is chosen: files
# written for programs contain more than printed text.
FILE_PATTERNS = {
    Kind.WANDB: ("*.wandb", "*.wandb.gz"),
    Kind.TENSORBOARD: ("*tfevents*",),
    Kind.HUGGINGFACE: (TRAINER_STATE, "all_results.json"),
    Kind.CSV: ("*.csv", "*.tsv", "*.csv.gz", "*.tsv.gz"),
    Kind.JSONL: ("*.jsonl", "*.ndjson", "*.jsonl.gz", "*.ndjson.gz"),
    Kind.LOG: (
        *("*.log", "*.out", "*.txt", "*.log.gz", "*.out.gz", "*.txt.gz"),
        *(f"*.log.{number}{end}" for number in ("[0-9]", "[0-9][0-9]") for end in ("", ".gz")),
    ),
}
# The older parts of a log that is rotated, the oldest with the greatest number.
ROTATED = re.compile(r"(.*\.log)\.([0-9]{1,2})(?:\.gz)?")


@dataclass(frozen=True)
class Choice:
    """A kind of input, and a clause that says why it was chosen; None for a log, whose reader notes its dialect."""

    kind: Kind
    reason: str | None


def choose_kind(paths: Sequence[Path], dialects: Sequence[Dialect]) -> Choice:
    """Choose the kind of ``paths`` by their content, logs in one of ``dialects``.

    Raises ImportInputError if they are of several kinds, or of none; then the message lists the dialects and the
    closest line.
    """
    for place, path in enumerate(paths):
        if path == STANDARD_INPUT or path.is_fifo():
            return Choice(Kind.LOG, None)
        choice = _choose_in_directory(path) if path.is_dir() else _choose_by_content(path, dialects)
        if choice:
            _check_others(choice, path, paths[place + 1 :], dialects)
            return choice
    names = ", ".join(map(str, paths))
    raise ImportInputError(
        f"{names}: neither event file, W&B file or export, trainer_state.json, CSV or JSON lines with a column that is "
        "known to count iterations (kinds csv and jsonl take --iteration-column), nor a log of a known dialect: "
        f"{', '.join(dialect.name for dialect in dialects)}{_describe_nearest(paths, dialects)}"
    )


def _check_others(choice: Choice, first: Path, others: Sequence[Path], dialects: Sequence[Dialect]) -> None:
    """Raise ImportInputError for a file that is of another kind than ``first``."""
    for path in others:
        if path == STANDARD_INPUT or not path.is_file():
            continue
        # Many logs may follow a log, and searching them for reports takes long.
        other = _choose_by_content(path, () if choice.kind is Kind.LOG else dialects)
        if other and other.kind is not choice.kind:
            raise ImportInputError(
                f"{first} is of the kind {choice.kind}, {path} of the kind {other.kind}: import them by separate "
                "commands, or name the kind of both"
            )


def _describe_nearest(paths: Sequence[Path], dialects: Sequence[Dialect]) -> str:
    for path in paths:
        if path.is_file() and (foreign := describe_foreign(read_head(path, HEAD_SIZE))):
            return f"; {path} {foreign}"
        if path.is_file() and (nearest := find_nearest(dialects, read_text_head(path, NEAREST_HEAD_SIZE) + b"\n")):
            return f"; {make_printable(str(nearest))}"
    return ""


def find_files(kind: Kind, paths: Sequence[Path]) -> dict[Path, Path]:
    """Return the files in ``paths``, and those of the kind in directories, sorted.

    Each is paired with the directory it was found in: the given one, or its own. Raises ImportInputError for a
    directory without such files.
    """
    found: dict[Path, Path] = {}
    for path in paths:
        for file in _find_in_directory(kind, path) if path.is_dir() else [path]:
            found.setdefault(file, path if path.is_dir() else path.parent)
    return found


def list_regular_files(directory: Path) -> Iterator[Path]:
    """Yield the regular files in and below ``directory``, sorted within each directory.

    Pipes and devices are skipped, and links are not followed: their targets may be files of other users, readable to
    the user who imports but not to the one who created the link.
    """
    for path, directories, names in os.walk(directory):
        directories.sort()
        for name in sorted(names):
            file = Path(path, name)
            if _is_regular(file):
                yield file


def _is_regular(file: Path) -> bool:
    try:
        return stat.S_ISREG(file.lstat().st_mode)
    except OSError:  # removed since it was listed
        return False


def _matches(kind: Kind, file: Path) -> bool:
    """Return whether a file in a directory is of a kind, by its name, and for tables also by its content."""
    if not any(fnmatchcase(file.name, pattern) for pattern in FILE_PATTERNS[kind]):
        return False
    # Directories hold tables of all kinds; data sets are some of them.
    return kind not in TABLES or _find_iteration(kind, read_text_head(file, HEAD_SIZE)) is not None


def _find_iteration(kind: Kind, head: bytes) -> str | None:
    return TABLES[kind](head, is_whole=len(head) < HEAD_SIZE)


TABLES = {Kind.CSV: find_csv_iteration, Kind.JSONL: find_json_iteration}


def _find_in_directory(kind: Kind, directory: Path) -> list[Path]:
    found = sorted((file for file in list_regular_files(directory) if _matches(kind, file)), key=_order_rotated)
    if not found:
        names = " or ".join(FILE_PATTERNS[kind])
        what = " with a column that counts iterations" if kind in TABLES else ""
        raise ImportInputError(f"{directory}: holds no {names}{what} (links in directories are not followed)")
    return _choose_latest(found) if kind is Kind.HUGGINGFACE else found


def _order_rotated(file: Path) -> tuple[Path, int]:
    """Return a sort key by which the parts of a rotated log are in the order in which they were written."""
    rotated = ROTATED.fullmatch(file.name)
    return (file.with_name(rotated[1]), -int(rotated[2])) if rotated else (file, 0)


def _choose_latest(files: Sequence[Path]) -> list[Path]:
    """Return the latest state and the latest results: each checkpoint has the history up to it."""
    states = [file for file in files if file.name == TRAINER_STATE]
    results = [file for file in files if file.name != TRAINER_STATE]
    return [max(each, key=lambda file: (file.stat().st_mtime, file)) for each in (states, results) if each]


def _choose_in_directory(directory: Path) -> Choice | None:
    files = list(list_regular_files(directory))
    there = [kind for kind in FILE_PATTERNS if any(_matches(kind, file) for file in files)]
    if not there:
        return None
    others = f"; it also has files of the kind {' and '.join(there[1:])}" if there[1:] else ""
    return Choice(there[0], f"{directory} holds {FILE_PATTERNS[there[0]][0]}{others}")


def _choose_by_content(path: Path, dialects: Sequence[Dialect]) -> Choice | None:
    head = read_head(path, HEAD_SIZE)
    first_line = head.split(b"\n", 1)[0].decode("utf-8", "replace")
    tests: Sequence[tuple[Kind, str, Callable[[], bool]]] = (
        (Kind.TENSORBOARD, "begins as an event file", lambda: looks_like_event_file(head)),
        (Kind.WANDB, "begins as a W&B file", lambda: looks_like_wandb_file(head)),
        (Kind.HUGGINGFACE, "is a trainer's state", lambda: looks_like_trainer_state(head)),
        (Kind.HUGGINGFACE, "holds the results of a trainer", lambda: looks_like_results(head)),
        (Kind.WANDB, "begins as an export of a W&B chart", lambda: looks_like_chart_export(first_line)),
    )
    for kind, reason, test in tests:
        if test():
            return Choice(kind, f"{path} {reason}")
    text = read_text_head(path, HEAD_SIZE)
    for kind, word in ((Kind.JSONL, "JSON objects"), (Kind.CSV, "the columns of a CSV")):
        if iteration := _find_iteration(kind, text):
            return Choice(kind, f"{path} has {word}, whose {iteration} counts iterations")
    is_log = bool(dialects) and recognise(dialects, read_text_head(path, LOG_HEAD_SIZE)) is not None
    return Choice(Kind.LOG, None) if is_log else None
