"""Loads the settings: defaults, then the TOML file, then ``LENS_PERF_*`` variables, checked once.

No message of this module repeats a value, because any value may contain a password.
"""

import os
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, Field, fields, replace
from pathlib import Path
from typing import Any, TypeVar, cast, get_args, get_origin

from lens_perf.errors import ConfigError
from lens_perf.settings import ANY_ORIGIN, SECTIONS, SELF, TOP_KEYS, ClusterSettings, HttpSettings, Settings
from lens_perf.toml_errors import describe_place

CONFIG_VARIABLE = "LENS_PERF_CONFIG"
VARIABLE_PREFIX = "LENS_PERF_"
# Read by the tests and the demo, not by the service.
FOREIGN_VARIABLES = frozenset({CONFIG_VARIABLE, "LENS_PERF_REAL_DATA"})
# As a message lists them.
TABLES = ("[clusters.NAME]", *(f"[{name}]" for name in SECTIONS))
CLUSTER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
BASE_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+")
# The paths outside http.base_path, for monitoring.
RESERVED_PATHS = ("healthz", "readyz", "metrics")
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
        raise ConfigError(f"{path}: is not valid TOML{describe_place(error)}") from None


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
    is_number, least, most = wanted in {int, float}, key.metadata["minimum"], key.metadata["maximum"]
    is_wanted = type(value) is wanted
    if is_wanted and is_number and value > most:
        raise ConfigError(f"{where}: expected {TYPE_WORDS[wanted]} of at most {most}: {key.metadata['help']}")
    # A comparison with NaN is false.
    if not is_wanted or (is_number and not value >= least):
        bound = f" of at least {least:g}" if is_number else ""
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
    if settings.http.base_path.split("/")[1] in RESERVED_PATHS:
        reserved = ", ".join(f"/{name}" for name in RESERVED_PATHS)
        raise ConfigError(f"{path}: http.base_path: expected a path that does not begin with any of {reserved}")
    _check_origins(settings.http, path)


def _check_origins(http: HttpSettings, path: Path) -> None:
    expected = "expected origins as https://example.org, without a path,"
    if set(http.cors_origins) != {ANY_ORIGIN} and not all(map(ORIGIN.fullmatch, http.cors_origins)):
        raise ConfigError(f'{path}: http.cors_origins: {expected} or "*" alone')
    if not all(each in (SELF, ANY_ORIGIN) or ORIGIN.fullmatch(each) for each in http.frame_ancestors):
        raise ConfigError(f'{path}: http.frame_ancestors: {expected} "self" or "*"')
