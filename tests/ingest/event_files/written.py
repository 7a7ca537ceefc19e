"""Creates event files with TensorBoard's own writer and messages."""

# TensorBoard's messages are made by a version of protobuf whose classes warn when they are made.
import io
from collections.abc import Iterable

import numpy as np
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.summary.writer.record_writer import RecordWriter
from tensorboard.util.tensor_util import make_tensor_proto

VERSION = Event(wall_time=1_700_000_000, file_version="brain.Event:2")


def frame(events: Iterable[Event], *, version: bool = True) -> bytes:
    """Return the bytes of a file with ``events``."""
    return frame_records(event.SerializeToString() for event in [*([VERSION] if version else []), *events])


def frame_records(records: Iterable[bytes]) -> bytes:
    """Return the bytes of a file with any records."""
    file = io.BytesIO()
    file.close = lambda: None  # type: ignore[method-assign]  # the writer closes what it writes to
    writer = RecordWriter(file)
    for record in records:
        writer.write(record)
    return file.getvalue()


def scalar(tag: str, step: int, value: float, wall_time: float = 1_700_000_000) -> Event:
    """Return an event in the older form, of a ``simple_value``."""
    return Event(wall_time=wall_time, step=step, summary=Summary(value=[Summary.Value(tag=tag, simple_value=value)]))


def tensor(tag: str, step: int, value: object, dtype: type = np.float32, plugin: str | None = None) -> Event:
    """Return an event in the newer form, of a tensor."""
    array = np.array(value, dtype)
    metadata = SummaryMetadata(plugin_data={"plugin_name": plugin}) if plugin else None
    content = Summary.Value(tag=tag, tensor=make_tensor_proto(array), metadata=metadata)
    return Event(wall_time=1_700_000_000, step=step, summary=Summary(value=[content]))
