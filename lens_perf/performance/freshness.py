"""What a reader has seen of a workload, as an opaque text: for a cursor of what is new, and for an ETag.

A record that was added or corrected has become visible since the reader's snapshot. One that was corrected has a new id
as well, so a look at the newest ids finds it, but for writers that took an id and have not committed yet: an id counts
as settled when everything that was being written by then has ended. One that was removed is missed in the number of
records, which an ETag therefore holds, too.
"""

import hashlib
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Self

from lens_perf.performance.queries import Transaction
from lens_perf.performance.selection import Selection, Since
from lens_perf.performance.survey_queries import Survey, select_has_new, select_snapshot, select_survey

# A writer takes ids before it shows in snapshots, COPY many at once: so many below the latest one may still be to come.
UNSETTLED_IDS = 10_000
MAX_TOKEN = 2_000
SNAPSHOT = re.compile(r"[0-9]{1,19}:[0-9]{1,19}:(?:[0-9]{1,19}(?:,[0-9]{1,19})*)?")


class NotATokenError(ValueError):
    """The text is none of ours, or of another question."""


@dataclass(frozen=True)
class Seen:
    """What a reader has seen of ``question``, a digest of what was asked."""

    question: str
    snapshot: str
    latest_id: int
    settled_id: int
    records: int

    @classmethod
    def at(cls, question: str, survey: Survey, before: "Seen | None" = None) -> Self:
        """Return what a reader sees who reads now; ``before``, what it had seen, helps to tell what is settled."""
        oldest, next_one = _bounds(survey.snapshot)
        settled = before.settled_id if before else 0
        if oldest == next_one:
            settled = max(settled, survey.latest_id - UNSETTLED_IDS)
        elif before and _bounds(before.snapshot)[1] <= oldest:
            settled = max(settled, before.latest_id - UNSETTLED_IDS)
        return cls(question, survey.snapshot, survey.latest_id, settled, survey.records)

    @classmethod
    def parse(cls, text: str, question: str) -> Self:
        """Return what ``encode`` made a text of. Raises NotATokenError."""
        try:
            if len(text) > MAX_TOKEN or not text.isascii():
                raise NotATokenError
            seen = cls(*json.loads(urlsafe_b64decode(text.encode() + b"==")))
            numbers = seen.latest_id, seen.settled_id, seen.records, *_bounds(seen.snapshot)
        except (ValueError, TypeError, AttributeError, RecursionError):
            raise NotATokenError from None
        if seen.question != question or not all(type(each) is int and 0 <= each < 2**63 for each in numbers):
            raise NotATokenError
        return seen

    def encode(self) -> str:
        """Return a text for ``parse``, of characters that URLs and ETags leave alone."""
        return urlsafe_b64encode(json.dumps(astuple(self), separators=(",", ":")).encode()).decode().rstrip("=")

    def since(self) -> Since:
        """Return which records are new to the reader."""
        return Since(self.snapshot, self.settled_id)

    def is_ahead_of(self, survey: Survey) -> bool:
        """Tell whether it was seen in another history than this one's, as before a restored backup."""
        return _bounds(self.snapshot)[1] > _bounds(survey.snapshot)[1]


def find_unchanged(transaction: Transaction, selection: Selection, known: Sequence[Seen]) -> Seen | None:
    """Return which of ``known`` still is all that there is of the selection's workload, if any is."""
    snapshot = select_snapshot(transaction)
    for seen in known:
        if seen.snapshot == snapshot:
            return seen
    survey = select_survey(transaction, selection)
    alike = (seen for seen in known if seen.records == survey.records and not seen.is_ahead_of(survey))
    return next((seen for seen in alike if not select_has_new(transaction, selection, seen.since())), None)


def digest(*question: object) -> str:
    """Return a short text that tells questions apart."""
    return hashlib.blake2b(json.dumps(question, default=str).encode(), digest_size=9).hexdigest()


def _bounds(snapshot: str) -> tuple[int, int]:
    """Return the oldest transaction at work in a snapshot, and the first that had not begun; the same if none was."""
    if not SNAPSHOT.fullmatch(snapshot):
        raise NotATokenError
    oldest, next_one, at_work = snapshot.split(":")
    ids = [int(oldest), *map(int, filter(None, at_work.split(",")))]
    if ids != sorted(ids) or not 0 < ids[0] <= int(next_one) < 2**63 or (at_work and ids[-1] >= int(next_one)):
        raise NotATokenError
    return ids[0], int(next_one)
