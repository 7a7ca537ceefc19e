"""Loads dialects from TOML files, those of the package and an operator's."""

import tomllib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from lens_perf.errors import ConfigError
from lens_perf.ingest.logs.forms import Dialect, Form, Purpose
from lens_perf.ingest.logs.metric_names import read_names
from lens_perf.ingest.logs.splitting import NAMED_SPLITTERS, Splitter, split_by
from lens_perf.ingest.logs.templates import Template, TemplateError, compile_template

READERS = ("iterations", "printed dictionaries", "MLPerf events")
TEXT, TEXTS, TRUTH, WHOLE = "a text", "a list of texts", "true or false", "a whole number of at least 0"
DIALECT_KEYS = {"name": TEXT, "library": TRUTH, "reader": TEXT, "form": "[[form]] tables"}
FORM_KEYS = {
    "name": TEXT, "purpose": TEXT, "lines": TEXTS, "contains": TEXTS, "fields": TEXT, "separator": TEXT, "assign": TEXT,
    "names": "a table", "texts": TEXTS, "name_prefix": TEXT, "name_suffix": TEXT, "verbatim": TRUTH,
    "iteration_fields": TEXTS, "first_iteration": WHOLE, "joins_next": TRUTH, "last_counts": TRUTH,
    "field_ahead": TRUTH, "continued": TRUTH, "excludes": TEXTS, "whole": TRUTH, "closing": TEXT, "drops": TEXT,
}  # fmt: skip
PLAIN_KEYS = ("name_prefix", "name_suffix", "verbatim", "first_iteration", "joins_next", "last_counts", "field_ahead",
              "continued", "whole", "drops", "closing")  # fmt: skip


@lru_cache(maxsize=1)
def load_built_in_dialects() -> tuple[Dialect, ...]:
    """Return the dialects of the package, in the order of their names."""
    directory = files(__package__) / "dialects"
    found = [each for each in directory.iterdir() if each.name.endswith(".toml")]
    dialects = [parse_dialect(each.read_text("utf-8"), each.name) for each in found]
    return tuple(sorted(dialects, key=lambda dialect: dialect.name.lower()))


def load_dialects(directory: Path | None) -> tuple[Dialect, ...]:
    """Return the dialects of a directory's ``*.toml`` files and those of the package, which a file may replace.

    Raises ConfigError, which names file, form and key.
    """
    if directory is None:
        return load_built_in_dialects()
    own = [_load_file(path) for path in _list_files(directory)]
    names = [dialect.name for dialect in own]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"{directory}: two files have a dialect named {name!r}")
    return (*own, *(each for each in load_built_in_dialects() if each.name not in names))


def _list_files(directory: Path) -> Sequence[Path]:
    try:
        return sorted(path for path in directory.iterdir() if path.name.endswith(".toml"))
    except OSError as error:
        raise ConfigError(
            f"{directory}: imports.dialects: expected a directory of TOML files that can be read ({error.strerror})"
        ) from None


def _load_file(path: Path) -> Dialect:
    try:
        return parse_dialect(path.read_text("utf-8"), str(path))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8 text") from None


def parse_dialect(text: str, where: str) -> Dialect:
    """Return the dialect declared in a TOML text. Raises ConfigError, which names ``where``, form and key."""
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{where}: is not valid TOML: {error}") from None
    _check_keys(table, DIALECT_KEYS, where, needed=("name", "form"))
    reader = table.get("reader", READERS[0])
    if reader not in READERS:
        raise ConfigError(f"{where}: reader: expected one of {', '.join(READERS)}")
    forms = table["form"]
    if not isinstance(forms, list) or not forms or not all(isinstance(form, dict) for form in forms):
        raise ConfigError(f"{where}: form: expected one [[form]] table or more")
    read = tuple(_read_form(form, where, index) for index, form in enumerate(forms, 1))
    if not any(form.reports for form in read):
        raise ConfigError(f"{where}: form: none has the purpose report, so no iteration would ever be found")
    return Dialect(table["name"], read, table.get("library", False), reader)


def _read_form(table: Mapping[str, Any], where: str, index: int) -> Form:
    name = table.get("name")
    where = f"{where}: form {name if isinstance(name, str) else index}"
    _check_keys(table, FORM_KEYS, where, needed=("name", "lines"))
    purpose = table.get("purpose", Purpose.REPORT.value)
    if purpose not in set(Purpose):
        raise ConfigError(f"{where}: purpose: expected one of {', '.join(Purpose)}")
    try:
        names = read_names(table.get("names", {}))
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from None
    form = Form(
        name=table["name"],
        templates=_read_templates(table["lines"], where),
        purpose=Purpose(purpose),
        splitter=_read_splitter(table, where),
        contains=tuple(table.get("contains", ())),
        excludes=tuple(table.get("excludes", ())),
        names=names,
        texts=frozenset(table.get("texts", ())),
        iteration_fields=tuple(table.get("iteration_fields", ())),
        **{key: table[key] for key in PLAIN_KEYS if key in table},
    )
    _check_iteration(form, where)
    return form


def _read_templates(lines: Sequence[str], where: str) -> tuple[Template, ...]:
    if not lines:
        raise ConfigError(f"{where}: lines: expected one template or more")
    templates = []
    for line in lines:
        try:
            templates.append(compile_template(line))
        except TemplateError as error:
            raise ConfigError(f"{where}: lines: {line!r}: {error}") from None
    return tuple(templates)


def _read_splitter(table: Mapping[str, Any], where: str) -> Splitter:
    named = table.get("fields")
    if named is not None:
        if named not in NAMED_SPLITTERS or "separator" in table or "assign" in table:
            expected = ", ".join(NAMED_SPLITTERS)
            raise ConfigError(f"{where}: fields: expected one of {expected}, and neither separator nor assign")
        return NAMED_SPLITTERS[named]
    separator, assign = table.get("separator", "|"), table.get("assign", ":")
    if not separator or not assign or separator == assign:
        raise ConfigError(f"{where}: separator and assign: expected two different texts, none of them empty")
    return split_by(separator, assign)


def _check_iteration(form: Form, where: str) -> None:
    for template in form.templates:
        found = {part.name for part in template.parts if hasattr(part, "name")}
        counted = found & {"epoch", "batch", "batches"}
        if "batch" in found and counted != {"epoch", "batch", "batches"}:
            raise ConfigError(f"{where}: lines: {template.text!r}: {{batch}} needs {{epoch}} and {{batches}} beside it")
        if form.purpose in {Purpose.HEADING, Purpose.PROGRESS} and "iteration" not in found:
            raise ConfigError(f"{where}: lines: {template.text!r}: the purpose {form.purpose} needs {{iteration}}")


def _check_keys(table: Mapping[str, Any], known: Mapping[str, str], where: str, *, needed: Sequence[str]) -> None:
    for key, value in table.items():
        if key not in known:
            raise ConfigError(f"{where}: {key}: is not a key of it; expected one of {', '.join(known)}")
        if not _is(value, known[key]):
            raise ConfigError(f"{where}: {key}: expected {known[key]}")
    for key in needed:
        if key not in table:
            raise ConfigError(f"{where}: {key}: is missing; expected {known[key]}")


def _is(value: Any, kind: str) -> bool:
    if kind == TEXT:
        return isinstance(value, str)
    if kind == TEXTS:
        return isinstance(value, list) and all(isinstance(each, str) and each for each in value)
    if kind == TRUTH:
        return isinstance(value, bool)
    if kind == WHOLE:
        return type(value) is int and value >= 0
    return True
