"""CSV files as typed tables: every value is read as text first, and a column gets a narrower type only if all fit.

A sample cannot be trusted with that (row 30,001 may hold the text), and ids such as 007 must stay what they are. So
the types are found over the whole column: an integer must read back as the very same text.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sqlglot import exp, parse_one

from .engine import DuckDBEngine

ZONED = r"\d{2}:\d{2}.*(Z|[+-]\d{2}(:?\d{2})?)$"
"""A time as text that says its own offset from UTC."""

_TYPES = {
    "BIGINT": "CAST(TRY_CAST(x AS BIGINT) AS TEXT) = x",
    "DOUBLE": "TRY_CAST(x AS DOUBLE) IS NOT NULL AND NOT regexp_matches(x, '^[+-]?0[0-9]')",
    "DATE": "TRY_CAST(x AS DATE) IS NOT NULL AND length(x) <= 10",
    "TIMESTAMPTZ": f"TRY_CAST(x AS TIMESTAMPTZ) IS NOT NULL AND regexp_matches(x, '{ZONED}')",
    "TIMESTAMP": f"TRY_CAST(x AS TIMESTAMP) IS NOT NULL AND NOT regexp_matches(x, '{ZONED}')",
    "BOOLEAN": "lower(x) IN ('true', 'false')",
}
"""Types in the order in which they are tried, each with the test that all values must pass."""


def open_csv(engine: DuckDBEngine, name: str, files: Sequence[Path]) -> None:
    """Copy CSV files with a header into the engine, and define a view `name` whose columns have their narrowest types.

    The copy (`<name> as text`) is parsed once; the engine keeps it on disk where it does not fit its memory limit.

    Raises duckdb.Error where the files cannot be read as CSV.
    """
    paths = exp.Array(expressions=[exp.Literal.string(str(file)) for file in files])
    options = {"all_varchar": exp.true(), "union_by_name": exp.true(), "header": exp.true()}
    arguments = [exp.PropertyEQ(this=exp.to_identifier(key), expression=value) for key, value in options.items()]
    reader = exp.Table(this=exp.Anonymous(this="read_csv", expressions=[paths, *arguments]))
    copy = exp.table_(f"{name} as text", quoted=True)
    engine.materialise(copy.name, exp.select("*").from_(reader))
    columns = list(engine.columns(copy.name))
    tests = [
        exp.alias_(_all_fit(column, test), f"{number} {kind}", quoted=True)
        for number, column in enumerate(columns)
        for kind, test in _TYPES.items()
    ]
    fits = engine.arrow(exp.select(*tests).from_(copy)).to_pylist()[0]
    selected: list[exp.Expression] = []
    for number, column in enumerate(columns):
        kinds = [kind for kind in _TYPES if fits[f"{number} {kind}"]]
        quoted = exp.column(column, quoted=True)
        typed = exp.cast(quoted, kinds[0], dialect="duckdb") if kinds else quoted
        selected.append(exp.alias_(typed, column, quoted=True))
    engine.define(name, exp.select(*selected).from_(copy))


def _all_fit(column: str, test: str) -> exp.Expression:
    """True where a column has values and all of them pass the test."""
    every = f"bool_and(CASE WHEN x IS NOT NULL THEN coalesce({test}, false) END)"
    tree = parse_one(f"coalesce({every}, false)", dialect="duckdb")
    return tree.transform(
        lambda node: exp.column(column, quoted=True) if isinstance(node, exp.Column) and node.name == "x" else node
    )
