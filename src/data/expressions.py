"""SQL expressions of a configuration, over the columns of one row: parsed, looked up, quoted."""

from __future__ import annotations

from collections.abc import Iterable

import sqlglot
from sqlglot import exp

from ..errors import DataError
from .locations import near


def resolve(text: str, available: Iterable[str]) -> tuple[exp.Expression, set[str]]:
    """What a mapping's text stands for: a source column of exactly that name, else an SQL expression over columns.

    Returns the expression and the source columns in it. Raises DataError: not readable, an unknown column, a query.
    """
    names = list(available)
    if text in names:
        return exp.column(text, quoted=True), {text}
    try:
        tree = sqlglot.parse_one(text, into=exp.Condition, dialect="duckdb")
    except sqlglot.errors.SqlglotError as error:
        raise DataError(f"`{text}` is neither a column of the source nor readable SQL{near(text, names)}") from error
    if isinstance(tree, exp.Column) and not tree.table and _matching(tree.name, names) is None:
        hint = near(tree.name, names) or f"; it has {listed(names)}"
        raise DataError(f"the source has no column {text}{hint}")
    forbidden = (exp.Query, exp.Block, exp.Star, exp.AggFunc, exp.Window)
    if tree.find(*forbidden) is not None:
        raise DataError(f"`{text}` is no plain expression over the columns of one row; use `query:` for anything else")
    touched = set[str]()
    for node in list(tree.find_all(exp.Column)):
        name = node.parts[0].name
        found = _matching(name, names)
        if found is None:
            raise DataError(f"`{text}` names {name}, which the source does not have{near(name, names)}")
        node.parts[0].replace(exp.to_identifier(found, quoted=True))
        touched.add(found)
    return tree, touched


def _matching(name: str, names: list[str]) -> str | None:
    alike = [known for known in names if known.lower() == name.lower()]
    return name if name in names else alike[0] if alike else None


def listed(names: Iterable[str]) -> str:
    """Names for a message, the first dozen of them."""
    known = list(names)
    return ", ".join(known[:12]) + (f" and {len(known) - 12} more" if len(known) > 12 else "")
