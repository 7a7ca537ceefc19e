"""The statements that read data points from the table. A row is a record.

Columns: the JSON text of each value, milliseconds since 1970, iteration, JSON text of the data source, serial.
"""

from collections.abc import Sequence
from typing import Any

from lens_perf.performance.metric_fields import WANDB, WANDB_METADATA_FIELDS
from lens_perf.performance.selection import Selection
from lens_perf.performance.statements import (
    COPY_FORMAT,
    IN_IDS,
    IN_RANGES,
    RECORDS,
    SOURCE_JSON,
    TIMESTAMP,
    RowSink,
    Transaction,
)

IS_NOT_WANDB = f"data_source::text IS DISTINCT FROM '{WANDB}'"
IN_SERIALS = "(%(any_serial)s OR serial = ANY (%(serials)s::int[]))"


def copy_named_values(
    transaction: Transaction,
    selection: Selection,
    names: Sequence[str],
    sink: RowSink,
    *,
    serials: Sequence[int] = (),
    with_serial: bool = False,
) -> None:
    """Copy the values of the metrics ``names`` of each record that has any of them, by (created_at, id)."""
    statement = _write_copy_named_values(names, with_serial=with_serial)
    bound = {f"name_{index}": name for index, name in enumerate(names)}
    transaction.copy_out(statement, {**selection.parameters(), **_bind_serials(serials), **bound}, sink)


def _write_copy_named_values(names: Sequence[str], *, with_serial: bool) -> str:
    values = ", ".join(f"({_select_value(index, name)})::text AS value_{index}" for index, name in enumerate(names))
    has_any = " OR ".join(f"performance ? %(name_{index})s" for index in range(len(names)))
    # The values are computed below the sort, where parallel workers can do it.
    return f"""
/* lens_perf: copy_named_values */
COPY (
    SELECT {_list_columns(len(names), with_serial=with_serial)}
    FROM (
        SELECT created_at, id, {values}, {TIMESTAMP} AS timestamp, iteration, {SOURCE_JSON} AS source_json, serial
        {RECORDS}
        AND {IN_RANGES}
        AND {IN_IDS}
        AND {IN_SERIALS}
        AND ({has_any})
        ORDER BY created_at, id
    ) AS record
    ORDER BY created_at, id
) TO STDOUT WITH {COPY_FORMAT}
"""


def _select_value(index: int, name: str) -> str:
    """Return the SQL for the value of the metric bound as ``name_<index>``, as JSONB; NULL if it is hidden."""
    value = f"performance->%(name_{index})s"
    return f"CASE WHEN {IS_NOT_WANDB} THEN {value} END" if name in WANDB_METADATA_FIELDS else value


def _list_columns(values: int, *, with_serial: bool) -> str:
    names = [*(f"value_{index}" for index in range(values)), "timestamp", "iteration", "source_json"]
    return ", ".join([*names, "serial"] if with_serial else names)


def _bind_serials(serials: Sequence[int]) -> dict[str, Any]:
    return {"any_serial": not serials, "serials": list(serials)}


def copy_iteration_times(
    transaction: Transaction,
    selection: Selection,
    sink: RowSink,
    *,
    serials: Sequence[int] = (),
    with_serial: bool = False,
    by_serial: bool = False,
) -> None:
    """Copy ``iteration`` and ``target_iteration`` of the earliest record of each iteration, by iteration.

    With ``by_serial``, it is the earliest of each iteration and attempt, by iteration and serial. The ranges of
    ``selection`` select among these records.
    """
    statement = _write_copy_iteration_times(with_serial=with_serial, by_serial=by_serial)
    transaction.copy_out(statement, {**selection.parameters(), **_bind_serials(serials)}, sink)


def _write_copy_iteration_times(*, with_serial: bool, by_serial: bool) -> str:
    keys = "iteration, serial" if by_serial else "iteration"
    return f"""
/* lens_perf: copy_iteration_times */
COPY (
    SELECT {_list_columns(2, with_serial=with_serial)}
    FROM (
        SELECT iteration, iteration::text AS value_0, target::text AS value_1, {TIMESTAMP} AS timestamp,
            {SOURCE_JSON} AS source_json, serial
        FROM (
            SELECT DISTINCT ON ({keys}) iteration, created_at, id, data_source, serial,
                performance->'target_iteration' AS target
            {RECORDS}
            AND iteration IS NOT NULL
            AND {IN_SERIALS}
            ORDER BY {keys}, created_at, id
        ) AS earliest
        WHERE {IN_RANGES}
    ) AS record
    ORDER BY record.iteration{", record.serial" if by_serial else ""}
) TO STDOUT WITH {COPY_FORMAT}
"""
