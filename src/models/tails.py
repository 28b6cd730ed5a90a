"""Unusual behaviour without any label: how far in the tails of its features a row lies.

With P_j the share of the rows that the score was drawn up from whose feature j is at least as large as a row's (where
`sign` is -1: as small), over the features that are known of it:

    raw score = sum over j of -log P_j

For independent features twice that has a chi-square distribution under no abuse (Fisher, "Statistical methods for
research workers", 1932); used on empirical tails it is ECOD (Li et al., "ECOD: unsupervised outlier detection using
empirical cumulative distribution functions", TKDE 2022), one-sided here. Contributions are exact by definition: what a
feature adds is its -log P less the mean of it, and nothing where it is missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ..errors import ModelError
from ..language.declarations import FeatureColumn
from ..tasks.base import Evidence
from .base import Floats, read_json, write_json
from .encoding import Encoder, numbers
from .scorecard import AsItIs
from .self_explained import SelfExplained

FEATURES, MODEL = "features.json", "model.json"
_KNOTS = 400  # of a tail at the most; they crowd where it is thin


class Tails(SelfExplained):
    """The tails drawn up; make it by `Tails.fit`. The score is the raw score, zero or above for the most common rows.

    `tails` has for each feature rising values (k,) and -log P (k,) there.
    """

    kind = "tails"

    def __init__(
        self, evidence: Sequence[Evidence], encoder: Encoder, tails: Mapping[str, tuple[Floats, Floats]], means: Floats
    ) -> None:
        self.evidence, self.encoder = tuple(evidence), encoder
        self.tails, self.means = dict(tails), means
        self.calibrator = AsItIs()

    @classmethod
    def fit(cls, evidence: Sequence[Evidence], columns: Sequence[FeatureColumn], table: pa.Table) -> Tails:
        """Draw up the tails from a snapshot (n rows); features that the data lack are left out.

        ModelError where none is left, or none of them was ever known.
        """
        at_hand = {column.name: column for column in columns if column.kind == "number"}
        kept, tails, means = [], {}, []
        for one in evidence:
            values = numbers(table, one.feature) if one.feature in at_hand else np.empty(0)
            values = values[~np.isnan(values)] * one.sign
            if len(values):
                tails[one.feature] = _tail(values)
                means.append(float(np.interp(values, *tails[one.feature]).mean()))
                kept.append(one)
        if not kept:
            wanted = ", ".join(one.feature for one in evidence)
            raise ModelError(f"the data show nothing of what would be unusual; it would be seen in: {wanted}")
        encoder = Encoder.fit([at_hand[one.feature] for one in kept], table)
        return cls(kept, encoder, tails, np.array(means))

    # -------------------------------------------------------------------------------- scoring
    def score_matrix(self, matrix: Floats) -> Floats:
        """Sums (n,) of a matrix (n, p)."""
        return np.asarray(self.explain_matrix(matrix).sum(axis=1))

    def explain_matrix(self, matrix: Floats) -> Floats:
        """Contributions (n, p + 1); the last column is the sum of the means, rows add up."""
        found = np.zeros((len(matrix), len(self.evidence) + 1))
        found[:, -1] = self.means.sum()
        for place, one in enumerate(self.evidence):
            values = matrix[:, place]
            there = ~np.isnan(values)
            found[there, place] = np.interp(values[there] * one.sign, *self.tails[one.feature]) - self.means[place]
        return found

    # -------------------------------------------------------------------------------- on disk
    def save(self, folder: Path) -> None:
        """Write model.json and features.json into an existing folder."""
        write_json(folder / FEATURES, self.encoder.to_json())
        write_json(folder / MODEL, self._to_json())

    @classmethod
    def load(cls, folder: Path, *, threads: int | None = None) -> Tails:
        """Read what `save` wrote; ModelError where it is unreadable. No code is run."""
        content, encoder = read_json(folder / MODEL), Encoder.from_json(read_json(folder / FEATURES))
        try:
            evidence = [Evidence(str(name), 1 if sign > 0 else -1) for name, sign in content["evidence"]]
            tails = {
                str(name): (np.asarray(at, np.float64), np.asarray(of, np.float64))
                for name, (at, of) in content["tails"].items()
            }
            return cls(evidence, encoder, tails, np.asarray(content["means"], np.float64))
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"{MODEL} was written by another version of Rapport: {error}") from error

    def _to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "evidence": [[one.feature, one.sign] for one in self.evidence],
            "tails": {name: [at.tolist(), of.tolist()] for name, (at, of) in self.tails.items()},
            "means": self.means.tolist(),
        }


def _tail(values: Floats) -> tuple[Floats, Floats]:
    """Distinct values (k,), rising, and -log of the share of values (n,) at least as large as each."""
    at, counts = np.unique(values, return_counts=True)
    above = np.cumsum(counts[::-1])[::-1]
    far = -np.log(above / len(values))
    if len(at) > _KNOTS:
        chosen = np.unique(np.searchsorted(far, np.linspace(0, far[-1], _KNOTS)))
        chosen = np.unique(np.concatenate([[0], chosen, [len(at) - 1]]))
        at, far = at[chosen], far[chosen]
    return at.astype(np.float64), far
