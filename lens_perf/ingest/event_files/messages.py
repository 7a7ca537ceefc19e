"""Finds the scalars in the Event messages of TensorBoard's event files.

Field numbers are those of event.proto and summary.proto:
https://github.com/tensorflow/tensorboard/tree/master/tensorboard/compat/proto
"""

import re
import struct
from collections.abc import Iterator, Mapping, Sequence

from lens_perf.ingest.event_files.tensors import read_tensor
from lens_perf.ingest.protobuf_wire import (
    CONTINUED,
    MessageError,
    as_bytes,
    as_int,
    as_signed,
    read_fields,
    read_varint,
)
from lens_perf.ingest.read_summary import ReadSummary

DOUBLE, FLOAT = struct.Struct("<d"), struct.Struct("<f")

# Nearly every event is one scalar of this form, with lengths of one byte each: time, iteration unless it is 0, summary,
# value, tag, number. Between iteration and number, all events of a tag are equal, so these bytes are parsed once, which
# takes a seventh of the time of general parsing.
TIME_FIELD, STEP_FIELD = 0x09, 0x10
PLAIN_FRAME = re.compile(rb"\x2a(.)\x0a(.)\x0a(.)(.*)\x15", re.DOTALL)
# The bytes around the tag in its value and summary.
VALUE_OVERHEAD, SUMMARY_OVERHEAD = 7, 9
SHORTEST_PLAIN_EVENT = 22
NUMBER_SIZE = 4

WALL_TIME, STEP, SUMMARY = 1, 2, 5
OTHER_EVENTS: Mapping[int, str] = {4: "graphs", 8: "run metadata", 9: "graphs"}
TAG, SIMPLE_VALUE, TENSOR, METADATA = 1, 2, 8, 9
OTHER_VALUES: Mapping[int, str] = {3: "histograms", 4: "images", 5: "histograms", 6: "audio clips"}
SCALARS_PLUGIN = "scalars"


Scalar = tuple[float, int, str, float | int]
"""Time in seconds since 1970, step, tag and number. Not a class, because creating one takes longer."""


class EventParser:
    """Parses the events of one file; counts other values than scalars in ``summary``, by kind."""

    def __init__(self, summary: ReadSummary) -> None:
        self._summary = summary
        # Only the first value of a tag has its plugin.
        self._plugins: dict[str, str] = {}
        self._tags: dict[bytes, str] = {}

    def parse(self, event: bytes) -> Sequence[Scalar]:
        """Return the scalars of a serialised Event, in order."""
        counts = self._summary.read
        counts["events"] += 1
        try:
            scalar = self._read_plain(event)
            scalars = (scalar,) if scalar else tuple(self._read_event(event))
        except (MessageError, struct.error):
            self._summary.lose("messages that cannot be read")
            return ()
        counts["scalars"] += len(scalars)
        return scalars

    def _read_plain(self, event: bytes) -> Scalar | None:
        """Return the scalar of an event of the usual form; None for another."""
        if len(event) < SHORTEST_PLAIN_EVENT or event[0] != TIME_FIELD:
            return None
        step, position = read_varint(event, 10) if event[9] == STEP_FIELD else (0, 9)
        frame = event[position:-NUMBER_SIZE]
        tag = self._tags.get(frame)
        if tag is None:
            if (tag := _read_frame(frame)) is None:
                return None
            self._tags[frame] = tag
        (time,) = DOUBLE.unpack_from(event, 1)
        (number,) = FLOAT.unpack_from(event, len(event) - NUMBER_SIZE)
        return time, as_signed(step), tag, number

    def _read_event(self, event: bytes) -> Iterator[Scalar]:
        wall_time, step, values = 0.0, 0, []
        for number, _, value in read_fields(event):
            if number == WALL_TIME:
                (wall_time,) = DOUBLE.unpack(as_bytes(value))
            elif number == STEP:
                step = as_signed(as_int(value))
            elif number == SUMMARY:
                values += [each for inner, _, each in read_fields(as_bytes(value)) if inner == 1]
            elif number in OTHER_EVENTS:
                self._summary.skip(OTHER_EVENTS[number])
        for value in values:
            if found := self._try_value(as_bytes(value)):
                yield wall_time, step, *found

    def _try_value(self, content: bytes) -> tuple[str, float | int] | None:
        """Return the scalar of a Summary.Value; a damaged one does not affect others of its event."""
        try:
            return self._read_value(content)
        except (MessageError, struct.error):
            self._summary.lose("values that cannot be read")
            return None

    def _read_value(self, content: bytes) -> tuple[str, float | int] | None:
        """Return tag and number of a Summary.Value, or None if it is not a scalar."""
        fields = {number: value for number, _, value in read_fields(content)}
        tag = _decode(as_bytes(fields.get(TAG, b"")))
        if METADATA in fields:
            self._plugins.setdefault(tag, _read_plugin(as_bytes(fields[METADATA])))
        if SIMPLE_VALUE in fields:
            return tag, FLOAT.unpack(as_bytes(fields[SIMPLE_VALUE]))[0]
        plugin = self._plugins.get(tag, "")
        if TENSOR in fields and plugin in {"", SCALARS_PLUGIN}:
            number = read_tensor(as_bytes(fields[TENSOR]))
            if number is not None:
                return tag, number
        kinds = [kind for number, kind in OTHER_VALUES.items() if number in fields]
        # The plugin's name comes from the file, and only examples are made safe to print.
        self._summary.skip(kinds[0] if kinds else "values of other plugins" if plugin else "tensors", plugin or tag)
        return None


def _decode(name: bytes) -> str:
    # Bytes that are not UTF-8 are escaped, so that different names stay different.
    return name.decode("utf-8", "surrogateescape")


def _read_frame(frame: bytes) -> str | None:
    """Return the tag in the bytes between iteration and number of a plain event; None if they have another form."""
    match = PLAIN_FRAME.fullmatch(frame)
    if match is None:
        return None
    summary, value, length, tag = match.groups()
    sizes = (len(tag) + SUMMARY_OVERHEAD, len(tag) + VALUE_OVERHEAD, len(tag))
    return _decode(tag) if (summary[0], value[0], length[0]) == sizes and sizes[0] < CONTINUED else None


def _read_plugin(metadata: bytes) -> str:
    """Return the plugin's name of a SummaryMetadata."""
    for number, _, data in read_fields(metadata):
        if number == 1:
            for inner, _, name in read_fields(as_bytes(data)):
                if inner == 1:
                    return _decode(as_bytes(name))
    return ""
