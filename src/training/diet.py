"""A sensible diet of features: what says nothing in the training rows, or says what another does, is left out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..language.declarations import FeatureColumn
from ..models.encoding import numbers

_MISSING, _CONSTANT, _EQUAL = "missing in every row", "the same in every row", "equal"
_NAMED = 5  # in a line of progress


@dataclass(frozen=True)
class Diet:
    """The features that are kept, in their order, and why each of the others is not, by name."""

    kept: tuple[FeatureColumn, ...]
    dropped: dict[str, str]

    @property
    def text(self) -> str:
        """One line: how many were dropped, and the first of them; empty where none was. The run's diet.json has all."""
        if not self.dropped:
            return ""
        named = "; ".join(f"{name} ({why})" for name, why in list(self.dropped.items())[:_NAMED])
        if len(self.dropped) > _NAMED:
            named += f"; and {len(self.dropped) - _NAMED} more, in diet.json of the run"
        return f"{len(self.dropped)} of {len(self.dropped) + len(self.kept)} features say nothing new: {named}"

    @property
    def in_short(self) -> str:
        """A sentence for a reviewer: how many were dropped, and for what; empty where none was."""
        if not self.dropped:
            return ""
        kinds = [why.split(" to ")[0] for why in self.dropped.values()]  # "equal to x" is one kind
        told = {_MISSING: "missing in every row", _CONSTANT: "the same in every row", _EQUAL: "equal to another one"}
        parts = [f"{kinds.count(kind)} {words}" for kind, words in told.items() if kind in kinds]
        return (
            f"{len(self.dropped)} of {len(self.dropped) + len(self.kept)} features say nothing new in training and are "
            f"left out: {', '.join(parts)}."
        )


def diet(training: pa.Table, columns: Sequence[FeatureColumn]) -> Diet:
    """Drop features that are missing in every training row, have one value in all of them, or equal an earlier one.

    A column of one value with gaps is kept: that it is missing may say something. Equal means in every row, numbers by
    value and missing to missing.
    """
    kept: list[FeatureColumn] = []
    dropped: dict[str, str] = {}
    seen: dict[bytes, str] = {}
    for column in columns:
        content = _numbers(training, column.name) if column.kind == "number" else _words(training, column.name)
        if content.missing == training.num_rows:
            dropped[column.name] = _MISSING
        elif content.is_constant:
            dropped[column.name] = _CONSTANT
        elif content.digest in seen:
            dropped[column.name] = f"{_EQUAL} to {seen[content.digest]}"
        else:
            seen[content.digest] = column.name
            kept.append(column)
    return Diet(tuple(kept), dropped)


@dataclass(frozen=True)
class _Content:
    missing: int
    is_constant: bool
    digest: bytes


def _numbers(table: pa.Table, name: str) -> _Content:
    values = numbers(table, name)
    gaps = np.isnan(values)
    # One NaN and one zero: their many bit patterns would tell equal columns apart.
    plain = np.where(gaps, np.nan, values + 0.0)
    is_constant = not gaps.any() and bool((plain == plain[:1]).all())
    return _Content(int(gaps.sum()), is_constant, hashlib.sha256(np.ascontiguousarray(plain).data).digest())


def _words(table: pa.Table, name: str) -> _Content:
    whole = pa.array(table[name].cast(pa.string()).to_numpy(zero_copy_only=False), pa.string(), from_pandas=True)
    coded = whole.dictionary_encode()  # codes by first appearance
    codes = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False)
    digest = hashlib.sha256(np.ascontiguousarray(codes).data)
    digest.update(repr(coded.dictionary.to_pylist()).encode())
    return _Content(whole.null_count, not whole.null_count and len(coded.dictionary) <= 1, digest.digest())
