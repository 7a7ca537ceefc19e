"""The settings: defaults, then the TOML file, then ``LENS_PERF_*`` variables, checked once and frozen.

No message of this module repeats a value, because any value may contain a password.
"""

import os
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar, cast, get_args, get_origin

from lens_perf.errors import ConfigError

CONFIG_VARIABLE = "LENS_PERF_CONFIG"
VARIABLE_PREFIX = "LENS_PERF_"
# Read by the tests and the demo, not by the service.
FOREIGN_VARIABLES = frozenset({CONFIG_VARIABLE, "LENS_PERF_REAL_DATA"})


def setting(
    help_text: str,
    default: Any = MISSING,
    *,
    minimum: float | None = None,
    secret: bool = False,
    is_path: bool = False,
) -> Any:
    """Declare one setting; ``help_text`` appears in the documentation and in error messages."""
    return field(default=default, repr=not secret, metadata={"help": help_text, "minimum": minimum, "is_path": is_path})


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
    request_seconds: float = setting("time a request may take to arrive before 408", 10.0, minimum=0.1)
    trusted_proxies: int = setting("number of reverse proxies whose X-Forwarded headers are trusted", 0, minimum=0)
    cors_origins: tuple[str, ...] = setting("origins whose pages may read the API, such as https://example.org", ())
    frame_ancestors: tuple[str, ...] = setting(
        'origins whose pages may embed the dashboard in a frame, such as https://example.org, "self" or "*"', ()
    )
    ready_needs_all: bool = setting("whether /readyz requires every cluster, not just one, to be ready", False)
    workload_metrics: int = setting(
        "number of most recently active workloads in /metrics/workloads; 0 disables the path", 0, minimum=0
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
    wait_seconds: float = setting("time to wait for a free connection before 503", 1.0, minimum=0)
    connect_seconds: int = setting("timeout for a new connection, whole seconds (libpq's minimum is 2)", 2, minimum=2)
    idle_check_seconds: float = setting("idle time after which a connection is tested before use", 30.0, minimum=0)
    idle_seconds: float = setting("time without use after which connections are closed", 300.0, minimum=1)
    lifetime_seconds: float = setting("age at which a connection is replaced, plus or minus 10 %", 1800.0, minimum=1)


@dataclass(frozen=True, kw_only=True)
class LimitSettings:
    """``[limits]``: limits on the cost of a request."""

    deadline_seconds: float = setting("time a request may take before 504", 30.0, minimum=0.001)
    heavy_reads: int = setting("concurrent reads of more than 50,000 data points in one process", 1, minimum=1)
    cluster_threads: int = setting("threads of one process for queries that go to all clusters", 32, minimum=2)
    max_points: int = setting(
        "maximum number of data points in one response; a larger request gets 413", 20_000_000, minimum=1
    )
    memory_mib: int = setting(
        "size up to which a response is kept in memory; larger ones go to a temporary file", 8, minimum=0
    )
    work_mem_mib: int = setting(
        "PostgreSQL's work_mem for the queries of the service; with Citus, on the coordinator only", 128, minimum=1
    )


@dataclass(frozen=True, kw_only=True)
class ColumnSettings:
    """``[columns]``: the columnar copies of workloads, from which whole workloads are answered."""

    enabled: bool = setting("whether copies are kept in the directory; if not, each process keeps its own", True)
    directory: str | None = path_setting(
        "directory of the copies, relative to the settings file; by default a cache directory"
    )
    max_gib: float = setting(
        "total size of all copies; beyond it, the least recently used are removed", 20.0, minimum=0
    )
    build_seconds: float = setting("maximum time for reading a whole workload", 600.0, minimum=1)
    max_fields: int = setting(
        "maximum number of fields of a workload; extra fields are left out and reported", 20_000, minimum=1
    )
    private_mib: int = setting(
        "total size of a process's own copies, used if the directory is disabled or unavailable", 1024, minimum=0
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
# As a message lists them.
TABLES = ("[clusters.NAME]", *(f"[{name}]" for name in SECTIONS))
CLUSTER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
BASE_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+")
SELF, ANY_ORIGIN = "self", "*"
# The format of browsers: lower case, and no path, not even a slash.
ORIGIN = re.compile(r"https?://[a-z0-9.\-\[\]:]+")
TYPE_WORDS = {str: "a text", int: "a whole number", float: "a number", bool: "true or false", tuple: "a list of texts"}
TRUTHS = {"true": True, "false": False}
Section = TypeVar("Section")


def load_settings(path: Path | None = None, environment: Mapping[str, str] = os.environ) -> Settings:
    """Load and check the settings.

    ``path`` defaults to the file that ``LENS_PERF_CONFIG`` names. Raises ConfigError, naming the file or variable,
    the key and what is expected there, but never a value.
    """
    path = path or _path_from(environment)
    tables = _read_toml(path)
    own_keys = {key: value for key, value in tables.items() if key not in {*SECTIONS, "clusters"}}
    sections: dict[str, Any] = {
        name: _anchor(
            _read_section(section, tables.get(name, {}), f"{path}: {name}", environment, variable_stem(name)),
            path.parent,
        )
        for name, section in SECTIONS.items()
    }
    settings = Settings(
        path=path,
        **_read_keys(TOP_KEYS, own_keys, f"{path}: ", environment, VARIABLE_PREFIX, tables=TABLES),
        **sections,
        clusters=_read_clusters(tables.get("clusters", {}), path, environment),
    )
    _check_variables(settings, environment)
    _check_agreement(settings, path)
    return settings


def variable_stem(*keys: str) -> str:
    """Return the prefix of the environment variables for the settings below ``keys``."""
    return VARIABLE_PREFIX + "".join(re.sub(r"[^A-Z0-9]", "_", key.upper()) + "_" for key in keys)


def _path_from(environment: Mapping[str, str]) -> Path:
    if not environment.get(CONFIG_VARIABLE):
        raise ConfigError(f"{CONFIG_VARIABLE} is not set: it must name the TOML settings file")
    return Path(environment[CONFIG_VARIABLE])


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at [^)]*\)", str(error))
        raise ConfigError(f"{path}: is not valid TOML {place.group() if place else ''}".rstrip()) from None


