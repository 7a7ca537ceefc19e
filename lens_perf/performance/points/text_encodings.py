"""The text encodings of data points, JSON, NDJSON and CSV, with the rules for quoting names.

In each, a point consists of cells joined by commas: its name, its value, and the fields of its record.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lens_perf.performance.metric_fields import encode_name

# The fields that all points of a record share, in this order.
SHARED_FIELDS = ("timestamp", "iteration", "data_source")
# Spreadsheets interpret text with these first characters as formulas: https://owasp.org/www-community/attacks/CSV_Injection
FORMULA = ("=", "+", "-", "@")
# Escaped as in JSON, because a name must not contain a line break.
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
QUOTED = re.compile("[\",' ]")


@dataclass(frozen=True)
class TextEncoding:
    """A text encoding of data points.

    ``separator`` is the byte between points; ``begin`` and ``end`` enclose a point. ``write_label`` returns the text
    before the value of a field, ``write_text`` the text of a name or a data source. ``null`` is the text for a missing
    time, iteration or source.
    """

    separator: str
    begin: str
    end: str
    null: str
    write_label: Callable[[str], str]
    write_text: Callable[[str], str]
    has_header: bool = False

    def write_source(self, source: str | None) -> str:
        """Return the text of a data source."""
        return self.null if source is None else self.write_text(source)

    def write_name(self, name: str) -> str:
        """Return the first cell of the points of the metric ``name``."""
        return self.begin + self.write_label("metric_name") + self.write_text(name)

    def write_head(self, name: str) -> str:
        """Return the text before the value of a point of the metric ``name``."""
        return f"{self.write_name(name)},{self.write_label('value')}"

    def write_tail(self, shared: Mapping[str, str]) -> str:
        """Return the text after the value of each point of a record, given the texts of its fields."""
        return "".join(f",{self.write_label(field)}{text}" for field, text in shared.items()) + self.end

    def write_header(self, fields: Sequence[str]) -> str:
        """Return the header line, empty for an encoding without one."""
        return ",".join(("metric_name", "value", *fields)) + "\n" if self.has_header else ""


def _write_json_label(field: str) -> str:
    return f'"{field}":'


def _write_no_label(_field: str) -> str:
    return ""


def write_csv_text(text: str) -> str:
    """Return ``text`` as a CSV field that spreadsheets do not interpret as a formula."""
    text = CONTROL.sub(lambda match: json.dumps(match.group())[1:-1], text)
    if text.startswith(FORMULA):
        text = "'" + text
    return '"' + text.replace('"', '""') + '"' if QUOTED.search(text) or not text else text


JSON = TextEncoding(",", "{", "}", "null", _write_json_label, encode_name)
NDJSON = TextEncoding("\n", "{", "}", "null", _write_json_label, encode_name)
CSV = TextEncoding("\n", "", "", "", _write_no_label, write_csv_text, has_header=True)
