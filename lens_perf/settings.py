"""Declares every setting: its type, default, limits and help text. Knows neither files nor variables."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

# Values of origins with a meaning of their own.
SELF, ANY_ORIGIN = "self", "*"
# The upper limits of numbers. PostgreSQL keeps a timeout in milliseconds and work_mem in kilobytes, in 32 bits, and
# Python waits for at most 292 years.
MOST = 2**31 - 1
MOST_SECONDS = MOST // 1000
MOST_WORK_MEM_MIB = MOST // 1024


def setting(
    help_text: str,
    default: Any = MISSING,
    *,
    minimum: float = 0,
    maximum: float = MOST,
    secret: bool = False,
    is_path: bool = False,
) -> Any:
    """Declare one setting; ``help_text`` appears in the documentation and in error messages.

    ``minimum`` and ``maximum`` are the limits of a number.
    """
    metadata = {"help": help_text, "minimum": minimum, "maximum": maximum, "is_path": is_path}
    return field(default=default, repr=not secret, metadata=metadata)


def seconds_setting(help_text: str, default: float, *, minimum: float = 0) -> Any:
    """Declare a setting that is a time in seconds."""
    return setting(help_text, default, minimum=minimum, maximum=MOST_SECONDS)


def path_setting(help_text: str) -> Any:
    """Declare a setting that is a path, relative to the directory of the settings file, or not set."""
    return setting(help_text, None, is_path=True)


@dataclass(frozen=True, kw_only=True)
class ClusterSettings:
    """``[clusters.NAME]``: where one cluster's PostgreSQL is and how to log in."""

    dsn: str = setting("libpq connection string, key=value or postgresql:// form", secret=True)
    password: str | None = setting("password; prefer password_file or password_env", None, secret=True)
    password_file: str | None = path_setting("file whose first line is the password, relative to the settings file")
    password_env: str | None = setting("name of the environment variable that holds the password", None)


@dataclass(frozen=True, kw_only=True)
class HttpSettings:
    """``[http]``: the HTTP server."""

    base_path: str = setting("path of the API; starts with /, does not end with /", "/lens/v1")
    threads: int = setting("concurrent requests of one process: gunicorn's threads", 8, minimum=1)
    request_seconds: float = seconds_setting("time a request may take to arrive before 408", 10.0, minimum=0.1)
    trusted_proxies: int = setting("number of reverse proxies whose X-Forwarded headers are trusted", 0)
    cors_origins: tuple[str, ...] = setting("origins whose pages may read the API, such as https://example.org", ())
    frame_ancestors: tuple[str, ...] = setting(
        'origins whose pages may embed the dashboard in a frame, such as https://example.org, "self" or "*"', ()
    )
    ready_needs_all: bool = setting("whether /readyz requires every cluster, not just one, to be ready", False)
    workload_metrics: int = setting(
        "number of most recently active workloads in /metrics/workloads; 0 disables the path", 0
    )


@dataclass(frozen=True, kw_only=True)
class AccessSettings:
    """``[access]``: who may read the API."""

    token_file: str | None = path_setting("file of bearer tokens, relative to the settings file; without it, no tokens")
    open_without_tokens: bool = setting(
        "whether to serve addresses other than loopback and Unix sockets without tokens", False
    )


@dataclass(frozen=True, kw_only=True)
class PoolSettings:
    """``[pool]``: the connections that each worker process keeps to each cluster."""

    size: int = setting("maximum number of connections of one process to one cluster", 8, minimum=1)
    wait_seconds: float = seconds_setting("time to wait for a free connection before 503", 1.0)
    connect_seconds: int = seconds_setting(
        "timeout for a new connection, whole seconds (libpq's minimum is 2)", 2, minimum=2
    )
    idle_check_seconds: float = seconds_setting("idle time after which a connection is tested before use", 30.0)
    idle_seconds: float = seconds_setting("time without use after which connections are closed", 300.0, minimum=1)
    lifetime_seconds: float = seconds_setting(
        "age at which a connection is replaced, plus or minus 10 %", 1800.0, minimum=1
    )


@dataclass(frozen=True, kw_only=True)
class LimitSettings:
    """``[limits]``: limits on the cost of a request."""

    deadline_seconds: float = seconds_setting("time a request may take before 504", 30.0, minimum=0.001)
    heavy_reads: int = setting("concurrent reads of more than 50,000 data points in one process", 1, minimum=1)
    cluster_threads: int = setting("threads of one process for queries that go to all clusters", 32, minimum=2)
    max_points: int = setting(
        "maximum number of data points in one response; a larger request gets 413", 20_000_000, minimum=1
    )
    memory_mib: int = setting("size up to which a response is kept in memory; larger ones go to a temporary file", 8)
    work_mem_mib: int = setting(
        "PostgreSQL's work_mem for the queries of the service; with Citus, on the coordinator only",
        128,
        minimum=1,
        maximum=MOST_WORK_MEM_MIB,
    )


@dataclass(frozen=True, kw_only=True)
class ColumnSettings:
    """``[columns]``: the columnar copies of workloads, from which whole workloads are answered."""

    enabled: bool = setting("whether copies are kept in the directory; if not, each process keeps its own", True)
    directory: str | None = path_setting(
        "directory of the copies, relative to the settings file; by default a cache directory"
    )
    max_gib: float = setting("total size of all copies; beyond it, the least recently used are removed", 20.0)
    build_seconds: float = seconds_setting("maximum time for reading a whole workload", 600.0, minimum=1)
    max_fields: int = setting(
        "maximum number of fields of a workload; extra fields are left out, and reported in the log", 20_000, minimum=1
    )
    private_mib: int = setting(
        "total size of a process's own copies, used if the directory is disabled or unavailable", 1024
    )


@dataclass(frozen=True, kw_only=True)
class ImportSettings:
    """``[imports]``: what ``lens-perf import`` reads."""

    max_unpacked_mib: int = setting("maximum size to which one compressed file may unpack", 4096, minimum=1)
    dialects: str | None = path_setting("directory of TOML files with log dialects, relative to the settings file")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every setting of the service; ``path`` is the file they come from."""

    path: Path
    clusters: Mapping[str, ClusterSettings]
    default_cluster: str | None = setting("cluster of requests that name none", None)
    current_cluster: str | None = setting("cluster the service runs in; used when there is no default", None)
    http: HttpSettings = field(default_factory=HttpSettings)
    access: AccessSettings = field(default_factory=AccessSettings)
    pool: PoolSettings = field(default_factory=PoolSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)
    columns: ColumnSettings = field(default_factory=ColumnSettings)
    imports: ImportSettings = field(default_factory=ImportSettings)

    @property
    def fallback_cluster(self) -> str:
        """The cluster of a request that names none: the default one, else the current one, else the only one."""
        return self.default_cluster or self.current_cluster or next(iter(self.clusters))


SECTIONS: Mapping[str, type[Any]] = {
    "http": HttpSettings,
    "access": AccessSettings,
    "pool": PoolSettings,
    "limits": LimitSettings,
    "columns": ColumnSettings,
    "imports": ImportSettings,
}
TOP_KEYS = tuple(each for each in fields(Settings) if each.name in {"default_cluster", "current_cluster"})