def _read_clusters(table: Any, path: Path, environment: Mapping[str, str]) -> dict[str, ClusterSettings]:
    where = f"{path}: clusters"
    if not isinstance(table, dict) or not table:
        raise ConfigError(f"{where}: expected at least one [clusters.NAME] table with a dsn")
    for name in table:
        if not CLUSTER_NAME.fullmatch(name):
            raise ConfigError(f"{where}: a cluster's name is 1 to 128 letters, digits, dots, dashes and underscores")
    stems = [variable_stem("clusters", name) for name in table]
    if len(set(stems)) < len(stems):
        raise ConfigError(f"{where}: two names differ only in case or punctuation; expected distinct names")
    clusters = {
        name: _read_section(ClusterSettings, table[name], f"{where}.{name}", environment, stem)
        for name, stem in zip(table, stems, strict=True)
    }
    return {name: _anchor(cluster, path.parent) for name, cluster in clusters.items()}


def _anchor(section: Section, directory: Path) -> Section:
    """Return ``section`` with its paths made relative to the settings file's directory."""
    keys = [key.name for key in fields(section) if key.metadata["is_path"]]  # type: ignore[arg-type]
    named = {key: getattr(section, key) for key in keys}
    anchored = {key: str(directory / path) for key, path in named.items() if path is not None}
    return replace(section, **anchored)  # type: ignore[type-var]


def _read_section(section: type[Section], table: Any, where: str, environment: Mapping[str, str], stem: str) -> Section:
    if not isinstance(table, dict):
        raise ConfigError(f"{where}: expected a table")
    return section(**_read_keys(fields(section), table, f"{where}.", environment, stem))  # type: ignore[arg-type]


