"""Compares a copy with the table, record by record, in one snapshot."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from lens_perf.performance.columns.field_columns import FIXED, NON_FINITE, OTHER, TEXT, VALUE, list_fields
from lens_perf.performance.columns.manifest import Manifest
from lens_perf.performance.columns.number_text import render
from lens_perf.performance.columns.private_store import PrivateStore
from lens_perf.performance.columns.refresh import Refresher
from lens_perf.performance.columns.rest import read_rest
from lens_perf.performance.columns.source import Changes, SourceSnapshot
from lens_perf.performance.columns.stores import Store


@dataclass(frozen=True)
class Comparison:
    """The numbers of records in the copy, in the table, missing from the copy, only in the copy, and different.

    ``statistics_agree`` is whether the statistics in the manifest are those of the table. ``left_out`` has the names of
    some of the fields beyond ``columns.max_fields``, which are not compared.
    """

    copied: int
    stored: int
    missing: int
    surplus: int
    different: int
    statistics_agree: bool
    left_out: Sequence[str] = ()

    @property
    def is_good(self) -> bool:
        """Whether the copy is equal to the table."""
        return self.statistics_agree and not self.missing + self.surplus + self.different


def compare(refresher: Refresher, snapshot: SourceSnapshot, manifest: Manifest, changes: Changes) -> Comparison:
    """Compare the copy of ``manifest``, which is up to date with ``snapshot``, with a new copy in temporary files.

    Raises OSError, DamagedPartError, and the exceptions of the source.
    """
    fresh = replace(refresher, store=PrivateStore(lambda *_: None))
    if manifest.left_out:
        fresh = replace(fresh, known_fields=manifest.names, most_fields=len(manifest.names))
    try:
        stored = fresh.refresh(snapshot, None, replace(changes, reset=True, unchanged=False))
        ours, theirs = _digest(refresher.store, manifest), _digest(fresh.store, stored)
    finally:
        fresh.store.remove()
    both = ours.join(theirs, on="id", suffix="_stored")
    return Comparison(
        copied=len(ours),
        stored=len(theirs),
        missing=len(theirs) - len(both),
        surplus=len(ours) - len(both),
        different=both.filter(pl.col("digest") != pl.col("digest_stored")).height,
        statistics_agree=(manifest.sources, manifest.fields) == (stored.sources, stored.fields),
        left_out=manifest.left_out,
    )


def _digest(store: Store, manifest: Manifest) -> pl.DataFrame:
    """Return the id and a digest of each record, which does not depend on the layout of the columns."""
    frames = (store.open_part(part).read() for part in manifest.parts)
    parts = [pl.DataFrame({"id": frame["id"], "digest": _digest_records(frame)}) for frame in frames]
    return pl.concat([pl.DataFrame(schema={"id": pl.Int64, "digest": pl.UInt64}), *parts])


def _digest_records(frame: pl.DataFrame) -> npt.NDArray[np.uint64]:
    columns = {series.name: series for series in frame.iter_columns()}
    total = frame.select(*FIXED).hash_rows().to_numpy().copy()
    for name in list_fields(columns):
        texts = {kind: columns[kind + name] for kind in (VALUE, TEXT, NON_FINITE, OTHER) if kind + name in columns}
        if TEXT in texts:
            texts[VALUE] = texts.pop(TEXT)
        for kind, values in texts.items():
            total += _hash(kind + name, render(values) if kind == VALUE else values.cast(pl.String))
    entries = read_rest(frame)
    for kind, part in ((VALUE, "text"), (NON_FINITE, "code"), (OTHER, "other")):
        own = entries.with_columns(_IS_OTHER).drop_nulls(part)
        labels = pl.concat_str(pl.lit(kind), "name", pl.lit("\0"), part)
        np.add.at(total, own["row"].to_numpy(), own.select(labels.hash()).to_series().to_numpy())
    return total


# Entries with other values get the text that an OTHER column has.
_IS_OTHER = pl.when(pl.col("text").is_null() & pl.col("code").is_null()).then(pl.lit("true")).alias("other")


def _hash(label: str, texts: pl.Series) -> npt.NDArray[np.uint64]:
    """Return a hash of the label and each text, 0 for null and for the text "false"."""
    labelled = pl.select(pl.concat_str(pl.lit(label + "\0"), texts)).to_series()
    return labelled.hash().set(texts.is_null() | (texts == "false"), 0).to_numpy()
