"""Turns the fields of lines into metrics with distinct names, and counts values that are not numbers."""

from lens_perf.ingest.logs.field_names import FieldNames
from lens_perf.ingest.logs.forms import Form, Line
from lens_perf.ingest.logs.metric_names import find_field, fold_words, read_field, spell_name
from lens_perf.ingest.numbers import ALWAYS_KEPT_DIGITS, NUMBER, OUT_OF_RANGE, is_rounded
from lens_perf.ingest.read_summary import ReadSummary
from lens_perf.ingest.records import MetricValue

NO_VALUE = frozenset({"n/a", "none", "null", "-"})


class LineMetrics:
    """Reads the fields of the lines of one input."""

    def __init__(self, summary: ReadSummary) -> None:
        self._summary = summary
        self._names = FieldNames()

    def read(self, line: Line) -> dict[str, MetricValue]:
        """Return the metrics of a line's fields; fields without numbers are counted in the summary."""
        form, found = line.form, dict[str, MetricValue]()
        self._names.enter(line)
        prefix = f"{self._find_split(line)}_" if line.label and form.name_prefix else form.name_prefix
        for name, text in line.fields:
            if form.texts and fold_words(name) in form.texts:
                self._summary.skip(f"fields of the {form.name} that hold texts", f"{name}: {text}")
                continue
            metrics = read_field(name, text, form.names, verbatim=form.verbatim)
            if not metrics:
                self._skip(form, name, text, prefix)
            if len(text) > ALWAYS_KEPT_DIGITS:
                self._count_rounded(text, metrics)
            for metric, value in metrics.items():
                if value is None:
                    self._summary.lose(OUT_OF_RANGE, f"{name}: {text}")
                    continue
                found[self._names.choose(f"{prefix}{metric}{form.name_suffix}", name, form, found)] = value
        for piece in line.rest:
            self._summary.lose(f"parts of the {form.name} that are not fields", piece)
        return found

    def _count_rounded(self, text: str, metrics: dict[str, MetricValue]) -> None:
        """Count a decimal that a 64-bit float rounds."""
        for value in metrics.values():
            if isinstance(value, float) and NUMBER.fullmatch(text) and is_rounded(text, value):
                self._summary.rounded += 1

    def _find_split(self, line: Line) -> str:
        """Return the split of the data that an evaluation used, by its label, else by its form."""
        words = set(line.label.replace("-", " ").split())
        if "test" in words:
            return "test"
        return "validation" if words & {"val", "validation", "valid"} else line.form.name_prefix.rstrip("_")

    def _skip(self, form: Form, name: str, text: str, prefix: str) -> None:
        if text.lower() in NO_VALUE:
            self._summary.skip(f"fields of the {form.name} without a value")
            return
        known = find_field(name, form.names)
        metric = known.name if known else name if form.verbatim else spell_name(name)
        self._summary.skip_text(
            f"fields of the {form.name} that are not numbers", f"{prefix}{metric}{form.name_suffix}", f"{name}: {text}"
        )
