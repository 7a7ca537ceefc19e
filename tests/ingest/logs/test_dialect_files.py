"""Dialects of an operator: how they are loaded, and the errors of invalid ones."""

import re
import textwrap
from pathlib import Path

import pytest

from lens_perf.errors import ConfigError
from lens_perf.ingest.assembly import assemble
from lens_perf.ingest.logs.dialect_files import (
    DIALECT_KEYS,
    FORM_KEYS,
    load_built_in_dialects,
    load_dialects,
    parse_dialect,
)
from lens_perf.ingest.logs.options import LogOptions
from lens_perf.ingest.logs.reader import read_log
from lens_perf.ingest.logs.templates import PLACEHOLDERS, TemplateError, compile_template
from lens_perf.ingest.read_summary import ReadSummary
from tests.faults import closed

DOCS = Path(__file__).parents[3] / "docs"

MINIMAL = """
name = "Mine"
[[form]]
name = "step line"
lines = ["epoch {epoch} it {iteration}/{target}: {fields}"]
separator = ","
assign = "="
"""


def test_a_directory_adds_dialects_and_may_replace_one(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(MINIMAL)
    (tmp_path / "torchtitan.toml").write_text(MINIMAL.replace("Mine", "torchtitan"))
    (tmp_path / "notes.txt").write_text("not a dialect")
    names = [dialect.name for dialect in load_dialects(tmp_path)]
    built_in = {dialect.name for dialect in load_built_in_dialects()}
    assert set(names) == built_in | {"Mine"}
    assert len(names) == len(set(names))


def test_no_directory_is_the_built_in_dialects() -> None:
    assert load_dialects(None) is load_built_in_dialects()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('name = "Mine"', "", "mine.toml: name: is missing"),
        ('name = "Mine"', 'name = "Mine"\\ncolour = 1', "colour: is not a key of it; expected one of name"),
        ("separator", "seperator", "form step line: seperator: is not a key of it"),
        ('lines = ["epoch {epoch} it {iteration}/{target}: {fields}"]', "lines = []", "lines: expected one template"),
        ("{target}", "{totl}", "{totl}: is not a placeholder; expected one of iteration"),
        ("{target}", "{any}{any}", "{any}: expected literal text behind it"),
        ("{target}", "{iteration}", "has a placeholder twice"),
        ("{target}", "{=goal}", "{=goal}: no {goal} is before it"),
        ("{target}", "{target loss}", "only a value has the name of its field"),
        ("{target}", "{value}", "only a value has the name of its field"),
        ("{target}", "{", "character 30: a brace must be doubled"),
        (": {fields}", " {fields} end", "{fields} must stand at the end"),
        ('"epoch {epoch} it {iteration}/{target}: {fields}"', '"{iteration}{fields}"', "expected some literal text"),
        (
            '"epoch {epoch} it {iteration}/{target}: {fields}"',
            '" {iteration} of {fields}"',
            "must not begin with blanks",
        ),
        ('separator = ","', 'separator = "="', "expected two different texts"),
        ('separator = ","', "separator = 5", "separator: expected a text"),
        ('separator = ","', 'purpose = "noise"', "purpose: expected one of report, evaluation"),
        ('separator = ","', 'purpose = "timers"', "purpose: expected one of"),
        ('separator = ","', 'purpose = "evaluation"', "none has the purpose report"),
        ('separator = ","', 'fields = "YAML"', "fields: expected one of python dictionary, JSON object"),
        ('separator = ","', "first_iteration = -1", "first_iteration: expected a whole number of at least 0"),
        ('separator = ","', 'verbatim = "yes"', "verbatim: expected true or false"),
        ('separator = ","', 'contains = "x"', "contains: expected a list of texts"),
        ('separator = ","', "names = { loss = 5 }", "names.'loss': expected a metric's name"),
        ('separator = ","', 'names = { loss = { name = "x", factor = 0.5 } }', "names.'loss': expected"),
        ("it {iteration}", "it {batch}", "{batch} needs {epoch} and {batches} beside it"),
        ("[[form]]", "[form]", "form: expected one [[form]] table or more"),
        ('name = "Mine"', "name = ", "is not valid TOML"),
        ('name = "Mine"', 'name = "Mine"\\nreader = "magic"', "reader: expected one of iterations"),
    ],
)
def test_errors_name_file_form_and_key(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in MINIMAL
    path = tmp_path / "mine.toml"
    path.write_text(MINIMAL.replace(old, new.replace("\\n", "\n"), 1))
    with pytest.raises(ConfigError) as caught:
        load_dialects(tmp_path)
    assert words in caught.value.message
    assert caught.value.message.startswith(f"{path}: ")


def test_directories_that_cannot_be_used(tmp_path: Path) -> None:
    directory = tmp_path / "dialects"
    directory.mkdir()
    for path, reason in ((tmp_path / "nowhere", "No such file or directory"), (Path(__file__), "Not a directory")):
        with pytest.raises(ConfigError, match=rf"expected a directory of TOML files that can be read \({reason}\)"):
            load_dialects(path)
    for path in (directory, directory / "below"):
        with closed(directory), pytest.raises(ConfigError, match=r"\(Permission denied\)"):
            load_dialects(path)
    for name in ("a.toml", "b.toml"):
        (tmp_path / name).write_text(MINIMAL)
    with pytest.raises(ConfigError, match="two files have a dialect named 'Mine'"):
        load_dialects(tmp_path)
    (tmp_path / "b.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        load_dialects(tmp_path)


def test_values_within_a_line() -> None:
    dialect = parse_dialect(
        'name = "x"\n[[form]]\nname = "line"\nlines = ["it {iteration} loss is {value loss}, lr {value lr}"]', "x.toml"
    )
    line = dialect.read("2026 it 5 loss is  1.5 , lr 1e-3 (warm up)")
    assert line is not None
    assert (line.prefix, line.iteration, line.fields) == ("2026 ", 5, [("loss", "1.5"), ("lr", "1e-3")])


@pytest.mark.parametrize(
    ("template", "text", "matches"),
    [
        ("step {iteration}/ {target} | {fields}", "step    5/   10| a: 1", True),
        ("step {iteration} {fields}", "global_step 5 a", False),
        ("step {iteration} {fields}", "step 5a", False),
        ("step {iteration} {fields}", "step x step 5 a", True),
        ("{done}/{=done} of {fields}", " 5/5 of a", True),
        ("{done}/{=done} of {fields}", " 4/5 of a", False),
        ("{done}/{=done} of {fields}", "x 5/5 of a", False),
        ("{{{fields}", "x {a", True),
        ("at {label} | {fields}", "at the end | a", True),
        ("at {label} | {fields}", "at the end", False),
        ("step {iteration} {fields}", "step x " * 8 + "step 5 a", False),
    ],
)
def test_templates(template: str, text: str, matches: bool) -> None:
    assert (compile_template(template).match(text) is not None) is matches


def test_a_template_is_not_a_regular_expression() -> None:
    template = compile_template("(a+)+ .* {iteration}")
    assert template.match("(a+)+ .* 5") is not None
    assert template.match("aaa b 5") is None
    with pytest.raises(TemplateError):
        compile_template("")


def test_the_example_of_the_documentation() -> None:
    page = (DOCS / "dialects.rst").read_text("utf-8")
    blocks = [textwrap.dedent(block) for block in re.findall(r"(?<=\n\n)(?: {4}[^\n]*\n|\n(?= {4}))+", page)]
    log = next(block for block in blocks if block.startswith("2026-02-01"))
    toml = next(block for block in blocks if block.startswith('name = "trainlab"'))
    chunks, summary = [log.encode()], ReadSummary()
    (record,) = assemble(read_log(chunks, summary, LogOptions(dialects=(parse_dialect(toml, "page"),))), summary)
    assert record is not None
    assert (record.iteration, set(record.performance)) == (1, {
        "lm_loss", "elapsed_time_per_iteration_ms", "mem_gib", "mem_percent", "target_iteration", "validation_lm_loss",
        "validation_ppl",
    })  # fmt: skip


def test_the_documentation_lists_every_key_placeholder_and_dialect() -> None:
    page = (DOCS / "dialects.rst").read_text("utf-8")
    keys = {*FORM_KEYS, *DIALECT_KEYS} - {"form"}
    assert {key for key in keys if f"``{key}``" not in page} == set()
    assert {name for name in PLACEHOLDERS if f"``{{{name}" not in page} == set()
    table = (DOCS / "importing.rst").read_text("utf-8").partition("dialect                programs")[2]
    names = [dialect.name for dialect in load_built_in_dialects()]
    assert re.findall(r"^(\w[\w .-]*?)  +", table, re.MULTILINE)[: len(names)] == names
