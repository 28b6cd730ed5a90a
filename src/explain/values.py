"""Feature values as a reader wants to see them: rounded, with their unit, harmless."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

LONGEST_VALUE = 60  # characters of a category
_LARGEST = 1e15
_LONG = 3_650  # days from which on years are told, as of an age
_FORBIDDEN = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")  # control, direction marks, surrogates, private, line separators


def clean(text: str, limit: int) -> str:
    """A text without control characters (they become blanks), cut to `limit` characters with an ellipsis."""
    kept = "".join(" " if unicodedata.category(c) in _FORBIDDEN else c for c in text[: limit + 1])
    return kept.strip() if len(text) <= limit else kept[: limit - 1].strip() + "…"


def format_texts(values: pa.Array) -> pa.Array:
    """Categories (strings) made fit for a sentence; missing stays missing."""
    return _by_distinct_value(values, lambda value: clean(value, LONGEST_VALUE) or "(blank)")


def format_numbers(values: NDArray[np.float64], unit: str, currency: str) -> pa.Array:
    """Numbers (n,) as strings with their unit: "41 days", "12.50 USD", "35 %", "3"; NaN becomes missing.

    Whole days, from ten years on in years; money in cents below 100 and in whole units above; shares in per cent, and
    they and all others with the fewer decimals the larger they are. `unit` is that of a FeatureColumn; `currency`,
    printed behind money, may be empty.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        rounded = _round(values * 100 if unit == "share" else values, unit)
    return _by_distinct_value(pa.array(rounded, from_pandas=True), lambda value: _write(value, unit, currency))


def _round(values: NDArray[np.float64], unit: str) -> NDArray[np.float64]:
    """Numbers as exact as they are printed, so that there are few distinct ones."""
    size = np.abs(values)
    whole = np.rint(values)
    if unit == "days":
        places = np.where(size < 1, 0.0, whole)
    elif unit == "currency":
        places = np.where(size < 100, np.round(values, 2), whole)
    else:
        tiny = np.where(size < 0.01, np.round(values, 4), np.round(values, 3))
        small = np.where(size < 0.1, tiny, np.round(values, 2))
        places = np.where(size < 1, small, np.where(size < 10, np.round(values, 1), whole))
    return places + 0.0  # no minus before a zero


def _write(value: float, unit: str, currency: str) -> str:
    """One rounded number with its unit."""
    if not abs(value) < _LARGEST:
        return "beyond measure"
    if unit == "days" and abs(value) >= _LONG:
        return f"{value / 365.25:,.0f} years"
    if unit == "days":
        return "less than a day" if value == 0 else f"{value:,.0f} day{'' if abs(value) == 1 else 's'}"
    if unit == "currency":
        number = f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"
        return f"{number} {currency}".strip()
    number = f"{value:,.4f}".rstrip("0").rstrip(".")
    if unit == "share":
        return f"{number} %"
    if unit == "times" and number == "1":
        return "1.0 times"
    return number if unit in ("", "count") else f"{number} {unit.removesuffix('s') if number == '1' else unit}"


def _by_distinct_value(values: pa.Array, write: Callable[[Any], str]) -> pa.Array:
    """Apply a function to each distinct value once."""
    encoded = values.dictionary_encode()
    texts = pa.array([write(value) for value in encoded.dictionary.to_pylist()], pa.string())
    return pc.take(texts, encoded.indices)
