"""Reasons in words: each feature's template, filled with the values of a row.

A template is plain text with fields: `{value}`, `{typical}` (the training median, or the most frequent category), the
name of any other feature of the row, as in "last visit {value} ago; usually comes every {gap_mean}", that feature's
usual value (`{gap_mean.typical}`), and for a category `{share}`: how many of all training rows have it, too. Its
clauses are parted by "; ": one with a value that is not known is left out. `{gap_mean_90d:visits_90d>=4}` is known from
4 visits on only: fewer say nothing of a habit. A clause "missing: ..." is written where the value itself is. What is
written is plain text: escaping belongs to the page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from string import Formatter
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike, NDArray

from ..language.declarations import FeatureColumn
from ..models.encoding import LEVELS, Profile
from .reasons import Positions, take, text_by_feature
from .values import clean, format_numbers, format_texts

LONGEST = 200  # characters of a reason
_UNKNOWN, _MISSING = "not known", "missing: "
_DEFAULT = "{definition}: {value}; typically {typical}"
_TYPICAL = ".typical"  # behind the name of another feature
_TIDY = (("every 1 day", "every day"), ("every less than a day", "more than once a day"))
_NO_NOUNS = {"was", "is", "this", "has", "as", "its", "does"}
Values = Callable[[str], pa.Array]  # the column of a feature, for the rows in question


@dataclass(frozen=True)
class _Piece:
    """A stretch of text and the field behind it; `singular` is the text if the field before it is a bare 1."""

    text: str
    singular: str
    field: str | None
    count: str | None = None  # a feature that must be at least `least`, lest the field say more than is known
    least: int = 0


class ReasonWriter:
    """Writes reasons for the features of one model.

    `quantiles` are the model's (feature name -> training quantiles at LEVELS, or counts of categories), `currency` is
    printed behind money and may be empty. With `missing` (feature name -> share of missing values in training) it is
    said how usual it is that a feature is not known.
    """

    def __init__(
        self,
        columns: Sequence[FeatureColumn],
        quantiles: Mapping[str, Profile],
        currency: str = "",
        missing: Mapping[str, float] | None = None,
    ) -> None:
        self.columns = tuple(columns)
        self.currency = currency
        self._by_name = {column.name: column for column in columns}
        self._missing = dict(missing or {})
        self._shares = {column.name: self._shares_of(column, quantiles.get(column.name)) for column in columns}
        self._typical = {column.name: self._typical_value(column, quantiles.get(column.name)) for column in columns}
        self._clauses = {column.name: self._parse(column) for column in columns}
        self._without = {column.name: self._without_value(column) for column in columns}

    def write(self, name: str, row: Mapping[str, Any]) -> str:
        """The reason of one feature, from the values of one row by feature name (None or NaN: missing)."""
        return str(self._texts(name, lambda other: pa.array([row.get(other)], from_pandas=True))[0].as_py())

    def write_batch(self, table: pa.Table, features: Positions) -> list[pa.StringArray]:
        """Reasons for many rows: features (n, k) holds positions in `columns`, -1 for none; k arrays of n strings."""

        def write(position: int, rows: pa.Array) -> pa.Array:
            return self._texts(self.columns[position].name, lambda other: take(table, other, rows))

        return text_by_feature(features, write)

    @staticmethod
    def effect(contribution: float) -> str:
        """What a contribution does."""
        if contribution == 0:
            return "does not move the score"
        return "raises the score" if contribution > 0 else "lowers the score"

    def typical(self, name: str) -> str | None:
        """The usual value of a feature in training, with its unit; None where all were missing."""
        return self._typical[name]

    # -------------------------------------------------------------------------------- inside
    def _texts(self, name: str, values: Values) -> pa.Array:
        column = self._by_name[name]
        own = self._format(column, values(name))
        texts = pa.nulls(len(own), pa.string())
        for clause in self._clauses[name]:
            pieces: list[Any] = [pa.repeat("", len(own))]
            before = None
            for piece in clause:
                if before is not None and piece.singular != piece.text:
                    pieces.append(pc.if_else(pc.equal(before, "1"), piece.singular, piece.text))
                else:
                    pieces.append(piece.text)
                if piece.field is not None:
                    before = own if piece.field == "value" else self._field(piece.field, name, values)
                    if piece.count is not None:
                        enough = pc.greater_equal(values(piece.count), piece.least)
                        before = pc.if_else(pc.fill_null(enough, False), before, pa.scalar(None, pa.string()))
                    pieces.append(before)
            part = pc.binary_join_element_wise(*pieces, "")  # missing where one of its values is
            texts = pc.coalesce(pc.binary_join_element_wise(texts, part, "; "), texts, part)
        for awkward, plain in _TIDY:
            texts = pc.replace_substring(texts, awkward, plain)
        by_itself = pc.binary_join_element_wise(f"{_definition(column)}: ", own, "")  # where all else is not known
        texts = pc.if_else(pc.is_valid(own), pc.coalesce(texts, by_itself), pa.scalar(None, pa.string()))
        return _cut(pc.fill_null(texts, self._without[name]))

    def _without_value(self, column: FeatureColumn) -> str:
        """What is written of a feature that is missing."""
        said = [clause for clause in column.words.split("; ") if clause.startswith(_MISSING)]
        if said:
            return said[0].removeprefix(_MISSING)
        text, share = f"{self._called(column)}: {_UNKNOWN}", self._missing.get(column.name)
        if share is None:
            return text
        usual = format_numbers(np.array([share]), "share", "")[0].as_py()
        return f"{text}, as for {usual} of all" if share > 0 else f"{text}, though it was for all in training"

    def _called(self, column: FeatureColumn) -> str:
        """What a feature without a value is called: the X of a template "X: {value}", else its definition."""
        first = self._clauses[column.name][0][0]
        named = first.text.endswith(": ") and first.field == "value"
        return first.text.removesuffix(": ") if named else _definition(column)

    def _field(self, field: str, name: str, values: Values) -> Any:
        if field == "typical":
            return pa.scalar(self._typical[name], pa.string())
        if field == "share":
            return self._share(name, values(name))
        if field.endswith(_TYPICAL):
            return pa.scalar(self._typical[field.removesuffix(_TYPICAL)], pa.string())
        return self._format(self._by_name[field], values(field))

    def _shares_of(self, column: FeatureColumn, profile: Profile | None) -> dict[str, float] | None:
        """Share of all training rows, those where it is missing among them, of each category; None for a number."""
        if not isinstance(profile, Mapping) or not any(profile.values()):
            return None
        known = (1 - self._missing.get(column.name, 0.0)) / sum(profile.values())
        return {category: count * known for category, count in profile.items()}

    def _share(self, name: str, categories: pa.Array) -> pa.Array:
        """How many of all have each row's category, as a text; none of a number, nor where the category is missing."""
        shares = self._shares[name]
        if shares is None:
            return pa.nulls(len(categories), pa.string())
        place = pc.index_in(categories.cast(pa.string()), value_set=pa.array(list(shares), pa.string()))
        texts = format_numbers(np.array([*shares.values(), 0.0]), "share", "")
        return texts.take(pc.fill_null(place, len(shares)))  # training never saw it: 0 %

    def _format(self, column: FeatureColumn, values: pa.Array) -> pa.Array:
        if column.kind == "category":
            return format_texts(values.cast(pa.string()))
        numbers = np.asarray(values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), np.float64)
        return format_numbers(numbers, column.unit, self.currency)

    def _typical_value(self, column: FeatureColumn, profile: Profile | None) -> str | None:
        if profile is None:
            return None
        if isinstance(profile, Mapping):
            return clean(max(profile, key=lambda value: profile[value]), 60) if profile else None
        text: str | None = format_numbers(
            np.array([profile[LEVELS.index(0.5)]], np.float64), column.unit, self.currency
        )[0].as_py()
        return text

    def _parse(self, column: FeatureColumn) -> list[list[_Piece]]:
        """The clauses of a feature's template less those that name a feature we lack; the default if none is left."""
        known = {"value", "typical", "share", *self._by_name}
        kept = [clause for clause in column.words.split("; ") if clause and _fields(clause) <= known]
        kept = [clause for clause in kept if not clause.startswith(_MISSING)]
        if not kept:
            kept = _DEFAULT.replace("{definition}", re.sub("([{}])", r"\1\1", _definition(column))).split("; ")
        clauses = []
        for clause in kept:
            pieces, before = [], None
            for text, field, guard, _ in Formatter().parse(clause):
                count, _, least = (guard or "").partition(">=")
                bare = before is not None and self._is_bare(column if before == "value" else self._by_name.get(before))
                pieces.append(_Piece(text, _singular(text) if bare else text, field))
                if count in self._by_name:
                    pieces[-1] = replace(pieces[-1], count=count, least=int(least))
                before = field
            clauses.append(pieces)
        return clauses

    @staticmethod
    def _is_bare(column: FeatureColumn | None) -> bool:
        return column is not None and column.kind == "number" and column.unit in ("count", "")


