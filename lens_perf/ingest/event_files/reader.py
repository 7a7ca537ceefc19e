"""Reads event files into observations: one for each scalar, with its tag as the metric."""

import re
import struct
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path

from lens_perf.ingest.event_files.framing import RecordSplitter
from lens_perf.ingest.event_files.messages import EventParser, Scalar
from lens_perf.ingest.numbers import spell_float
from lens_perf.ingest.read_summary import ReadSummary
from lens_perf.ingest.records import Mark, Observation
from lens_perf.ingest.source_files import read_head
from lens_perf.ingest.storable_names import NamesApart

TWIN = " vs samples"
TWINS = f"twins '...{TWIN}', whose samples are kept as consumed_samples"
HEAD_SIZE = 1 << 12
TIME = struct.Struct("<d")
TIME_END = 1 + TIME.size
NAME_TIME = re.compile(r"tfevents\.(\d{1,12})")


class TagNames:
    """Maps the tags of several files to metric names: the prefix of a file, then the tag.

    The tag ``train/loss`` and the tag ``loss`` in the directory ``train`` stay distinct.
    """

    def __init__(self, summary: ReadSummary) -> None:
        self._summary = summary
        self._names: dict[tuple[str, str], str] = {}
        self._apart = NamesApart()

    def find(self, prefix: str, tag: str) -> str:
        """Return the metric's name."""
        name = self._names.get((prefix, tag))
        if name is None:
            name = self._names[prefix, tag] = self._apart.take(prefix + tag)
            if name != prefix + tag:
                self._summary.note(f"two tags would both be {prefix + tag}: that of {prefix or 'the top'} is {name}")
        return name


def read_event_files(
    files: Iterable[tuple[str, str, Iterable[bytes | None]]], summary: ReadSummary, names: TagNames | None = None
) -> Iterator[Observation | Mark]:
    """Yield every scalar of ``files``, which are triples of path, prefix and blocks.

    Each file is a session. Yields Mark.PAUSE for a block that is None. ``names`` are those of files read before.
    """
    names = names or TagNames(summary)
    for path, prefix, blocks in files:
        yield Mark.SESSION
        splitter, parser = RecordSplitter(path, summary), EventParser(summary)
        observer = _Observer(prefix, summary, names)
        for block in blocks:
            if block is None:
                yield Mark.PAUSE
                continue
            for event in splitter.feed(block):
                for scalar in parser.parse(event):
                    if observation := observer.observe(scalar):
                        yield observation
        splitter.finish()


class _Observer:
    """Turns the scalars of one file into observations, and the twins of Megatron-LM into consumed samples.

    Megatron-LM writes each metric twice, the second time as ``... vs samples``, with the consumed samples as step. The
    second follows directly, so its iteration and value are those of the metric's latest point.
    """

    def __init__(self, prefix: str, summary: ReadSummary, names: TagNames) -> None:
        self._prefix = prefix
        self._summary = summary
        self._tag_names = names
        self._samples = f"{prefix}consumed_samples"
        self._latest: dict[str, Scalar] = {}
        self._names: dict[str, str] = {}
        self._twins_at: int | None = None

    def observe(self, scalar: Scalar) -> Observation | None:
        """Return the observation of a scalar, or None if it repeats another one."""
        wall_time, step, tag, value = scalar
        name = self._names.get(tag)
        if name is None:
            if base := self._find_base(tag, value):
                return self._observe_twin(base, step)
            # A second metric is checked each time, because its value decides.
            name = self._tag_names.find(self._prefix, tag)
            if not tag.endswith(TWIN):
                self._names[tag] = name
        self._latest[tag] = scalar
        return Observation(name, step, _read_time(wall_time), {name: spell_float(value)})

    def _find_base(self, tag: str, value: float) -> Scalar | None:
        base = self._latest.get(tag.removesuffix(TWIN)) if tag.endswith(TWIN) else None
        return base if base and struct.pack("<d", base[-1]) == struct.pack("<d", value) else None

    def _observe_twin(self, base: Scalar, samples: int) -> Observation | None:
        self._summary.skip(TWINS)
        wall_time, step, *_ = base
        if self._twins_at == step:
            return None
        self._twins_at = step
        return Observation(None, step, _read_time(wall_time), {self._samples: samples})


def _read_time(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def order_event_files(roots: Mapping[Path, Path]) -> list[tuple[Path, str]]:
    """Return files by the time of their first event, each with its prefix.

    The prefix is its directory below its root, by which TensorBoard separates runs: frameworks write the same tags into
    ``train`` and ``validation``. Raises ImportInputError for a file that cannot be read.
    """
    ordered = sorted(roots, key=lambda path: (_find_start(path), str(path)))
    below = {path: path.parent.relative_to(roots[path]).as_posix() for path in ordered}
    return [(path, "" if below[path] == "." else f"{below[path]}/") for path in ordered]


def _find_start(path: Path) -> float:
    """Return the time of a file's first event, or else the time in its name, in seconds."""
    head = read_head(path, HEAD_SIZE)
    for event in RecordSplitter(str(path), ReadSummary()).feed(head):
        # The time is always the first field of an event.
        if event[:1] == b"\x09" and len(event) >= TIME_END and isfinite(start := TIME.unpack_from(event, 1)[0]):
            return float(start)
    named = NAME_TIME.search(path.name)
    return float(named[1]) if named else 0.0
