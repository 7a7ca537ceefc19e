"""The options of the reader of logs."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo

from lens_perf.ingest.logs.dialect_files import load_built_in_dialects
from lens_perf.ingest.logs.forms import Dialect


@dataclass(frozen=True)
class LogOptions:
    """Facts that a log may lack.

    ``timezone`` is for times without one. ``start_time`` is when training started, for logs without times;
    ``logging_steps`` is the number of iterations between reports, for logs without iterations. ``dialects`` are the
    possible dialects of the log. ``growing`` means that the last line may still be continued.
    """

    timezone: tzinfo = UTC
    start_time: datetime | None = None
    logging_steps: int | None = None
    dialects: tuple[Dialect, ...] = field(default_factory=load_built_in_dialects)
    growing: bool = False