class _Calibrator(Protocol):
    def apply(self, raw: ArrayLike) -> NDArray[np.float64]: ...


def probability_without(
    group_contributions: NDArray[np.float64], raw: NDArray[np.float64], calibrator: _Calibrator
) -> NDArray[np.float64]:
    """Calibrated probabilities with the contribution of one group taken away: (n, k) for groups (n, k) and raw (n,)."""
    without = raw[:, None] - group_contributions
    return calibrator.apply(without.ravel()).reshape(without.shape)


def _fields(clause: str) -> set[str]:
    """What a template's fields speak of: features by their names, and what every feature has."""
    return {field.removesuffix(_TYPICAL) for _, field, _, _ in Formatter().parse(clause) if field is not None}


def _definition(column: FeatureColumn) -> str:
    return column.definition or column.name.replace("_", " ")


def _singular(text: str) -> str:
    """Make "visits in" a "visit in", "shops or channels" a "shop or channel"; but "1 of the shops" stays."""
    parts = re.split(r"([A-Za-z]+)", text)  # words stand at the odd places
    if parts[1:2] == ["of"]:
        return text
    for place in range(1, min(len(parts), 6), 2):
        if _is_plural(parts[place]):
            second = place + 4 if parts[place + 2 : place + 3] in (["or"], ["and"]) else place
            for at in {place, second}:
                if _is_plural("".join(parts[at : at + 1])):
                    parts[at] = parts[at][:-3] + "y" if parts[at].endswith("ies") else parts[at][:-1]
            break
    return "".join(parts)


def _is_plural(word: str) -> bool:
    return word.endswith("s") and not word.endswith(("ss", "us")) and word.lower() not in _NO_NOUNS


def _cut(texts: pa.Array) -> pa.Array:
    """Long texts end with an ellipsis after LONGEST characters."""
    long = pc.greater(pc.utf8_length(texts), LONGEST)
    if not pc.any(long).as_py():
        return texts
    shorter = pc.binary_join_element_wise(pc.utf8_slice_codeunits(texts, 0, LONGEST - 1), "…", "")
    return pc.if_else(long, shorter, texts)
