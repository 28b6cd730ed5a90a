from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from rapport.errors import ModelError
from rapport.explain.contributions import explainer
from rapport.language.declarations import FeatureColumn
from rapport.models.kinds import load_model
from rapport.models.scorecard import Scorecard
from rapport.tasks.base import Evidence, Trait

COLUMNS = tuple(FeatureColumn(name, "b", name) for name in ("visits", "gap", "referrals", "unused"))
TRAITS = (
    Trait("steady", "comes often and in rhythm", (Evidence("visits"), Evidence("gap", -1))),
    Trait("refers", "brings others", (Evidence("referrals"),)),
    Trait("absent", "not in the data", (Evidence("nowhere"),)),
)
# Ranks among 0..100 are the values themselves, in hundredths.
KNOWN = pa.table({name: np.arange(101.0) for name in ("visits", "gap", "referrals", "unused")})


@pytest.fixture(scope="module")
def card() -> Scorecard:
    return Scorecard.fit(TRAITS, COLUMNS, KNOWN)


def rows(**values: list[float | None]) -> pa.Table:
    return pa.table({name: pa.array(values.get(name, [None]), pa.float64()) for name in KNOWN.column_names})


def test_traits_and_score_by_hand(card: Scorecard) -> None:
    table = rows(visits=[90.0], gap=[30.0], referrals=[40.0])
    # steady: the mean of 90 and 100 - 30; the score: the mean of 80 and 40.
    traits = card.outputs(table)
    assert traits["trait_steady"][0].as_py() == pytest.approx(80, abs=0.5)
    assert traits["trait_refers"][0].as_py() == pytest.approx(40, abs=0.5)
    assert card.raw_score(table)[0] == pytest.approx(0.6, abs=0.005)
    assert "trait_absent" not in traits


def test_a_trait_that_the_data_cannot_show_is_missing_and_not_zero(card: Scorecard) -> None:
    table = rows(visits=[90.0], gap=[None])
    traits = card.outputs(table)
    assert traits["trait_refers"].to_pylist() == [None]
    assert traits["trait_steady"][0].as_py() == pytest.approx(90, abs=0.5)
    assert card.raw_score(table)[0] == pytest.approx(0.9, abs=0.005)
    assert card.raw_score(rows())[0] == 0.5


def test_contributions_add_up_and_speak_of_the_evidence(card: Scorecard) -> None:
    rng = np.random.default_rng(0)
    table = pa.table(
        {
            name: pa.array(rng.uniform(-10, 120, 300), mask=rng.random(300) < 0.3, type=pa.float64())
            for name in KNOWN.column_names
        }
    )
    why = explainer(card)
    np.testing.assert_allclose(why.contributions(table).sum(axis=1), card.raw_score(table), atol=1e-12)
    top = why.top_reasons(rows(visits=[100.0], gap=[50.0], referrals=[50.0]), 2)
    assert top.features[top.feature[0, 0]] == "visits"


def test_saved_and_read_back_it_is_the_same(card: Scorecard, tmp_path: Path) -> None:
    card.save(tmp_path)
    again = load_model(tmp_path)
    assert again.content == card.content
    np.testing.assert_array_equal(again.raw_score(KNOWN), card.raw_score(KNOWN))


def test_without_any_evidence_there_is_no_card() -> None:
    with pytest.raises(ModelError, match="none of the features that the scorecard needs: nowhere"):
        Scorecard.fit(TRAITS[2:], COLUMNS, KNOWN)
