"""Reads ``trainer_state.json`` of the Hugging Face Trainer: the entries of its ``log_history``, one after the other."""

import codecs
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from lens_perf.ingest.logs.metric_names import FIELDS, NON_FINITE
from lens_perf.ingest.read_summary import Damage, ReadSummary
from lens_perf.ingest.records import MetricValue, Observation

HISTORY = re.compile(r'"log_history"\s*:\s*\[')
MAX_STEPS = re.compile(rb'"max_steps"\s*:\s*(\d+)\D')
MAX_STEPS_LENGTH = 64
NEITHER_BLANK_NOR_COMMA = re.compile(r"[^\s,]")
# An entry that is longer is none.
LONGEST_ENTRY = 1 << 24


def looks_like_trainer_state(head: bytes) -> bool:
    """Tell whether a file that begins with ``head`` is a trainer's state."""
    return head.lstrip().startswith(b"{") and (b'"log_history"' in head or b'"best_model_checkpoint"' in head)


def read_trainer_state(
    read_blocks: Callable[[], Iterable[bytes]], summary: ReadSummary, path: str
) -> Iterator[Observation]:
    """Yield an Observation for each entry of the history; the iteration is its ``step``.

    The file tells no time. ``max_steps``, which stands behind the history, becomes ``target_iteration``, so the file
    is read twice. A history that breaks off is read up to there, with a Damage in ``summary``.
    """
    target = _find_max_steps(read_blocks())
    for entry in _read_history(read_blocks(), summary, path):
        summary.read["history entries"] += 1
        iteration = entry.pop("step", None)
        if type(iteration) is not int:
            summary.skip("history entries without a step", json.dumps(entry))
            continue
        performance = _read_entry(entry, summary)
        if target is not None:
            performance["target_iteration"] = target
        yield Observation("history", iteration, None, performance)


def _find_max_steps(blocks: Iterable[bytes]) -> int | None:
    rest = b""
    for block in blocks:
        text = rest + block
        if found := MAX_STEPS.search(text):
            return int(found[1]) or None
        rest = text[-MAX_STEPS_LENGTH:]
    return None


def _read_history(blocks: Iterable[bytes], summary: ReadSummary, path: str) -> Iterator[dict[str, Any]]:
    decoder, text, passed, inside = json.JSONDecoder(), "", 0, False
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    for block in blocks:
        text += decode(block)
        if not inside:
            found = HISTORY.search(text)
            cut = found.end() if found else max(len(text) - MAX_STEPS_LENGTH, 0)
            text, passed, inside = text[cut:], passed + len(text[:cut].encode()), found is not None
        position = 0
        while inside:
            start = _skip_blank(text, position)
            if text.startswith("]", start):
                return
            try:
                entry, position = decoder.raw_decode(text, start)
            except ValueError:
                break
            if isinstance(entry, dict):
                yield entry
        text, passed = text[position:], passed + len(text[:position].encode())
        if len(text) > LONGEST_ENTRY:
            break
    finding = "ends inside the history, or an entry is no JSON" if inside else "holds no log_history"
    summary.note_damage(Damage(path, passed, finding))


def _skip_blank(text: str, position: int) -> int:
    """Return where, from ``position`` on, neither space nor comma stands."""
    found = NEITHER_BLANK_NOR_COMMA.search(text, position)
    return found.start() if found else len(text)


def _read_entry(entry: dict[str, Any], summary: ReadSummary) -> dict[str, MetricValue]:
    performance: dict[str, MetricValue] = {}
    for name, value in entry.items():
        metric = FIELDS[name].name if name in FIELDS else name
        number = _read_number(value)
        if number is None:
            summary.skip("fields that are no numbers", f"{name}: {value}")
        else:
            performance[metric] = number
    return performance


def _read_number(value: Any) -> MetricValue:
    """Return a number as it is and one that is not finite as text; None for what is no number."""
    if type(value) is float and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if type(value) is str and value in NON_FINITE.values():
        return value
    return value if type(value) in (int, float) else None
