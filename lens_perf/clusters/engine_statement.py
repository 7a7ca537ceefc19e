"""Finds whether a database uses Citus, which needs other statements."""

from collections.abc import Mapping
from typing import Any, Protocol


class Transaction(Protocol):
    """The methods of a transaction that are used here."""

    def fetch_all(self, statement: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Return all rows of ``statement``."""


SELECT_ENGINE = """
/* lens_perf: select_engine */
SELECT count(*) > 0 AS is_citus
FROM pg_extension
WHERE extname = 'citus'
ORDER BY is_citus
"""


def has_citus(transaction: Transaction) -> bool:
    """Return whether the extension is installed in the database."""
    ((is_citus,),) = transaction.fetch_all(SELECT_ENGINE, {})
    return bool(is_citus)
