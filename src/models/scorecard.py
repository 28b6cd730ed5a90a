"""A scorecard: a score that is put together from what is known, not trained on an outcome.

The card has traits, each with its evidence: features that speak for it (or against it, with `sign` -1). With the
ranks r_e (0 to 1) of a customer's evidence among the rows that the card was drawn up from, E_t the evidence of trait t
that is known of him and T the traits of which something is known:

    trait_t = mean of r_e over E_t        score = mean of trait_t over T = 1/2 + sum of (r_e - 1/2) / (|T| |E_t|)

so contributions are exact by definition: what an evidence adds is its distance from the middle, by its weight. A trait
that the data cannot show is missing, not zero. A row of which nothing is known has the score 1/2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike

from ..errors import ModelError
from ..language.declarations import FeatureColumn
from ..tasks.base import Evidence, Trait
from .base import Floats, read_json, write_json
from .encoding import Encoder, numbers
from .self_explained import SelfExplained

FEATURES, MODEL = "features.json", "model.json"
_RANKS = 201


class AsItIs:
    """No calibration: a score that is no probability is put out as it is."""

    def apply(self, raw: ArrayLike) -> Floats:
        """The raw scores (n,) themselves."""
        return np.asarray(raw, np.float64)


class Scorecard(SelfExplained):
    """The card drawn up; make it by `Scorecard.fit`. The score lies between 0 and 1, traits are put out from 0 to 100.

    `ranks` has for each evidence `_RANKS` quantiles of its feature, by which a value is ranked.
    """

    kind = "scorecard"

    def __init__(self, traits: Sequence[Trait], encoder: Encoder, ranks: Mapping[str, Floats]) -> None:
        self.traits = tuple(traits)
        self.encoder = encoder
        self.ranks = dict(ranks)
        self.calibrator = AsItIs()
        place = {name: position for position, name in enumerate(encoder.names)}
        self._evidence = [(t, e, place[e.feature]) for t, trait in enumerate(self.traits) for e in trait.evidence]

    @classmethod
    def fit(cls, traits: Sequence[Trait], columns: Sequence[FeatureColumn], table: pa.Table) -> Scorecard:
        """Draw up a card from a snapshot (n rows).

        Evidence whose feature the data lack is left out, and a trait without any. ModelError where no trait is left.
        """
        at_hand = {column.name: column for column in columns if column.kind == "number"}
        kept = []
        for trait in traits:
            evidence = tuple(one for one in trait.evidence if one.feature in at_hand)
            if evidence:
                kept.append(Trait(trait.name, trait.definition, evidence))
        if not kept:
            wanted = ", ".join(sorted({one.feature for trait in traits for one in trait.evidence}))
            raise ModelError(f"the data have none of the features that the scorecard needs: {wanted}")
        names = dict.fromkeys(one.feature for trait in kept for one in trait.evidence)
        encoder = Encoder.fit([at_hand[name] for name in names], table)
        ranks = {}
        for name in names:
            values = numbers(table, name)
            values = values[~np.isnan(values)]
            ranks[name] = np.quantile(values, np.linspace(0, 1, _RANKS)) if len(values) else np.empty(0)
        return cls(kept, encoder, ranks)

    # -------------------------------------------------------------------------------- scoring
    def score_matrix(self, matrix: Floats) -> Floats:
        """Scores (n,) of a matrix (n, p)."""
        return np.asarray(self.explain_matrix(matrix).sum(axis=1))

    def explain_matrix(self, matrix: Floats) -> Floats:
        """Contributions (n, p + 1) to the score; the last column is 1/2, rows add up."""
        ranks, known = self._ranked(matrix)
        found = np.zeros((len(matrix), matrix.shape[1] + 1))
        found[:, -1] = 0.5
        traits = np.maximum((known > 0).sum(axis=1), 1)
        for number, (trait, _, place) in enumerate(self._evidence):
            weight = traits * np.maximum(known[:, trait], 1)
            found[:, place] += np.nan_to_num(ranks[:, number] - 0.5) / weight
        return found

    def outputs(self, table: pa.Table) -> dict[str, pa.Array]:
        """The traits (n,) from 0 to 100, `trait_<name>` each; null where nothing is known."""
        ranks, known = self._ranked(self.encode(table))
        found = {}
        for number, trait in enumerate(self.traits):
            mine = [i for i, (of, _, _) in enumerate(self._evidence) if of == number]
            total = np.nansum(ranks[:, mine], axis=1)
            unknown = known[:, number] == 0
            values = 100 * total / np.maximum(known[:, number], 1)
            found[f"trait_{trait.name}"] = pa.array(values, pa.float64(), mask=unknown)
        return found

    def _ranked(self, matrix: Floats) -> tuple[Floats, Floats]:
        """Ranks (n, evidence), nan where unknown, and how much is known of each trait, (n, traits)."""
        ranks = np.full((len(matrix), len(self._evidence)), np.nan)
        known = np.zeros((len(matrix), len(self.traits)))
        for number, (trait, evidence, place) in enumerate(self._evidence):
            values, quantiles = matrix[:, place], self.ranks[evidence.feature]
            there = ~np.isnan(values)
            if len(quantiles):
                below = np.searchsorted(quantiles, values[there], side="left")
                up_to = np.searchsorted(quantiles, values[there], side="right")
                rank = (below + up_to) / (2 * len(quantiles))
                ranks[there, number] = rank if evidence.sign > 0 else 1 - rank
                known[there, trait] += 1
        return ranks, known

    # -------------------------------------------------------------------------------- on disk
    def save(self, folder: Path) -> None:
        """Write model.json and features.json into an existing folder."""
        write_json(folder / FEATURES, self.encoder.to_json())
        write_json(folder / MODEL, self._to_json())

    @classmethod
    def load(cls, folder: Path, *, threads: int | None = None) -> Scorecard:
        """Read what `save` wrote; ModelError where it is unreadable. No code is run."""
        content, encoder = read_json(folder / MODEL), Encoder.from_json(read_json(folder / FEATURES))
        try:
            traits = [
                Trait(raw["name"], raw["definition"], tuple(map(_evidence_of, raw["evidence"])))
                for raw in content["traits"]
            ]
            ranks = {str(name): np.asarray(values, np.float64) for name, values in content["ranks"].items()}
            return cls(traits, encoder, ranks)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"{MODEL} was written by another version of Rapport: {error}") from error

    def _to_json(self) -> dict[str, Any]:
        traits = [
            {
                "name": trait.name,
                "definition": trait.definition,
                "evidence": [[one.feature, one.sign] for one in trait.evidence],
            }
            for trait in self.traits
        ]
        return {
            "kind": self.kind,
            "traits": traits,
            "ranks": {name: values.tolist() for name, values in self.ranks.items()},
        }


def _evidence_of(pair: Sequence[Any]) -> Evidence:
    feature, sign = pair
    return Evidence(str(feature), 1 if sign > 0 else -1)
