"""Reads the messages of a W&B file about metrics: rows of the history, uses of ``define_metric``, the run's id.

Other messages are ignored: a file also has console output, the configuration, and names of hosts and people.
The numbers are those of ``wandb_internal.proto``: https://github.com/wandb/wandb/tree/main/wandb/proto
"""

import struct
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import orjson

from lens_perf.ingest.iteration_rows import Row
from lens_perf.ingest.numbers import JsonError, NumberReader, spell_float
from lens_perf.ingest.protobuf_wire import LENGTH_DELIMITED, VARINT, MessageError, as_signed, read_fields, read_varint
from lens_perf.ingest.read_summary import ReadSummary
from lens_perf.ingest.records import MetricValue

HISTORY, METRIC, RUN = 2, 12, 17
WANTED_TAGS = {number << 3 | LENGTH_DELIMITED for number in (HISTORY, METRIC, RUN)}
FIXED_LENGTHS = {1: 8, 5: 4}

ITEM_TAG, STEP_TAG = 1 << 3 | LENGTH_DELIMITED, 2 << 3 | LENGTH_DELIMITED
KEY, NESTED_KEY, INTEGER, NUMBER, TEXT, TYPED_JSON, VALUE_JSON = 1, 2, 5, 6, 7, 8, 16
TYPED = {3, 4, INTEGER, NUMBER, TEXT, TYPED_JSON}  # 3 and 4 are none and boolean
VALUE_JSON_TAG = b"\x82\x01"
LONGEST_SHORT = 0x7F
# Limits memory for runs that log new names all the time. Other runs have far fewer names.
MOST_NAMES = 10_000

# W&B's own values in a row.
OWN = "_wandb"
NON_FINITE = {text: name for name in ("NaN", "Infinity", "-Infinity") for text in (name.encode(), f'"{name}"'.encode())}
# Values that cannot be numbers, such as tables and media, are long and not parsed.
STARTS_OF_NUMBERS = {b"-", *(b"%d" % digit for digit in range(10))}
# Maximum number of characters of the shortest decimal of a float.
LONGEST_SHORTEST_FLOAT = 24
# Beyond 64-bit integers a float may represent an integer that was written in full.
EXACT = float(1 << 63)
DOUBLE = struct.Struct("<d")
NO_NUMBERS = "history values that are not numbers"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class MetricRule(NamedTuple):
    """A use of ``define_metric``: metrics, by name or glob, and their step metric."""

    pattern: str
    is_glob: bool
    step_metric: str
    step_metric_index: int


class Run(NamedTuple):
    """The run of a file, and when it was started."""

    run_id: str
    start_time: datetime | None


def find_message(record: bytes) -> tuple[int, bytes]:
    """Return number and bytes of the record's message if it is one of those read here, else 0. Raises MessageError."""
    position = 0
    while position < len(record):
        tag, position = read_varint(record, position)
        wire_type = tag & 7
        if wire_type == VARINT:
            _, position = read_varint(record, position)
            continue
        if wire_type == LENGTH_DELIMITED:
            length, position = read_varint(record, position)
        elif wire_type in FIXED_LENGTHS:
            length = FIXED_LENGTHS[wire_type]
        else:
            raise MessageError(f"a field of wire type {wire_type}")
        if position + length > len(record):
            raise MessageError("a field that is cut off")
        if tag in WANTED_TAGS:
            return tag >> 3, record[position : position + length]
        position += length
    return 0, b""