def _read_keys(
    keys: Iterable[Field[Any]],
    table: Mapping[str, Any],
    where: str,
    environment: Mapping[str, str],
    stem: str,
    *,
    tables: Sequence[str] = (),
) -> dict[str, Any]:
    known = {key.name: key for key in keys}
    for name in table:
        if name not in known:
            raise ConfigError(f"{where}{name}: is not a setting; expected one of {', '.join((*known, *tables))}")
    values = {name: _checked(value, known[name], f"{where}{name}") for name, value in table.items()}
    for name, key in known.items():
        variable = stem + name.upper()
        if variable in environment:
            values[name] = _checked(_parse_text(environment[variable], key), key, variable)
        elif name not in values and key.default is MISSING:
            raise ConfigError(f"{where}{name}: is missing; expected {key.metadata['help']}")
    return values


def _value_type(key: Field[Any]) -> type:
    if get_origin(key.type) is tuple:
        return tuple
    optional = [each for each in get_args(key.type) if each is not type(None)]
    return cast("type", optional[0] if optional else key.type)


def _parse_text(text: str, key: Field[Any]) -> Any:
    """Return the value of a variable; commas separate the texts of a list."""
    wanted = _value_type(key)
    if wanted is tuple:
        return [part for part in (each.strip() for each in text.split(",")) if part]
    if wanted is bool:
        return TRUTHS.get(text.lower(), text)
    try:
        return wanted(text)
    except ValueError:
        return text  # _checked reports the wrong type


def _checked(value: Any, key: Field[Any], where: str) -> Any:
    wanted = _value_type(key)
    if wanted is float and type(value) is int:
        value = float(value)
    if wanted is tuple and type(value) is list and all(type(each) is str for each in value):
        value = tuple(value)
    if key.metadata["is_path"] and value == "":
        raise ConfigError(f"{where}: expected a path that is not empty: {key.metadata['help']}")
    minimum = key.metadata["minimum"]
    too_small = type(value) in {int, float} and minimum is not None and not (isfinite(value) and value >= minimum)
    if type(value) is not wanted or too_small:
        bound = "" if minimum is None else f" of at least {minimum:g}"
        raise ConfigError(f"{where}: expected {TYPE_WORDS[wanted]}{bound}: {key.metadata['help']}")
    # Neither the system nor libpq accepts it, and TOML has an escape sequence for it.
    if isinstance(value, str) and "\0" in value:
        raise ConfigError(f"{where}: expected a text without NUL characters: {key.metadata['help']}")
    return value


def _check_variables(settings: Settings, environment: Mapping[str, str]) -> None:
    known = set(FOREIGN_VARIABLES) | {VARIABLE_PREFIX + key.name.upper() for key in TOP_KEYS}
    for name, section in SECTIONS.items():
        known |= {variable_stem(name) + key.name.upper() for key in fields(section)}
    for name in settings.clusters:
        known |= {variable_stem("clusters", name) + key.name.upper() for key in fields(ClusterSettings)}
    for variable in environment:
        if variable.startswith(VARIABLE_PREFIX) and variable not in known:
            raise ConfigError(f"{variable}: not the variable of a setting; docs/configuration.rst lists them")


def _check_agreement(settings: Settings, path: Path) -> None:
    for key in TOP_KEYS:
        name = getattr(settings, key.name)
        if name is not None and name not in settings.clusters:
            raise ConfigError(f"{path}: {key.name}: expected the name of one of the [clusters.NAME] tables")
    if len(settings.clusters) > 1 and not (settings.default_cluster or settings.current_cluster):
        raise ConfigError(
            f"{path}: current_cluster: is missing; expected, as there are several clusters, the name of one"
        )
    if not BASE_PATH.fullmatch(settings.http.base_path):
        raise ConfigError(f"{path}: http.base_path: expected a path such as /lens/v1")
    _check_origins(settings.http, path)


def _check_origins(http: HttpSettings, path: Path) -> None:
    expected = "expected origins as https://example.org, without a path,"
    if set(http.cors_origins) != {ANY_ORIGIN} and not all(map(ORIGIN.fullmatch, http.cors_origins)):
        raise ConfigError(f'{path}: http.cors_origins: {expected} or "*" alone')
    if not all(each in (SELF, ANY_ORIGIN) or ORIGIN.fullmatch(each) for each in http.frame_ancestors):
        raise ConfigError(f'{path}: http.frame_ancestors: {expected} "self" or "*"')
