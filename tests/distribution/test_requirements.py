"""requirements.txt follows from constraints.txt and setup.cfg, with hashes, and setup.cfg declares every import."""

import ast
import configparser
import re
import sys
from importlib.metadata import packages_distributions

from tests.distribution.commands import ROOT

# One package: its pin, perhaps for some machines only, and its hashes on lines of their own.
PACKAGE = re.compile(
    r"^([a-z0-9-]+)==(\S+)(?: ; [^\\\n]+)? \\\n((?: {4}--hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE
)


def normalise(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_each_requirement_is_pinned_as_in_the_constraints_and_hashed() -> None:
    text = (ROOT / "requirements.txt").read_text("utf-8")
    pinned = {name: version for name, version, _ in PACKAGE.findall(text)}
    assert len(pinned) == text.count("==")
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    constraints = dict(line.split("==") for line in lines if not line.startswith("#"))
    known = {normalise(name): version for name, version in constraints.items()}
    assert {name: known.get(name) for name in pinned} == pinned


def test_all_requirements_of_the_service_are_listed() -> None:
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg", "utf-8")
    required = {
        normalise(re.split(r"[<>=!~;\[ ]", line)[0])
        for line in settings["options"]["install_requires"].split("\n")
        if line
    }
    pinned = {name for name, *_ in PACKAGE.findall((ROOT / "requirements.txt").read_text("utf-8"))}
    assert required <= pinned


def list_declared(section: str, option: str) -> set[str]:
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg", "utf-8")
    lines = [line for line in settings[section][option].split("\n") if line and not line.startswith("#")]
    return {normalise(re.split(r"[<>=!~;\[ ]", line)[0]) for line in lines}


def list_imported() -> set[str]:
    """Return the distributions that the package imports from."""
    modules = set()
    for path in (ROOT / "lens_perf").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                modules |= {each.name.partition(".")[0] for each in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                modules.add(node.module.partition(".")[0])
    foreign = modules - set(sys.stdlib_module_names) - {"lens_perf"}
    known = packages_distributions()
    return {normalise(known[module][0]) for module in foreign}


def test_every_import_is_declared_and_nothing_else() -> None:
    declared = list_declared("options", "install_requires") | list_declared("options.extras_require", "demo")
    assert list_imported() == declared