class HistoryParser:
    """Reads rows of the history, and caches the encoding of metric names.

    Nearly all items are a name and a short JSON number, so these are parsed in place; reading them field by field takes
    five times as long. ``summary`` counts other values by name only, because texts may be personal.
    """

    def __init__(self, summary: ReadSummary) -> None:
        self._summary = summary
        self._numbers = NumberReader(summary)
        self._names: dict[bytes, str] = {}

    def read(self, message: bytes) -> Row:
        """Return the numbers of the row by name, including W&B's own. Raises MessageError."""
        try:
            return self._read(message)
        except (IndexError, struct.error):
            raise MessageError("a history row that cannot be read") from None

    def _read(self, message: bytes) -> Row:
        row: Row = {}
        names, load = self._names, orjson.loads
        position, size = 0, len(message)
        while position < size:
            start = position + 2
            if message[position] != ITEM_TAG or message[position + 1] > LONGEST_SHORT:
                position = self._read_any(message, position, row)
                continue
            position = start + message[position + 1]
            name_end = start + 2 + message[start + 1]
            name = names.get(message[start : name_end + 2])
            if name is None or name_end + 3 + message[name_end + 2] != position:
                self._read_item(message[start:position], row)
                continue
            text = message[name_end + 3 : position]
            try:
                value = load(text) if len(text) <= LONGEST_SHORTEST_FLOAT else None
            except orjson.JSONDecodeError:
                value = None
            if type(value) is int or (type(value) is float and -EXACT < value < EXACT):
                row[name] = value
            elif (number := self._read_json(name, text)) is not None:
                row[name] = number
        if position > size:
            raise MessageError("a field that is cut off")
        return row

    def _read_any(self, message: bytes, position: int, row: Row) -> int:
        """Read any field at ``position``; return the position after it."""
        tag, position = read_varint(message, position)
        if tag & 7 != LENGTH_DELIMITED:
            raise MessageError("a history row with a field of another kind")
        length, start = read_varint(message, position)
        if start + length > len(message):
            raise MessageError("a field that is cut off")
        field = message[start : start + length]
        if tag == ITEM_TAG:
            self._read_item(field, row)
        elif tag == STEP_TAG and "_step" not in row:
            row["_step"] = _read_step(field)
        return start + length

    def _read_item(self, item: bytes, row: Row) -> None:
        value: tuple[int, int | bytes] = VALUE_JSON, b"null"
        keys: list[str] = []
        for field, _, content in read_fields(item):
            if field in (KEY, NESTED_KEY) and isinstance(content, bytes):
                # Bytes that are not UTF-8 are escaped, so that different names stay different.
                keys.append(content.decode("utf-8", "surrogateescape"))
            # A typed value takes precedence over its JSON.
            elif field in TYPED or (field == VALUE_JSON and value[0] == VALUE_JSON):
                value = field, content
        name = ".".join(keys)
        if name == OWN or name.startswith(f"{OWN}."):
            return
        if len(keys) == 1 and len(self._names) < MOST_NAMES:
            self._remember(name, item)
        number = self._read_value(name, *value)
        if number is not None and row.setdefault(name, number) != number:
            self._summary.lose("values of names that a history row has twice", name)

    def _remember(self, name: str, item: bytes) -> None:
        name_end = 2 + item[1]
        if item[name_end : name_end + 2] == VALUE_JSON_TAG:
            self._names[item[: name_end + 2]] = name

    def _read_value(self, name: str, field: int, content: int | bytes) -> MetricValue:
        """Return the number of a value: JSON, or a typed form that newer SDKs write in addition or instead."""
        if field == INTEGER and isinstance(content, int):
            return content >> 1 ^ -(content & 1)  # "zigzag", as sint64 is written
        if field == NUMBER and isinstance(content, bytes):
            return spell_float(DOUBLE.unpack(content)[0])
        if field in (VALUE_JSON, TYPED_JSON) and isinstance(content, bytes):
            return self._read_json(name, content)
        number = NON_FINITE.get(content) if field == TEXT and isinstance(content, bytes) else None
        if number is None:
            self._summary.skip_text(NO_NUMBERS, name)
        return number

    def _read_json(self, name: str, text: bytes) -> MetricValue:
        """Return the exact number in a JSON text, or the text of a non-finite one; None for anything else."""
        if text in NON_FINITE:
            return NON_FINITE[text]
        if text == b"null":
            self._summary.skip(NO_NUMBERS, name)
        elif text.lstrip()[:1] not in STARTS_OF_NUMBERS:
            self._summary.skip_text(NO_NUMBERS, name)
        else:
            try:
                return self._numbers.check(self._numbers.load_json(text.decode("ascii", "replace")), name)
            except JsonError:
                self._summary.lose("history values that cannot be read", name)
        return None


def _read_step(message: bytes) -> int:
    return next((as_signed(value) for field, _, value in read_fields(message) if field == 1 and type(value) is int), 0)


def read_metric(message: bytes) -> MetricRule:
    """Return a use of ``define_metric``. Raises MessageError."""
    texts = {1: "", 2: "", 4: ""}
    index = 0
    for field, _, content in read_fields(message):
        if field in texts and isinstance(content, bytes):
            texts[field] = content.decode(errors="replace")
        elif field == 5 and isinstance(content, int):  # noqa: PLR2004 - the number of MetricRecord.step_metric_index
            index = content
    return MetricRule(texts[1] or texts[2], not texts[1], texts[4], index)


def read_run(message: bytes) -> Run:
    """Return the run of a file. Raises MessageError."""
    run_id, start_time = "", None
    for field, _, content in read_fields(message):
        if field == 1 and isinstance(content, bytes):
            run_id = content.decode(errors="replace")
        elif field == 17 and isinstance(content, bytes):  # noqa: PLR2004 - the number of RunRecord.start_time
            start_time = _read_time(content)
    return Run(run_id, start_time)


def _read_time(message: bytes) -> datetime | None:
    parts = {1: 0, 2: 0}  # seconds and nanoseconds
    for field, _, content in read_fields(message):
        if field in parts and isinstance(content, int):
            parts[field] = as_signed(content)
    try:
        return EPOCH + timedelta(seconds=parts[1], microseconds=parts[2] // 1000)
    except OverflowError:
        return None
