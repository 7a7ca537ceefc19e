"""Chooses the names of metrics, so that two fields of a record never get the same one."""

from collections.abc import Container, Iterator
from itertools import count

from lens_perf.ingest.logs.forms import Form, Line
from lens_perf.ingest.logs.metric_names import find_field, fold_words, split_rank


class FieldNames:
    """The names of the metrics of one input.

    A name derived from a field's words belongs to the first field of the input with that name; a field with other words
    keeps its original name. Fields that differ only in case, spaces and underscores have the same words, until a record
    has both.
    """

    def __init__(self) -> None:
        self._by_field: dict[tuple[str, str], str] = {}
        self._by_words: dict[tuple[str, str], str] = {}
        self._taken: set[str] = set()
        self._iteration: int | None = None
        self._forms: set[Form] = set()
        self._fields: dict[str, str] = {}

    def enter(self, line: Line) -> None:
        """Note the record to which the next fields belong: several lines may report one iteration."""
        form, iteration = line.form, line.iteration
        moves = None not in (iteration, self._iteration) and iteration != self._iteration
        if moves or form.joins_next or (form.reports and form in self._forms):
            self._iteration = None
            self._forms.clear()
            self._fields.clear()
        self._iteration = self._iteration if iteration is None else iteration
        self._forms.add(form)

    def choose(self, metric: str, name: str, form: Form, found: Container[str]) -> str:
        """Return the name for a metric of the field ``name``; its line already has those in ``found``."""
        rank, words = split_rank(fold_words(name))
        # The name without a rank identifies the field, because the rank changes.
        field = words if rank else name
        if metric not in found and (metric, field) not in self._by_field and _is_known(name, form):
            return metric
        original = metric if rank else f"{form.name_prefix}{' '.join(name.split())}{form.name_suffix}"
        chosen = self._find(metric, field, original, found)
        return chosen if chosen not in found else next(each for each in _list_names(chosen) if each not in found)

    def _find(self, metric: str, field: str, original: str, found: Container[str]) -> str:
        """Return the name of a field for the input, and note that the record has it."""
        words = metric, fold_words(field.replace("_", " "))
        chosen = self._by_field.get((metric, field)) or self._by_words.get(words)
        if chosen is None or self._fields.get(chosen, field) != field:
            names = _list_names(metric, original)
            chosen = next(each for each in names if each not in self._taken and each not in found)
            self._taken.add(chosen)
        self._by_words.setdefault(words, chosen)
        self._by_field[metric, field] = chosen
        self._fields[chosen] = field
        return chosen


def _is_known(name: str, form: Form) -> bool:
    """Return whether the metric of a field is fixed; several names of the vocabulary may mean one metric."""
    return form.verbatim or find_field(name, form.names) is not None


def _list_names(*preferred: str) -> Iterator[str]:
    """Yield the possible names of a metric, the preferred ones first."""
    yield from preferred
    yield from (f"{preferred[0]}_{number}" for number in count(2))
