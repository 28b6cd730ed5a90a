"""What a metric is: its name, its words, which way is better, and the function that computes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

from .counts import Counts, FloatArray
from .lists import RankedLists

Better = Literal["higher", "lower", "closer"]
Values = TypeVar("Values", float, FloatArray)


@dataclass(frozen=True)
class Metric:
    """One metric; exactly one of the four functions computes it.

    `of_counts`: from `Counts` over all rows, to (r,); `of_groups`: from `Counts` with groups, to (r,); `of_rows`: from
    targets and scores (n,) to a value a row, of which the mean is taken, and `after_mean` of that; `of_lists`: from
    `RankedLists` to a value a group (g,), nan where it has none, of which the mean is taken (with `all_groups` nan
    counts as 0). `better` says whether higher or lower is better, or closer to `perfect`, which is what a faultless
    model gets (nan where that depends on the data).
    """

    name: str
    title: str
    words: str
    better: Better = "higher"
    perfect: float = 1.0
    needs_probability: bool = False
    binary: bool = True
    of_counts: Callable[[Counts], FloatArray] | None = None
    of_groups: Callable[[Counts], FloatArray] | None = None
    of_rows: Callable[[FloatArray, FloatArray], FloatArray] | None = None
    after_mean: Callable[[FloatArray], FloatArray] | None = None
    of_lists: Callable[[RankedLists], FloatArray] | None = None
    depth: int = 0
    all_groups: bool = False

    @property
    def needs_groups(self) -> bool:
        """True where every row must name its group (customer, campaign)."""
        return self.of_groups is not None or self.of_lists is not None

    def gain(self, model: Values, rule: Values) -> Values:
        """How much better the model is than the rule: above 0 is better, whichever way the metric runs."""
        if self.better == "closer":
            return abs(rule - self.perfect) - abs(model - self.perfect)
        return model - rule if self.better == "higher" else rule - model
