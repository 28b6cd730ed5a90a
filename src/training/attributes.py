"""The attributes by which a model is looked at: read beside the rows, and cut into groups large enough to tell.

An attribute need not be a feature: what a model may not use is what a reviewer most wants to see it by.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from ..data.dataset import Dataset
from ..errors import ConfigError
from ..explain.values import clean, format_numbers
from ..language.declarations import FeatureColumn
from ..language.expressions import is_number
from ..tasks.base import Task
from .material import Floats

MISSING = "not known"
MOST_NAMED = 5  # values of a group that are all named
FEWEST = 20  # positives, and others, of a group that is judged by itself
DEFAULT = 4  # attributes that are looked at where none are listed
BINS = 4  # groups of a number


@dataclass(frozen=True)
class Grouped:
    """One attribute's group of every row: `code` (n,) into `names`."""

    attribute: str
    names: tuple[str, ...]
    code: npt.NDArray[np.int64]


def unknown_alike(attributes: Sequence[Grouped]) -> dict[str, tuple[str, ...]]:
    """The attributes whose "not known" are the same rows, under the first of them; the others have an empty entry.

    Who has no row in a table has none of its attributes: such a group is one, and is told once.
    """
    first: dict[bytes, str] = {}
    alike: dict[str, tuple[str, ...]] = {}
    for attribute in attributes:
        if MISSING not in attribute.names:
            continue
        rows = (attribute.code == attribute.names.index(MISSING)).tobytes()
        owner = first.setdefault(rows, attribute.attribute)
        alike.setdefault(attribute.attribute, ())
        alike[owner] = (*alike[owner], attribute.attribute)
    return alike


def check_attributes(data: Dataset) -> None:
    """ConfigError where `fairness` lists what neither customers nor prospects have."""
    known = [name for table in ("customers", "prospects") for name in data.columns.get(table, ())]
    for name in data.config.fairness:
        if name not in known:
            near = difflib.get_close_matches(name, known, 3, cutoff=0.0)
            raise ConfigError(f"`fairness` lists '{name}', which nobody has; close to it: {', '.join(near)}")


def grouped(
    data: Dataset, task: Task, columns: Sequence[FeatureColumn], rows: pa.Table, target: Floats
) -> tuple[Grouped, ...]:
    """The groups of the rows by each attribute of `fairness`, else by the first categories of the profile.

    Values with fewer than 20 positives or 20 others are joined to others; numbers are cut into quarters.
    """
    names = (
        data.config.fairness
        or tuple(column.name for column in columns if column.kind == "category" and column.block == "profile")[:DEFAULT]
    )
    table = _table(task)
    names = tuple(name for name in names if name in data.columns.get(table, ()))
    if not names:
        return ()
    wanted = [exp.column(name, quoted=True) for name in (task.entity, *names)]
    known: pa.Table = data.engine.arrow(exp.select(*wanted).from_(exp.table_(table, quoted=True)))
    ids = known[task.entity].combine_chunks().cast(pa.string())
    place = pc.index_in(rows[task.entity].combine_chunks().cast(pa.string()), value_set=ids)
    found = []
    for name in names:
        values = known[name].combine_chunks().take(place)
        text = _quarters(values) if is_number(data.columns[table][name]) else _texts(values)
        found.append(merge_small(name.replace("_", " "), text, target))
    return tuple(found)


def merge_small(attribute: str, value: npt.NDArray[np.object_], target: Floats) -> Grouped:
    """Groups by value (n,): small ones are joined to neighbours in the order of names until they are large enough.

    None is not known, and stays by itself.
    """
    names, code = np.unique([MISSING if text is None else str(text) for text in value], return_inverse=True)
    positives: Floats = np.bincount(code, target, minlength=len(names)).astype(np.float64)
    others: Floats = np.bincount(code, 1 - target, minlength=len(names)).astype(np.float64)
    known = sorted((i for i in range(len(names)) if names[i] != MISSING), key=lambda i: _natural(str(names[i])))
    large = {i for i in known if min(positives[i], others[i]) >= FEWEST}
    groups = [[i] for i in known if i in large]
    groups += _joined([i for i in known if i not in large], positives, others)
    groups.sort(key=lambda group: known.index(group[0]))
    groups += [[i] for i in range(len(names)) if names[i] == MISSING]
    new = np.zeros(len(names), np.int64)
    for number, group in enumerate(groups):
        new[group] = number
    return Grouped(attribute, tuple(_together([str(names[i]) for i in group]) for group in groups), new[code])


def _joined(small: Sequence[int], positives: Floats, others: Floats) -> list[list[int]]:
    """Neighbours together, each group as soon as it is large enough; what is left over joins the last one."""
    groups, open_group = list[list[int]](), list[int]()
    for i in small:
        open_group.append(i)
        if min(positives[open_group].sum(), others[open_group].sum()) >= FEWEST:
            groups.append(open_group)
            open_group = []
    if open_group and groups:
        groups[-1] += open_group
    elif open_group:
        groups.append(open_group)
    return groups


def _natural(text: str) -> tuple[tuple[bool, float, str], ...]:
    """A key by which "5-9" stands before "15-24", and words behind numbers."""
    parts = re.split(r"(\d+)", text)
    return tuple((not part.isdigit(), float(part) if part.isdigit() else 0.0, part) for part in parts if part)


def _together(names: Sequence[str]) -> str:
    """What a group is called: spellings that a page shows alike are named once, and of many values the first two."""
    shown = list(dict.fromkeys(clean(name, 40) for name in names))
    if len(shown) == 1:
        return shown[0]
    if len(shown) <= MOST_NAMED:
        return f"{', '.join(shown)} together"
    return f"{shown[0]}, {shown[1]} and {len(shown) - 2} more together"


def _table(task: Task) -> str:
    return f"{task.entity.removesuffix('_id')}s"


def _texts(values: pa.Array) -> npt.NDArray[np.object_]:
    return np.asarray(values.cast(pa.string()).to_pylist(), object)


def _quarters(values: pa.Array) -> npt.NDArray[np.object_]:
    """Numbers as "up to 30", "above 30, up to 45" ...: four groups of about equal size."""
    number = np.asarray(values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), np.float64)
    text = np.full(len(number), None, object)
    known = np.flatnonzero(np.isfinite(number))
    if not len(known):
        return text
    edges = np.unique(np.quantile(number[known], np.linspace(0, 1, BINS + 1)[1:-1], method="inverted_cdf"))
    shown = format_numbers(edges, "", "").to_pylist()
    names = [f"up to {shown[0]}", *(f"above {a}, up to {b}" for a, b in pairwise(shown))]
    names.append(f"above {shown[-1]}")
    text[known] = np.array(names, object)[np.searchsorted(edges, number[known], side="left")]
    return text
