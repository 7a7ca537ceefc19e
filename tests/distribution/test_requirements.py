"""requirements.txt is what constraints.txt and setup.cfg say, each file of it by its hash."""

import configparser
import re

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


def test_everything_that_the_service_requires_is_there() -> None:
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg", "utf-8")
    required = {
        normalise(re.split(r"[<>=!~;\[ ]", line)[0])
        for line in settings["options"]["install_requires"].split("\n")
        if line
    }
    pinned = {name for name, *_ in PACKAGE.findall((ROOT / "requirements.txt").read_text("utf-8"))}
    assert required <= pinned
