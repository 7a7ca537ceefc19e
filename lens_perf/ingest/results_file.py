"""Reads ``all_results.json`` and similar files of the Hugging Face Trainer: one object of final metrics."""

import re
from collections.abc import Iterable, Iterator

from lens_perf.ingest.numbers import JsonError, NumberReader
from lens_perf.ingest.read_summary import Damage, ReadSummary
from lens_perf.ingest.records import Observation
from lens_perf.ingest.trainer_state import find_whole_number, read_entry

# Keys that save_metrics() of the Trainer writes for its splits, for every task.
EVIDENCE = re.compile(
    rb'"(?:train|eval|test|predict)_(?:loss|runtime|samples|samples_per_second|steps_per_second)"\s*+:'
)
LARGEST_RESULTS = 1 << 16


def looks_like_results(head: bytes) -> bool:
    """Return whether ``head``, the beginning of a file, is the complete object of a trainer's results."""
    text = head.strip()
    is_object = text.startswith(b"{") and text.endswith(b"}") and text.count(b"{") == 1
    return is_object and EVIDENCE.search(text) is not None and b'"step"' not in text


def read_results(
    blocks: Iterable[bytes], summary: ReadSummary, path: str, state: Iterable[bytes] | None
) -> Iterator[Observation]:
    """Yield the results as one Observation.

    The file has no iteration: it is the ``global_step`` of the trainer's ``state``, the blocks of the file in the same
    directory, or else None.
    """
    numbers = NumberReader(summary)
    content = b"".join(blocks)
    try:
        results = numbers.load_json(content.decode("utf-8", "surrogateescape"))
    except JsonError as error:
        summary.note_damage(Damage(path, 0, f"no JSON: {error}"))
        return
    if not isinstance(results, dict):
        summary.note_damage(Damage(path, 0, "no object of results"))
        return
    summary.read["results"] += 1
    iteration = find_whole_number(state, "global_step") if state is not None else None
    summary.note(
        "results belong to no iteration: no trainer_state.json is beside them"
        if iteration is None
        else f"results belong to iteration {iteration}, the global_step of the trainer_state.json beside them"
    )
    if row := read_entry(results, numbers):
        yield Observation(None, iteration, None, row)
