"""Reads the files of each kind, once or while they grow, as one stream of observations."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path
from threading import Event

from lens_perf.errors import ImportInputError
from lens_perf.ingest.event_files.reader import TagNames, order_event_files, read_event_files
from lens_perf.ingest.logs.lines import split_lines, split_whole_lines
from lens_perf.ingest.logs.options import LogOptions
from lens_perf.ingest.logs.reader import read_log
from lens_perf.ingest.read_summary import ReadSummary
from lens_perf.ingest.recognition import HEAD_SIZE, STANDARD_INPUT, TRAINER_STATE, Kind, find_files
from lens_perf.ingest.records import Mark, Observation
from lens_perf.ingest.results_file import looks_like_results, read_results
from lens_perf.ingest.source_files import (
    MOST_UNPACKED,
    Progress,
    follow_blocks,
    pass_over_blanks,
    read_blocks,
    read_head,
    read_pipe,
)
from lens_perf.ingest.tables.columns import TableOptions
from lens_perf.ingest.tables.csv_rows import read_csv_rows
from lens_perf.ingest.tables.json_rows import read_json_rows
from lens_perf.ingest.tables.reader import read_table
from lens_perf.ingest.trainer_state import read_trainer_state
from lens_perf.ingest.wandb_files.chart_export import looks_like_chart_export, read_chart_export
from lens_perf.ingest.wandb_files.reader import order_wandb_files, read_wandb_files

Observations = Iterator[Observation | Mark]

# A line may take a second to become a record; this leaves most of the second to the database.
POLL_SECONDS = 0.2


@dataclass(frozen=True)
class SourceOptions:
    """Options for reading: those of logs and tables, the iteration of W&B files, and whether to follow growing files.

    ``stopped`` ends the following. ``max_unpacked`` is the maximum size in bytes to which a compressed file may unpack.
    """

    log: LogOptions = field(default_factory=LogOptions)
    step_metric: str | None = None
    follow: bool = False
    stopped: Event = field(default_factory=Event)
    on_progress: Progress | None = None
    max_unpacked: int = MOST_UNPACKED
    table: TableOptions = field(default_factory=TableOptions)


def read_sources(kind: Kind, paths: Sequence[Path], summary: ReadSummary, options: SourceOptions) -> Observations:
    """Yield the observations in the files of ``paths``. Raises ImportInputError."""
    if STANDARD_INPUT in paths:
        return _read_standard_input(kind, paths, summary, options)
    if not options.follow:
        return READERS[kind](find_files(kind, paths), summary, options, partial(_read_whole, summary, options))
    if kind is Kind.HUGGINGFACE:
        raise ImportInputError("trainer_state.json is rewritten each time: import it again instead of --follow")
    if kind is Kind.TENSORBOARD:
        find_new = partial(_find_new_event_files, paths, summary, set(), TagNames(summary), options.stopped.is_set)
        return _follow(find_new, options.stopped)
    files = find_files(kind, paths)
    reader = READERS[kind](files, summary, options, partial(_follow_last, files, summary, options))
    return _follow(partial(_give_once, [reader]), options.stopped)


BlockSource = Callable[[Path], Iterable[bytes | None]]


def _read_whole(summary: ReadSummary, options: SourceOptions, path: Path) -> Iterable[bytes]:
    return read_blocks(path, summary, options.on_progress, options.max_unpacked)


def _follow_last(
    files: Mapping[Path, Path], summary: ReadSummary, options: SourceOptions, path: Path
) -> Iterable[bytes | None]:
    return (
        follow_blocks(path, options.stopped.is_set) if path == list(files)[-1] else _read_whole(summary, options, path)
    )


def _follow(find_new: Callable[[], Iterable[Observations]], stopped: Event) -> Observations:
    """Yield from each of several readers until it has no more data for now, and after ``stopped`` to its end."""
    readers: list[Observations] = []
    is_last = False
    while not is_last:
        # The readers end if it was set before they are asked for more.
        is_last = stopped.is_set()
        readers += find_new()
        for reader in readers:
            for item in reader:
                if item is Mark.PAUSE:
                    break
                yield item
        yield Mark.PAUSE
        stopped.wait(POLL_SECONDS)


def _give_once(readers: list[Observations]) -> list[Observations]:
    given, readers[:] = list(readers), []
    return given


def _find_new_event_files(
    paths: Sequence[Path], summary: ReadSummary, known: set[Path], names: TagNames, stopped: Callable[[], bool]
) -> list[Observations]:
    """Return readers of the event files that are new since the last check: a restarted program creates one."""
    files = find_files(Kind.TENSORBOARD, paths)
    if known.issuperset(files):
        return []
    new = order_event_files({file: root for file, root in files.items() if file not in known})
    known.update(files)
    return [
        read_event_files([(str(file), prefix, follow_blocks(file, stopped))], summary, names) for file, prefix in new
    ]


def _read_standard_input(
    kind: Kind, paths: Sequence[Path], summary: ReadSummary, options: SourceOptions
) -> Observations:
    if kind not in (Kind.LOG, Kind.CSV, Kind.JSONL) or len(paths) > 1:
        raise ImportInputError("- stands for a log, CSV or JSON lines on standard input, alone")
    blocks = read_pipe(sys.stdin.buffer, options.stopped.is_set)
    return READERS[kind]({STANDARD_INPUT: STANDARD_INPUT}, summary, options, lambda _: blocks)


def _split_text(blocks: Iterable[bytes | None], summary: ReadSummary) -> Iterator[bytes | None]:
    return split_whole_lines(pass_over_blanks(blocks, summary))


def _read_logs(
    files: Mapping[Path, Path], summary: ReadSummary, options: SourceOptions, open_blocks: BlockSource
) -> Observations:
    chunks = chain.from_iterable(_split_text(open_blocks(file), summary) for file in files)
    return read_log(chunks, summary, replace(options.log, growing=options.follow))


def _read_event_files(
    files: Mapping[Path, Path], summary: ReadSummary, _: SourceOptions, open_blocks: BlockSource
) -> Observations:
    ordered = order_event_files(files)
    return read_event_files(((str(file), prefix, open_blocks(file)) for file, prefix in ordered), summary)


def _read_wandb(
    files: Mapping[Path, Path], summary: ReadSummary, options: SourceOptions, open_blocks: BlockSource
) -> Observations:
    first = next(iter(files))
    if len(files) == 1 and looks_like_chart_export(_read_first_line(first)):
        if options.follow:
            raise ImportInputError(f"{first}: the export of a chart does not grow: import it without --follow")
        lines = (
            line.decode("utf-8", "surrogateescape") for line in split_lines(open_blocks(first)) if line is not None
        )
        yield from read_chart_export(lines, summary, str(first))
    else:
        sources = ((str(file), open_blocks(file)) for file in order_wandb_files(list(files)))
        yield from read_wandb_files(sources, summary, step_metric=options.step_metric)


def _read_first_line(path: Path) -> str:
    return read_head(path, 1 << 16).split(b"\n", 1)[0].decode("utf-8", "replace")


def _read_trainer_files(
    files: Mapping[Path, Path], summary: ReadSummary, _: SourceOptions, open_blocks: BlockSource
) -> Observations:
    for file in files:
        read = partial(_without_waiting, open_blocks, file)
        if looks_like_results(read_head(file, HEAD_SIZE)):
            state = file.with_name(TRAINER_STATE)
            beside = read_blocks(state, ReadSummary()) if state.is_file() and not state.is_symlink() else None
            yield from read_results(read(), summary, str(file), beside)
        else:
            yield from read_trainer_state(read, summary, str(file))


def _read_csv(
    files: Mapping[Path, Path], summary: ReadSummary, options: SourceOptions, open_blocks: BlockSource
) -> Observations:
    for file in files:
        lines = split_lines(pass_over_blanks(open_blocks(file), summary))
        rows = read_csv_rows(lines, summary, str(file), options.table.delimiter)
        yield from read_table(rows, summary, options.table, str(file))


def _read_json_lines(
    files: Mapping[Path, Path], summary: ReadSummary, options: SourceOptions, open_blocks: BlockSource
) -> Observations:
    for file in files:
        rows = read_json_rows(pass_over_blanks(open_blocks(file), summary), summary, str(file))
        yield from read_table(rows, summary, options.table, str(file))


def _without_waiting(open_blocks: BlockSource, path: Path) -> Iterator[bytes]:
    return (block for block in open_blocks(path) if block is not None)


READERS: dict[Kind, Callable[[Mapping[Path, Path], ReadSummary, SourceOptions, BlockSource], Observations]] = {
    Kind.LOG: _read_logs,
    Kind.TENSORBOARD: _read_event_files,
    Kind.WANDB: _read_wandb,
    Kind.HUGGINGFACE: _read_trainer_files,
    Kind.CSV: _read_csv,
    Kind.JSONL: _read_json_lines,
}
