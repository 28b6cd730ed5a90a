"""Which sums fit into 64 bits, whatever rows are added up: those are kept so, and added up further in less time.

The sum of a column of decimals or whole numbers takes 128 bits. The largest value times the number of rows bounds the
sum of any rows; where it allows, the sums of pieces of time are kept in 18 digits. Values stay the same to the bit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from sqlglot import exp

from .declarations import Group, Mean, Sum, TopShare
from .expressions import number
from .parts import outputs
from .sight import Columns, source_of

_LARGEST = 9e17  # of whole numbers, or of units of the last decimal place


def sums_by_source(groups: Iterable[Group], columns: Columns) -> dict[str, dict[str, str]]:
    """The columns that groups sum, by the table that they read, with the type of 64 bits that their sums may have."""
    found: dict[str, dict[str, str]] = {}
    for group in (group for group in groups if not (group.planned or group.through)):  # those are computed by loops
        summed = {o.measure.column for o in outputs(group) if isinstance(o.measure, Sum | Mean | TopShare)}
        types = {name: _narrow(columns[group.table][name]) for name in sorted(summed)}
        narrow = {name: type_name for name, type_name in types.items() if type_name}
        if narrow:
            found.setdefault(source_of(group, columns), {}).update(narrow)
    return found


def _narrow(type_name: str) -> str:
    """The type of 64 bits for the sum of a column as `total` takes it; empty where there is none."""
    decimal = re.fullmatch(r"DECIMAL\((\d+), ?(\d+)\)", type_name)
    if decimal is not None:
        return f"decimal(18, {decimal[2]})" if int(decimal[1]) <= 18 else ""
    if type_name in ("DOUBLE", "FLOAT"):
        return "decimal(18, 6)"
    return "bigint" if type_name in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT") else ""


def compile_bounds(source: str, names: Sequence[str]) -> exp.Select:
    """One row with a double for each column: the largest value, whatever its sign, times the number of rows."""
    rows = exp.Count(this=exp.Star())
    bounds = [exp.Mul(this=exp.Max(this=exp.Abs(this=number(exp.column(name)))), expression=rows) for name in names]
    return exp.select(*(exp.alias_(bound, name) for bound, name in zip(bounds, names, strict=True))).from_(source)


def that_fit(types: Mapping[str, str], bounds: Mapping[str, float | None]) -> dict[str, str]:
    """Those of the columns whose sums fit; not so where a value is infinite, or is none."""
    found = {}
    for name, type_name in types.items():
        places = int(type_name.rstrip(")").rpartition(", ")[2]) if type_name.startswith("decimal") else 0
        bound = bounds[name]
        if bound is None or bound * 10.0**places < _LARGEST:
            found[name] = type_name
    return found
