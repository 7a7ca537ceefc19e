"""Splits a CSV file with a header into rows; finds the delimiter and the names of the columns."""

import csv
import re
from array import array
from collections import deque
from collections.abc import Iterable, Iterator

from lens_perf.errors import ImportInputError
from lens_perf.ingest.numbers import NUMBER
from lens_perf.ingest.read_summary import Damage, ReadSummary
from lens_perf.ingest.storable_names import NamesApart
from lens_perf.ingest.tables.columns import RawRow

DELIMITERS = (",", "\t", ";", "|")
DELIMITER_WORDS = {"comma": ",", "tab": "\t", "semicolon": ";", "pipe": "|", "space": " "}
BLANKS = " "
BLANKS_WITHIN = re.compile(r"\S\s++\S")
COMMENT = "#"
MOST_COLUMNS = 10_000
# Maximum number of comments above the first row that are tried as its header.
MOST_COMMENTS = 100
# Maximum number of lines of a quoted cell.
MOST_LINES_OF_ROW = 100
# Represents the end of the lines: no line contains a line end.
END = b"\n"


def read_csv_rows(
    lines: Iterable[bytes | None], summary: ReadSummary, path: str, delimiter: str | None = None
) -> Iterator[RawRow | None]:
    """Yield the rows as texts by column, and None where there is no more data for now.

    The delimiter is ``delimiter``, or else the one that gives the header most columns; a space means any number of
    spaces. Another header with more columns may follow, from a program that was restarted or rewrote its file; in the
    latter case repeated rows are skipped. Rows with another number of cells than the header are Damages in ``summary``.
    Raises ImportInputError if the header has one column, or more than 10,000.
    """
    splitter = _RowSplitter(lines, summary, path, delimiter)
    rewriting = _Rewriting()
    names: list[str | None] = []
    header: list[str] = []
    for cells in splitter:
        if cells is None:
            yield None
        elif not header or cells == header or _is_header(cells, header):
            _check_header(cells, path)
            header, names = cells, _name_columns(cells, summary)
            rewriting.start()
        elif len(cells) != len(header):
            splitter.note_damage(f"a row of {len(cells)} cells below a header of {len(header)}")
        else:
            row = {name: cell for name, cell in zip(names, cells, strict=True) if name is not None and cell}
            if rewriting.is_new(row):
                yield row
            else:
                summary.skip("rows written again below another header")


def _check_header(cells: list[str], path: str) -> None:
    if len(cells) == 1:
        raise ImportInputError(f"{path}: its header has one column, {cells[0]!r:.60}: set --delimiter")
    if len(cells) > MOST_COLUMNS:
        raise ImportInputError(f"{path}: its header has {len(cells):,} columns; at most {MOST_COLUMNS:,} are read")


def _is_header(cells: list[str], header: list[str]) -> bool:
    """Return whether a row is another header: only texts, with columns of the previous one."""
    return not set(cells).isdisjoint(header) and not any(NUMBER.fullmatch(cell) for cell in cells)


def _name_columns(cells: list[str], summary: ReadSummary) -> list[str | None]:
    """Return the name of each column, None for one without a name; repeated names are numbered."""
    names: list[str | None] = []
    apart = NamesApart()
    for cell in cells:
        name = apart.take(cell) if cell else None
        if name is None:
            summary.note("a column without a name, as of row numbers, is left out")
        elif name != cell:
            summary.note(f"there are several columns {cell}: the next is {name}")
        names.append(name)
    return names


class _Rewriting:
    """Detects repeated rows of a file that a program rewrites, as Lightning does to add columns."""

    def __init__(self) -> None:
        self._hashes = array("q")
        self._next = 0

    def start(self) -> None:
        """Expect the rows from the first on again."""
        self._next = 0

    def is_new(self, row: RawRow) -> bool:
        """Return whether the row is not the next of the expected repetitions."""
        found = hash(frozenset(row.items()))
        if self._next < len(self._hashes) and self._hashes[self._next] == found:
            self._next += 1
            return False
        self._hashes.append(found)
        self._next = len(self._hashes)
        return True


