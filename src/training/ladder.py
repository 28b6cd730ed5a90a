"""How good the chances of each step on a way are: of entering a stage, given that the one before was reached.

With R_s the probability of entering stage s or a later one, the chance of the step to s is R_s for who stands right
before it, and R_s / R_r for who must reach r first. Each is held against who took the step among those who could.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .evaluate import Interval
from .metrics.probability import ece
from .metrics.ranking import roc_auc

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
FEWEST = 50
"""Rows that a step must have had, to be judged."""


@dataclass(frozen=True)
class Ladder:
    """What is judged of n prospects: the stages in order, where each stands, how far he came, and what was foretold.

    `stages` (k,) begin with the one in which everybody starts; `now` and `came` (n,) are places in them, `came` the
    furthest stage entered within the horizon, -1 for none. `reach` (n, k) are probabilities of entering each stage or a
    later one; the first column is not read.
    """

    stages: Sequence[str]
    now: Ints
    came: Ints
    reach: Floats

    def step(self, place: int) -> tuple[npt.NDArray[np.bool_], Floats, npt.NDArray[np.bool_]]:
        """Who could take the step to a stage (n,), with which chance (n,), and who did (n,)."""
        before = place - 1
        could = (self.now < place) & ((self.now == before) | (self.came >= before))
        first = np.where(self.now >= before, 1.0, self.reach[:, before] if before else 1.0)
        return could, np.clip(self.reach[:, place] / np.maximum(first, 1e-9), 0.0, 1.0), self.came >= place

    def metrics(self) -> dict[str, float]:
        """By name: for each step the mean chance, the share who took it, calibration error, AUC, and how many could."""
        found: dict[str, float] = {}
        for place in range(1, len(self.stages)):
            could, chance, took = self.step(place)
            if could.sum() < FEWEST:
                continue
            prefix = f"test.step_{self.stages[place]}"
            found[f"{prefix}.rows"] = float(could.sum())
            found[f"{prefix}.foretold"] = float(chance[could].mean())
            found[f"{prefix}.came"] = float(took[could].mean())
            found[f"{prefix}.ece"] = ece(took[could], chance[could])
            found[f"{prefix}.roc_auc"] = roc_auc(took[could], chance[could])
        return found

    def intervals(self, draws: Sequence[Ints]) -> dict[str, Interval]:
        """95 % intervals of the share who took each step, by draws (n,) of the rows."""
        found = {}
        for place in range(1, len(self.stages)):
            could, _, took = self.step(place)
            if could.sum() >= FEWEST:
                shares = [float(np.average(took[could], weights=weight[could] + 1e-12)) for weight in draws]
                low, high = np.quantile(shares, (0.025, 0.975)).tolist()
                found[f"test.step_{self.stages[place]}.came"] = Interval(float(took[could].mean()), low, high)
        return found

    def product(self, converted: str) -> Floats:
        """The product of the chances of the steps that each has before him, up to the stage of conversion, (n,)."""
        total = np.ones(len(self.now))
        for place in range(1, self.stages.index(converted) + 1):
            _, chance, _ = self.step(place)
            total *= np.where(self.now < place, chance, 1.0)
        return total


def agreement(
    ladder: Ladder, converted: str, draws: Sequence[Ints], direct: Floats | None
) -> tuple[dict[str, float], dict[str, Interval]]:
    """The product over the steps beside who converted, and beside a direct model's probability (n,), with intervals.

    The interval of `came` is that of the share who converted; `direct_difference` is the mean of product less direct.
    """
    place = ladder.stages.index(converted)
    product, took = ladder.product(converted), (ladder.came >= place).astype(np.float64)
    name = f"test.reach_{converted}"
    metrics = {f"{name}.foretold": float(product.mean()), f"{name}.came": float(took.mean())}
    metrics |= {f"{name}.ece": ece(took, product), f"{name}.roc_auc": roc_auc(took, product)}
    parts: dict[str, Floats] = {f"{name}.came": took}
    if direct is not None:
        metrics[f"{name}.direct"] = float(direct.mean())
        metrics[f"{name}.direct_roc_auc"] = roc_auc(took, direct)
        metrics[f"{name}.direct_difference"] = float((product - direct).mean())
        parts |= {f"{name}.direct": direct, f"{name}.direct_difference": product - direct}
    return metrics, {key: _spread(values, draws) for key, values in parts.items()}


def _spread(values: Floats, draws: Sequence[Ints]) -> Interval:
    means = [float(np.average(values, weights=weight)) for weight in draws]
    low, high = np.quantile(means, (0.025, 0.975)).tolist()
    return Interval(float(values.mean()), low, high)


def reaches(names: Sequence[str], probability: Mapping[str, Floats]) -> dict[str, Floats]:
    """Probabilities (n,) of entering each stage or a later one, from those of the furthest; `names` furthest first."""
    found: dict[str, Floats] = {}
    total: Floats | float = 0.0
    for name in names:
        total = total + probability[name]
        found[name] = total
    return found
