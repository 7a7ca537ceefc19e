"""Says where a TOML text is not valid, without repeating any of it: it may contain passwords."""

import re

PLACE = re.compile(r"\(at (?:line \d+, column \d+|end of document)\)")


def describe_place(error: Exception) -> str:
    """Return the place that the message of a TOMLDecodeError names, after a space; empty if it names none."""
    place = PLACE.search(str(error))
    return f" {place.group()}" if place else ""
