"""How one data point is written: as JSON, as a line of CSV, or as fields that are then sorted into columns.

PostgreSQL writes most points itself: ``head`` is the text ahead of a value, ``tail`` the SQL for what follows it. Where
Python writes them, ``tail_template`` takes a record's timestamp, iteration and data source as JSON texts.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from lens_perf.performance.metric_fields import NON_FINITE_TEXTS, SURELY_FINITE_LENGTH, encode_name, is_finite_number

# Between the fields of a point that is to be sorted into columns: JSON text holds no control character.
FIELD = "\x03"
# What spreadsheets take for a formula: https://owasp.org/www-community/attacks/CSV_Injection
FORMULA = ("=", "+", "-", "@")
# Written as JSON has it, or a line would end within a name.
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
CSV_HEADER = "metric_name,value,timestamp,iteration,data_source"

# Floored milliseconds, NULL for an infinite time. date_part is the cheapest, but float64: below 2**51 microseconds (in
# 2041) its error stays under half a microsecond, which round() takes away. Elsewhere the interval since 2000-01-01 is
# exact; extract(epoch FROM timestamptz) is not, for its last decades turn to float64 as well.
TIMESTAMP = """CASE
        WHEN created_at >= '1970-01-01 00:00:00+00' AND created_at < '2041-01-01 00:00:00+00'
            THEN floor(round(date_part('epoch', created_at) * 1000000) / 1000)::bigint
        WHEN isfinite(created_at)
            THEN floor(extract(epoch FROM created_at - timestamptz '2000-01-01 00:00:00+00') * 1000)::bigint
                + 946684800000
    END"""

# What every data point of a record shares, as JSON texts. The usual names of sources need no escaping, which is dear.
DATA_SOURCE_TEXT = """CASE data_source::text
        WHEN 'log' THEN '"log"' WHEN 'wandb' THEN '"wandb"' WHEN 'tensorflow' THEN '"tensorflow"'
        ELSE coalesce(to_json(data_source::text)::text, 'null')
    END"""
TIMESTAMP_TEXT = f"coalesce(({TIMESTAMP})::text, 'null')"
ITERATION_TEXT = "coalesce(iteration::text, 'null')"
# Few pieces, as each joint is a copy: hence the whole last member in each branch.
JSON_TAIL = f"""',"timestamp":' || {TIMESTAMP_TEXT} || ',"iteration":' || {ITERATION_TEXT} || CASE data_source::text
        WHEN 'log' THEN ',"data_source":"log"}}'
        WHEN 'wandb' THEN ',"data_source":"wandb"}}'
        WHEN 'tensorflow' THEN ',"data_source":"tensorflow"}}'
        ELSE ',"data_source":' || coalesce(to_json(data_source::text)::text, 'null') || '}}'
    END"""
# A source of another name than the three is quoted, with the same care as the name of a metric.
CSV_SOURCE_TEXT = """CASE
        WHEN data_source::text IN ('log', 'wandb', 'tensorflow') THEN data_source::text
        ELSE coalesce('"' || CASE WHEN data_source::text ~ '^[-=+@]' THEN '\'\'' ELSE '' END
            || replace(regexp_replace(data_source::text, '[[:cntrl:]]', ' ', 'g'), '"', '""') || '"', '')
    END"""
CSV_TAIL = f"""',' || coalesce(({TIMESTAMP})::text, '') || ',' || coalesce(iteration::text, '') || ','
        || {CSV_SOURCE_TEXT}"""
COLUMNS_TAIL = f"E'\\x03' || {TIMESTAMP_TEXT} || E'\\x03' || {ITERATION_TEXT} || E'\\x03' || {DATA_SOURCE_TEXT}"

NUMBER = rb"-?[0-9.]+"
# Too short to be infinite. Possessive, as what follows is never part of it.
SHORT_NUMBER = rb"[-0-9.]{1,%d}+" % SURELY_FINITE_LENGTH
JSON_NAME = rb'"(?:[^"\\]|\\.)*"'
CSV_NAME = rb'(?:"(?:[^"]|"")*"|[^",]*)'


@dataclass(frozen=True)
class Notation:
    """One way to write a data point.

    ``doubtful`` finds a value in a block of points that may be none, ``point`` takes the value out of one point.
    """

    separator: bytes
    head: Callable[[str], str]
    tail: str
    tail_template: Callable[[bytes, bytes, bytes], bytes]
    doubtful: re.Pattern[bytes]
    point: re.Pattern[bytes]


def is_data_point(value: bytes, *, non_finite: bool) -> bool:
    """Tell whether the JSON text ``value`` is a data point; ``non_finite`` admits the texts for NaN and infinity."""
    if value in NON_FINITE_TEXTS:
        return non_finite
    return re.fullmatch(NUMBER, value) is not None and is_finite_number(value)


def _write_json_head(name: str) -> str:
    return f'{{"metric_name":{encode_name(name)},"value":'


def _write_json_tail(timestamp: bytes, iteration: bytes, data_source: bytes) -> bytes:
    return b',"timestamp":%b,"iteration":%b,"data_source":%b}' % (timestamp, iteration, data_source)


def write_csv_text(text: str) -> str:
    """Return ``text`` as a field of CSV that no spreadsheet takes for a formula."""
    text = CONTROL.sub(lambda match: json.dumps(match.group())[1:-1], text)
    if text.startswith(FORMULA):
        text = "'" + text
    return '"' + text.replace('"', '""') + '"' if re.search("[\",' ]", text) or not text else text


def _write_csv_head(name: str) -> str:
    return write_csv_text(name) + ","


def _write_csv_tail(timestamp: bytes, iteration: bytes, data_source: bytes) -> bytes:
    source = json.loads(data_source)
    fields = timestamp, iteration, b"" if source is None else write_csv_text(source).encode()
    return b"".join(b"," + (b"" if field == b"null" else field) for field in fields)


def _write_columns_head(name: str) -> str:
    return encode_name(name) + FIELD


def _write_columns_tail(timestamp: bytes, iteration: bytes, data_source: bytes) -> bytes:
    return b"\x03%b\x03%b\x03%b" % (timestamp, iteration, data_source)


JSON = Notation(
    separator=b",",
    head=_write_json_head,
    tail=JSON_TAIL,
    tail_template=_write_json_tail,
    # Within the name of a metric, the quotes would be escaped.
    doubtful=re.compile(rb'","value":(?!' + SHORT_NUMBER + rb",)"),
    point=re.compile(rb'\{"metric_name":' + JSON_NAME + rb',"value":(.*),"timestamp":'),
)
NDJSON = replace(JSON, separator=b"\n")
CSV = Notation(
    separator=b"\n",
    head=_write_csv_head,
    tail=CSV_TAIL,
    tail_template=_write_csv_tail,
    doubtful=re.compile(rb"\x02" + CSV_NAME + rb",(?!" + SHORT_NUMBER + rb",)"),
    point=re.compile(CSV_NAME + rb",(" + NUMBER + rb'|"[^"]*")(?:,|\Z)'),
)
COLUMNS = Notation(
    separator=b"\n",
    head=_write_columns_head,
    tail=COLUMNS_TAIL,
    tail_template=_write_columns_tail,
    doubtful=re.compile(rb'"\x03(?!' + SHORT_NUMBER + rb"\x03)"),
    point=re.compile(rb"[^\x03]*\x03([^\x03]*)\x03"),
)
