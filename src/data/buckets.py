"""Rows split by a hash of their customer's or prospect's id.

bucket = the first 8 hexadecimal digits of md5(id as text), modulo the number of buckets: every engine and language
computes the same, and integer ids do not fall into a pattern.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from sqlglot import exp

from .contract import TABLES
from .convert import sql
from .engine import DuckDBEngine

ROWS_PER_BUCKET = 2_000_000
MOST_BUCKETS = 256


def bucket_of(entity: int | str, buckets: int) -> int:
    """The bucket of an id."""
    return int(hashlib.md5(str(entity).encode(), usedforsecurity=False).hexdigest()[:8], 16) % buckets


def bucket_sql(entity: exp.Expression, buckets: int) -> exp.Expression:
    """The same in DuckDB's SQL."""
    digits = sql("CAST('0x' || substr(md5(CAST(x AS TEXT)), 1, 8) AS BIGINT)", x=entity)
    return sql("coalesce(d, 0) % n", d=digits, n=exp.Literal.number(buckets))


def bucket_count(transactions: int) -> int:
    """How many buckets so many purchase lines call for: about 2 million lines each."""
    return min(max(1, -(-transactions // ROWS_PER_BUCKET)), MOST_BUCKETS)


def owner_of(engine: DuckDBEngine, name: str, view: str) -> exp.Expression | None:
    """The id by which a table's rows are bucketed: its customer, else its prospect; None for tables without one."""
    columns = engine.columns(view)
    there = [column for column in TABLES[name].entity if column in columns]
    owners: list[exp.Expression] = [exp.column(column, quoted=True) for column in there]
    if len(owners) < 2:
        return owners[0] if owners else None
    if len({columns[column] for column in there}) > 1:
        owners = [exp.cast(owner, "text") for owner in owners]
    return exp.Coalesce(this=owners[0], expressions=owners[1:])


def write_table(
    engine: DuckDBEngine, view: str, owner: exp.Expression | None, buckets: int, folder: Path
) -> tuple[Path, ...]:
    """Write a view into a folder, one file a bucket (one file where rows have no owner).

    Rows are sorted by owner and then by all columns, so that the same rows give the same files in whatever order
    they came.
    """
    folder.mkdir(parents=True)
    if owner is None or buckets == 1:
        file = folder / "bucket-0.parquet"
        engine.write(_sorted(engine, exp.table_(view, quoted=True), view, owner), file)
        return (file,)
    parts = folder / "parts"
    tree = exp.select("*", exp.alias_(bucket_sql(owner, buckets), "bucket")).from_(exp.table_(view, quoted=True))
    engine.write_partitions(tree, "bucket", parts)
    files = []
    for bucket in range(buckets):
        pieces = sorted((parts / f"bucket={bucket}").glob("*.parquet"))
        file = folder / f"bucket-{bucket}.parquet"
        if pieces:
            engine.add_files("one bucket", pieces)
            engine.write(_sorted(engine, exp.table_("one bucket", quoted=True), view, owner), file)
            engine.drop("one bucket")
        else:
            engine.write(exp.select("*").from_(exp.table_(view, quoted=True)).where(exp.false()), file)
        files.append(file)
    shutil.rmtree(parts)
    return tuple(files)


def _sorted(engine: DuckDBEngine, rows: exp.Table, view: str, owner: exp.Expression | None) -> exp.Select:
    columns = [exp.column(name, quoted=True) for name in engine.columns(view)]
    order = [exp.Ordered(this=column.copy()) for column in ([owner] if owner is not None else []) + columns]
    return exp.select(*columns).from_(rows).order_by(*order)
