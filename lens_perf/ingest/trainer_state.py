"""Reads ``trainer_state.json`` of the Hugging Face Trainer: the entries of its ``log_history``, one by one."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from lens_perf.ingest.iteration_rows import IterationRows, Row
from lens_perf.ingest.json_elements import LONGEST_ELEMENT, Element, ElementSplitter
from lens_perf.ingest.numbers import JsonError, NumberReader, parse_whole
from lens_perf.ingest.read_summary import Damage, ReadSummary
from lens_perf.ingest.records import Observation

HISTORY = re.compile(rb'"log_history"\s*+:\s*+\[')
RENAMED = {"lr": "learning_rate"}
# Maximum length of a key, blanks and a number that can span two blocks.
LONGEST_KEY = 64


def looks_like_trainer_state(head: bytes) -> bool:
    """Return whether ``head`` is the beginning of a trainer's state."""
    return head.lstrip().startswith(b"{") and (b'"log_history"' in head or b'"best_model_checkpoint"' in head)


def read_trainer_state(
    read_blocks: Callable[[], Iterable[bytes]], summary: ReadSummary, path: str
) -> Iterator[Observation]:
    """Yield an Observation for each entry of the history; the iteration is its ``step``.

    The file has no times. ``max_steps``, which follows the history, becomes ``target_iteration``, so the file is read
    twice. Damaged entries and a truncated history are noted as Damage in ``summary``.
    """
    target = find_whole_number(read_blocks(), "max_steps")
    numbers, rows = NumberReader(summary), IterationRows()
    for entry in _read_history(read_blocks(), numbers, summary, path):
        summary.read["history entries"] += 1
        iteration = parse_whole(entry.pop("step", None))
        row = read_entry(entry, numbers)
        if iteration is None:
            if row:
                summary.lose("history entries without a step", json.dumps(row))
            continue
        if target is not None:
            row["target_iteration"] = target
        if new := rows.reduce(iteration, row):
            yield Observation("history", iteration, None, new)
        else:
            summary.skip("history entries that repeat the one before")


def find_whole_number(blocks: Iterable[bytes], key: str) -> int | None:
    """Return the first positive whole number with the key ``key`` anywhere in a JSON text, or None."""
    pattern, rest = re.compile(rb'"%s"\s*+:\s*+(\d{1,19})\D' % key.encode()), b""
    for block in blocks:
        text = rest + block
        if found := pattern.search(text):
            return int(found[1]) or None
        rest = text[-LONGEST_KEY:]
    return None


def _read_history(
    blocks: Iterable[bytes], numbers: NumberReader, summary: ReadSummary, path: str
) -> Iterator[dict[str, Any]]:
    for byte, content in _split_history(blocks, summary, path):
        if content is None:
            summary.note_damage(Damage(path, byte, f"an entry of more than {LONGEST_ELEMENT >> 20} MiB"))
            continue
        try:
            entry = numbers.load_json(content.decode("utf-8", "surrogateescape"))
        except JsonError as error:
            summary.note_damage(Damage(path, byte, f"an entry that is not JSON: {error}"))
            continue
        if isinstance(entry, dict):
            yield entry
        else:
            summary.lose("history entries that are not objects", content)


def _split_history(blocks: Iterable[bytes], summary: ReadSummary, path: str) -> Iterator[Element]:
    """Yield the entries as they are in the file, up to the end of the history."""
    text, passed, splitter = b"", 0, None
    for block in blocks:
        if splitter is None:
            text += block
            found = HISTORY.search(text)
            cut = found.end() if found else max(len(text) - LONGEST_KEY, 0)
            text, passed = text[cut:], passed + cut
            if found is None:
                continue
            splitter, block = ElementSplitter(passed), text  # noqa: PLW2901 - the text after the bracket
        yield from splitter.feed(block)
        if splitter.is_closed:
            return
    if splitter is None:
        summary.note_damage(Damage(path, passed, "holds no log_history"))
    else:
        summary.note_damage(Damage(path, splitter.open_byte, "ends inside the history"))


def read_entry(entry: dict[str, Any], numbers: NumberReader) -> Row:
    """Return the numbers of an entry by name; a name is kept as it is if two would become equal."""
    row: Row = {}
    for name, value in entry.items():
        number = numbers.check(value, name)
        if number is not None:
            metric = RENAMED.get(name, name)
            row[name if metric in entry else metric] = number
    return row
