"""What the reader of a log is given besides the log."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo

from lens_perf.ingest.logs.dialect_files import load_built_in_dialects
from lens_perf.ingest.logs.forms import Dialect


@dataclass(frozen=True)
class LogOptions:
    """What a log may leave open.

    ``timezone`` is that of times without one. ``start_time`` is when training began, for logs without times, and
    ``logging_steps`` how many iterations lie between reports, for logs without iterations. ``dialects`` are those the
    log may be in.
    """

    timezone: tzinfo = UTC
    start_time: datetime | None = None
    logging_steps: int | None = None
    dialects: tuple[Dialect, ...] = field(default_factory=load_built_in_dialects)