class _RowSplitter:
    """Iterates over the rows as lists of cells, with None at pauses; skips blank rows and comments."""

    def __init__(self, lines: Iterable[bytes | None], summary: ReadSummary, path: str, delimiter: str | None) -> None:
        self._lines = iter(lines)
        self._waiting: deque[bytes] = deque()
        self._summary = summary
        self._path = path
        self._delimiter = delimiter
        self._byte = self._row_start = 0
        self._comments: deque[str] = deque(maxlen=MOST_COMMENTS)
        self._has_begun = False

    def __iter__(self) -> Iterator[list[str] | None]:
        while (line := self._take_line()) is not END:
            if line is None:
                yield None
                continue
            self._row_start = self._byte
            text = self._decode(line)
            if text.startswith(COMMENT):
                self._comments.append(text.removeprefix(COMMENT))
            elif text.strip():
                yield from self._read_row(text)

    def note_damage(self, finding: str) -> None:
        """Report damage of the row that was yielded last."""
        self._summary.note_damage(Damage(self._path, self._row_start, finding))

    def _take_line(self) -> bytes | None:
        return self._waiting.popleft() if self._waiting else next(self._lines, END)

    def _decode(self, line: bytes) -> str:
        text = line.decode("utf-8", "surrogateescape").rstrip("\r")
        if self._byte == 0:
            text = text.removeprefix("\ufeff")
        self._byte += len(line) + 1
        return text

    def _read_row(self, text: str) -> Iterator[list[str]]:
        """Yield the cells of a row; ahead of the first, also those of a header in a comment, as numpy writes it."""
        if not self._has_begun:
            self._has_begun = True
            if header := self._find_header(text):
                yield header
        if self._delimiter is None:
            self._delimiter = find_delimiter(text)
        if any(cells := self._split(text, self._delimiter)):
            yield cells

    def _find_header(self, row: str) -> list[str]:
        """Return the cells of the last comment with as many as ``row``, a row with numbers; else none."""
        for comment in reversed(self._comments):
            delimiter = self._delimiter or find_delimiter(comment)
            names, values = _split_line(comment, delimiter), _split_line(row, delimiter)
            if any(names) and len(names) == len(values) and any(NUMBER.fullmatch(value) for value in values):
                self._delimiter = delimiter
                return names
        return []

    def _split(self, text: str, delimiter: str) -> list[str]:
        """Return the cells of a row; none if it is damaged, which loses only its first line."""
        if delimiter == BLANKS:
            return text.split()
        more: list[bytes] = []
        try:
            cells = next(csv.reader(self._continue(text, more), delimiter=delimiter, strict=True), [])
        except csv.Error as error:
            self.note_damage(f"a row that is not CSV: {error}")
            self._waiting.extendleft(reversed(more))
            return []
        self._byte += sum(len(line) + 1 for line in more)
        return [cell.strip() for cell in cells]

    def _continue(self, text: str, more: list[bytes]) -> Iterator[str]:
        """Yield a line, and the following ones while a quoted cell continues, and append those to ``more``."""
        yield text + "\n"
        while len(more) < MOST_LINES_OF_ROW and (line := self._take_line()) is not END and line is not None:
            more.append(line)
            yield line.decode("utf-8", "surrogateescape").rstrip("\r") + "\n"


def find_delimiter(header: str) -> str:
    """Return the delimiter that splits a header into most columns, or a space if none does."""
    counts = {delimiter: len(_split_line(header, delimiter)) for delimiter in DELIMITERS}
    best = max(counts, key=lambda delimiter: counts[delimiter])
    return best if counts[best] > 1 else BLANKS if BLANKS_WITHIN.search(header) else ","


def _split_line(line: str, delimiter: str) -> list[str]:
    """Return the cells of a row in one line; none if it is damaged."""
    if delimiter == BLANKS:
        return line.split()
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter, strict=True), [])]
    except csv.Error:
        return []
