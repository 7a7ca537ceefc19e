"""The words that public text avoids, and exceptions with their reasons."""

import re
from collections.abc import Iterator, Mapping

# Each pattern with what to write instead.
DISCOURAGED: Mapping[str, str] = {
    r"tell|tells|telling|told": "return, report, show, list, say",
    r"whoever": "the caller, the user",
    r"glance|glances": "preview",
    r"anew": "again",
    r"a look|looks at|at one look": "check",
    r"stands? still|standing still": "stalled",
    r"thin(?:s|ned|ning)? out": "downsample",
    r"dial|dials|dialled|dialling": "connect",
    r"farewell|tidings": "the concrete thing",
    r"in the way of": "like",
    r"has no data of": "no workload X in cluster Y",
    r"getting on": "progress",
    r"for want of": "because of a lack of",
    r"asks? after|asked after": "probe",
    r"go(?:es|ing)? on (?:for|with|reading|while)": "continue",
    r"time to go|till": "ETA, until",
    r"give or take": "plus or minus",
    r"is away|are away": "cannot be reached",
    r"(?<!here )(?:is|are) no (?!longer|more|different|better|worse)\w+": "is not a ...",
    r"at hand": "available",
    r"what (?:has been )?seen": "checkpoint, cursor",
    r"mends?|mended": "fix",
    r"of late": "recently",
    r"out of their reach": "cannot be requested",
    r"hold up the others|held up": "delay",
    r"as it stands|stand in the|stands? in front": "is",
    r"further ones|all else": "other, everything else",
    r"notation": "encoding",
}

# Text in which a discouraged word is right. The key must be part of the sentence.
EXCEPTIONS: Mapping[str, str] = {
    "there is no": "the usual way to say that something does not exist",
}

PATTERNS = {re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE): instead for pattern, instead in DISCOURAGED.items()}


def find_discouraged(text: str) -> Iterator[str]:
    """Yield a finding for each discouraged word of ``text``, with its context and what to write instead."""
    for pattern, instead in PATTERNS.items():
        for match in pattern.finditer(text):
            context = text[max(0, match.start() - 40) : match.end() + 40].replace("\n", " ")
            if not any(key in context for key in EXCEPTIONS):
                yield f"{match.group()!r} in ...{context}...: write {instead}"
