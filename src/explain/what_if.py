"""What a score would be with other values: features set by hand, and curves over one feature's values.

Only what is named changes. Features that would change with it in life stay as they are, and so does the calibration:
the answer says how the model sees such a row, not what would happen to a customer who is made to be so.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ..errors import ModelError
from ..language.declarations import FeatureColumn
from ..models.base import Floats
from ..models.encoding import LEVELS
from ..models.scoring_model import ScoringModel
from .contributions import Explainer
from .values import clean, format_numbers

Setting = float | str | None  # None: not known
NEAREST = 5
GRID = 41  # points of a curve over numbers
BEYOND = 0.15  # of the training range that a curve shows on either side
MOST_CATEGORIES = 12
NOT_KNOWN = "not known"


@dataclass(frozen=True)
class Curve:
    """The probability over the values of one feature, all else being equal; None among `values` is a missing one.

    Numbers: `low` to `high` holds 98 % of the training rows and `least` to `most` all of them, None where training had
    no value. `now` is the row's own value and `probability_now` its probability.
    """

    feature: str
    definition: str
    unit: str
    values: tuple[Setting, ...]
    probability: tuple[float, ...]
    now: Setting
    probability_now: float
    low: float | None = None
    high: float | None = None
    least: float | None = None
    most: float | None = None

    @property
    def is_number(self) -> bool:
        """True where the values are numbers."""
        return all(value is None or isinstance(value, float) for value in self.values)


def read_settings(texts: Sequence[str], model: ScoringModel) -> dict[str, Setting]:
    """Values by feature from texts such as "visits_28d=3"; nothing behind the sign means not known.

    ModelError, with the nearest names, for a feature or a category that the model does not know, and for what should
    be a number and is none.
    """
    found: dict[str, Setting] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign:
            raise ModelError(f"'{text}' sets nothing; write FEATURE=VALUE")
        column = find_feature(name.strip(), model.columns)
        found[column.name] = _read_value(column, value.strip(), model)
    return found


def find_feature(name: str, columns: Sequence[FeatureColumn]) -> FeatureColumn:
    """The feature of that name; ModelError with the nearest ones where there is none."""
    by_name = {column.name: column for column in columns}
    if name not in by_name:
        near = difflib.get_close_matches(name, by_name, NEAREST, cutoff=0.0)
        raise ModelError(f"the model has no feature '{clean(name, 60)}'; close to it: {', '.join(near)}")
    return by_name[name]


def with_settings(rows: pa.Table, settings: Mapping[str, Setting]) -> pa.Table:
    """The snapshot rows with some of their features set."""
    for name, value in settings.items():
        place = rows.schema.get_field_index(name)
        was = rows.schema.field(place).type
        kind = pa.float64() if isinstance(value, float) else pa.string() if isinstance(value, str) else was
        rows = rows.set_column(place, name, pa.array([value] * rows.num_rows, kind))
    return rows


def curve(explainer: Explainer, model: ScoringModel, row: pa.Table, name: str) -> Curve:
    """The probability of one row (a table of one) over the values of a feature: numbers on a grid, or categories."""
    column = find_feature(name, model.columns)
    profile = model.quantiles[name]
    limits: dict[str, float | None] = {}
    values: list[Setting]
    if isinstance(profile, Mapping):
        values = [*list(profile)[:MOST_CATEGORIES], None]
    else:
        levels = dict(zip(LEVELS, profile, strict=True))
        names = {"least": 0.0, "low": 0.01, "high": 0.99, "most": 1.0}
        limits = {key: levels[level] if np.isfinite(levels[level]) else None for key, level in names.items()}
        values = _grid(column, limits["low"], limits["high"], profile)
    now = row[name][0].as_py()
    now = now if now is None or isinstance(profile, Mapping) else float(now)
    if now is not None and now not in values and not isinstance(now, str):
        values = sorted([*(v for v in values if isinstance(v, float)), now])
    kind = pa.string() if isinstance(profile, Mapping) else pa.float64()
    place = row.schema.get_field_index(name)
    rows = row.take(pa.array(np.zeros(len(values), np.int64))).set_column(place, name, pa.array(values, kind))
    probability = probabilities(explainer, model, rows)
    return Curve(
        name,
        column.definition or name.replace("_", " "),
        column.unit,
        tuple(values),
        tuple(probability.tolist()),
        now,
        float(probabilities(explainer, model, row)[0]),
        **limits,
    )


def value_in_words(value: Setting, unit: str, currency: str) -> str:
    """A value as a reader wants to see it."""
    if value is None:
        return NOT_KNOWN
    if isinstance(value, str):
        return clean(value, 60)
    return str(format_numbers(np.array([value]), unit, currency)[0].as_py())


def range_in_words(model: ScoringModel, name: str, value: Setting, currency: str) -> str:
    """Where training has seen the values of a feature, and whether `value` lies there."""
    column, profile = find_feature(name, model.columns), model.quantiles[name]
    if isinstance(profile, Mapping):
        rows = sum(profile.values())
        return "" if value is None else f"{profile.get(str(value), 0) / max(rows, 1):.1%} of training had it"
    levels = dict(zip(LEVELS, profile, strict=True))
    if not np.isfinite(levels[0.5]):
        return "training never saw a value of it"
    low, half, high = (value_in_words(levels[level], column.unit, currency) for level in (0.01, 0.5, 0.99))
    words = f"half of training had at most {half}, nearly all {low} to {high}"
    if isinstance(value, float) and not levels[0.0] <= value <= levels[1.0]:
        words = f"BEYOND all that training saw: {words}"
    elif isinstance(value, float) and not levels[0.01] <= value <= levels[0.99]:
        words = f"rare in training: {words}"
    return words


def _read_value(column: FeatureColumn, text: str, model: ScoringModel) -> Setting:
    if not text:
        return None
    profile = model.quantiles[column.name]
    if isinstance(profile, Mapping):
        if text not in profile:
            near = difflib.get_close_matches(text, list(profile), NEAREST, cutoff=0.0)
            raise ModelError(
                f"training never saw '{clean(text, 60)}' as {column.name}; close to it: "
                f"{', '.join(clean(value, 60) for value in near) or 'nothing, all were missing'}"
            )
        return text
    try:
        number = float(text)
    except ValueError:
        number = np.nan
    if not np.isfinite(number):
        raise ModelError(f"{column.name} is a number; '{clean(text, 60)}' is none (for a missing one: {column.name}=)")
    return number


def _grid(column: FeatureColumn, low: float | None, high: float | None, profile: Sequence[float]) -> list[Setting]:
    """Values over the training range and a little beyond it; whole numbers for what is counted in whole numbers."""
    if low is None or high is None:
        return [None]
    span = (high - low) or max(abs(high), 1.0)
    start, end = low - BEYOND * span, high + BEYOND * span
    if profile[0] >= 0:
        start = max(start, 0.0)
    grid = np.linspace(start, end, GRID)
    if column.unit == "count" and all(float(q).is_integer() for q in profile):
        grid = np.unique(np.rint(grid))
    return [float(value) for value in grid]


def probabilities(explainer: Explainer, model: ScoringModel, rows: pa.Table) -> Floats:
    """Calibrated probabilities (n,)."""
    return model.calibrator.apply(explainer.raw_score(rows))
