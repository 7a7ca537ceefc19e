"""Names data sources in lists: an empty string for NULL, because the contract requires strings."""

from collections.abc import Iterable


def name_source(stored: str | None) -> str:
    """Return the name of a data source, empty for NULL. No data source of the contract has an empty name."""
    return "" if stored is None else stored


def count_by_source(counts: Iterable[tuple[str | None, int]]) -> list[tuple[str, int]]:
    """Return (name of the data source, sum of its counts), the highest first, then by name."""
    sums: dict[str, int] = {}
    for source, count in counts:
        name = name_source(source)
        sums[name] = sums.get(name, 0) + count
    return sorted(sums.items(), key=lambda item: (-item[1], item[0]))
