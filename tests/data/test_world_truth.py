"""The truth beside the world: it foretells what happens, within the error of its draws and of the dice."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rapport.data.world import WorldConfig, write_world
from rapport.data.world.ceilings import true_margins, true_probabilities
from rapport.data.world.interventions import effects, worth
from rapport.data.world.names import CAUSES
from rapport.data.world.references import references
from rapport.data.world.retelling import retold
from rapport.data.world.truth import Truth
from rapport.errors import DataError
from rapport.training.metrics import roc_auc

CUTOFF = date(2024, 3, 1)
HORIZON = 60


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Truth:
    return Truth(write_world(tmp_path_factory.mktemp("worlds") / "world", customers=2_500, seed=11))


@pytest.fixture(scope="module")
def lines(truth: Truth) -> pd.DataFrame:
    return pq.read_table(truth.folder / "transactions.parquet").to_pandas()


@pytest.fixture(scope="module")
def silence(truth: Truth) -> pd.DataFrame:
    return truth.silence([CUTOFF], [20, HORIZON]).to_pandas()


def people_of(truth: Truth) -> pd.DataFrame:
    """Those who became customers, by customer_id."""
    people = truth.people().to_pandas()
    return people[people["customer_id"].notna()].set_index("customer_id")


def within(lines: pd.DataFrame, horizon: int, cutoff: date = CUTOFF) -> pd.DataFrame:
    """Purchases in (cutoff, cutoff + horizon]."""
    start = pd.Timestamp(cutoff)
    return lines[(lines["at"] > start) & (lines["at"] <= start + pd.Timedelta(days=horizon))]


def deviation(hits: np.ndarray, probability: np.ndarray, error: np.ndarray | float = 0.0) -> float:
    """Standard deviations between a count of hits and the sum of their probabilities."""
    variance = (probability * (1 - probability)).sum() + np.square(error).sum()
    return float((hits.sum() - probability.sum()) / np.sqrt(variance))


def assert_calibrated(hits: np.ndarray, probability: np.ndarray, groups: int = 8, limit: float = 3.5) -> None:
    """Hits are what the probabilities say, overall and in groups of rising probability."""
    order = np.argsort(probability, kind="stable")
    assert abs(deviation(hits, probability)) < 3
    for part in np.array_split(order, groups):
        if (probability[part] * (1 - probability[part])).sum() > 3:
            assert abs(deviation(hits[part], probability[part])) < limit


def test_churn_foretells_what_came_about(truth: Truth, silence: pd.DataFrame, lines: pd.DataFrame) -> None:
    for horizon in (20, HORIZON):
        rows = silence[silence["horizon"] == horizon]
        buyers = set(within(lines, horizon)["customer_id"])
        quiet = ~rows["customer_id"].isin(buyers).to_numpy()
        assert_calibrated(quiet, rows["probability"].to_numpy())
    assert silence["probability_se"].mean() < 0.01


def test_longer_silences_are_rarer(silence: pd.DataFrame) -> None:
    wide = silence.pivot(index="customer_id", columns="horizon", values="probability")
    assert (wide[HORIZON] <= wide[20] + 1e-12).all()


def test_churn_foretells_independent_futures(truth: Truth, silence: pd.DataFrame) -> None:
    futures = truth.futures([CUTOFF], HORIZON, draws=40, salt=99).to_pandas()
    both = silence[silence["horizon"] == HORIZON].merge(futures, on="customer_id", validate="one_to_one")
    buys = 1 - both["probability"]
    error = np.sqrt(buys * (1 - buys) / 40 + both["probability_se"] ** 2)
    z = ((both["buys"] - buys) / error)[error > 0.02]
    assert abs(z.mean()) < 3 / np.sqrt(len(z))
    assert z.std() == pytest.approx(1, abs=0.08)


def test_knowing_who_is_alive_sharpens_the_truth(truth: Truth, silence: pd.DataFrame, lines: pd.DataFrame) -> None:
    seen = truth.silence([CUTOFF], [HORIZON], sees_all=True).to_pandas()
    quiet = ~seen["customer_id"].isin(set(within(lines, HORIZON)["customer_id"])).to_numpy()
    assert_calibrated(quiet, seen["probability"].to_numpy())
    hidden = silence[silence["horizon"] == HORIZON]["probability"].to_numpy()
    assert np.square(quiet - seen["probability"]).mean() < np.square(quiet - hidden).mean()


def test_the_filter_knows_how_many_have_left_and_why(truth: Truth) -> None:
    causes = pd.concat([truth.causes([day]).to_pandas() for day in (CUTOFF, date(2024, 12, 1))])
    assert_calibrated(causes["gone"].to_numpy(), causes["p_gone"].to_numpy())
    gone = causes[causes["gone"]]
    columns = [f"p_{cause}" for cause in CAUSES]
    assert np.allclose(gone[columns].sum(axis=1), 1)
    for cause in CAUSES:
        assert_calibrated((gone["cause"] == cause).to_numpy(), gone[f"p_{cause}"].to_numpy(), groups=3)


def test_conversion_foretells_contracts(truth: Truth) -> None:
    found = truth.conversion([CUTOFF], [90]).to_pandas()
    prospects = pq.read_table(truth.folder / "prospects.parquet").to_pandas().set_index("prospect_id")
    end = pd.Timestamp(CUTOFF) + pd.Timedelta(days=90)
    hits = (found["prospect_id"].map(prospects["converted_at"]) <= end).to_numpy()
    assert hits.sum() > 30
    assert_calibrated(hits, found["probability"].to_numpy(), groups=5)


def test_categories_foretell_baskets(truth: Truth, lines: pd.DataFrame) -> None:
    found = truth.categories([CUTOFF], 28, draws=30).to_pandas()
    products = pq.read_table(truth.folder / "products.parquet").to_pandas().set_index("product_id")
    bought = within(lines, 28)
    pairs = set(zip(bought["customer_id"], bought["product_id"].map(products["category"]), strict=True))
    hits = np.array([pair in pairs for pair in zip(found["customer_id"], found["category"], strict=True)])
    probability = found["probability"].to_numpy()
    # the baskets of a customer hang together: the standard deviation of the sum is that over customers
    excess = (pd.Series(hits - probability).groupby(found["customer_id"].to_numpy())).sum()
    assert abs(excess.sum()) < 3 * np.sqrt(np.square(excess).sum())
    deciles = pd.DataFrame({"hit": hits, "p": probability}).groupby(
        pd.qcut(probability, 10, duplicates="drop"), observed=True
    )
    means = deciles.mean()
    assert np.abs(means["hit"] - means["p"]).max() < 0.03


def test_expected_margin_foretells_the_sum(truth: Truth, lines: pd.DataFrame) -> None:
    futures = truth.futures([date(2023, 6, 1)], 365, draws=8).to_pandas()
    earned = within(lines, 365, date(2023, 6, 1)).groupby("customer_id")["margin"].sum()
    excess = futures["customer_id"].map(earned).fillna(0) - futures["margin"]
    # a few thousandths of the lines have a quantity of zero in the files, or are known too late
    assert abs(excess.mean() + 0.003 * futures["margin"].mean()) < 3 * excess.std() / np.sqrt(len(excess))
    assert np.corrcoef(futures["margin"], excess + futures["margin"])[0, 1] > 0.7


def test_effects_are_those_of_the_randomised_hold_out(truth: Truth, lines: pd.DataFrame) -> None:
    contacts = pq.read_table(truth.folder / "contacts.parquet").to_pandas()
    campaigns = pq.read_table(truth.folder / "campaigns.parquet").to_pandas().set_index("campaign_id")
    offers = pq.read_table(truth.folder / "offers.parquet").to_pandas().set_index("offer_id")
    gaps, variances, planted = [], [], []
    own = campaigns[(campaigns["kind"] == "cross_sell") & (campaigns["ends_at"] < "2024-12-01")]
    own = own.iloc[-6:]
    effects(
        truth, own["starts_at"].dt.to_pydatetime().tolist(), "winback", 1, draws=1
    )  # lives to all the cutoffs at once
    for number, campaign in own.iterrows():
        targeted = contacts[(contacts["campaign_id"] == number) & contacts["customer_id"].notna()].copy()
        buyers = set(within(lines, 21, campaign["starts_at"].date())["customer_id"])
        targeted["bought"] = targeted["customer_id"].isin(buyers)
        arms = targeted.groupby("treated")["bought"].agg(["mean", "var", "size"])
        gaps.append(arms["mean"][True] - arms["mean"][False])
        variances.append((arms["var"] / arms["size"]).sum())
        for offer, part in targeted.groupby("offer_id"):
            found = effects(
                truth, [campaign["starts_at"].to_pydatetime()], "cross_sell", 21, draws=2,
                category=offers.loc[offer, "category"], ids=part["customer_id"].astype(int).tolist(),
            ).to_pandas()  # fmt: skip
            planted.append(found.loc[found["offer"] == offer % 10, "effect"].mean() * len(part) / len(targeted))
    expected = np.sum(planted) / len(gaps)
    assert expected > 0.01
    assert abs(np.mean(gaps) - expected) < 3 * np.sqrt(np.sum(variances)) / len(gaps)


def test_contacts_do_good_to_some_and_harm_to_others(truth: Truth) -> None:
    people = people_of(truth)["response"]
    found = effects(truth, [CUTOFF], "cross_sell", 21, category="books").to_pandas()
    mean = found.groupby(found["customer_id"].map(people))["effect"].mean()
    assert mean["persuadable"] > 0.04
    # nothing but that an earlier contact is forgotten
    assert abs(mean["sure_thing"]) < 0.008
    assert abs(mean["lost_cause"]) < 0.008
    assert mean["put_off"] < -0.01


def test_a_win_back_brings_some_of_the_lost_back(truth: Truth) -> None:
    causes = truth.causes([CUTOFF]).to_pandas()
    gone = causes[causes["p_gone"] > 0.95]
    found = effects(truth, [CUTOFF], "winback", 21, ids=gone["customer_id"].tolist()).to_pandas()
    best = found[found["offer"] == 2].set_index("customer_id")["effect"]
    likely = gone.set_index("customer_id")[["p_bought_away", "p_moved_away"]]
    assert best.corr(likely["p_bought_away"]) > 0 > best.corr(likely["p_moved_away"])


def test_win_backs_foretell_returns(truth: Truth, lines: pd.DataFrame) -> None:
    contacts = pq.read_table(truth.folder / "contacts.parquet").to_pandas()
    campaigns = pq.read_table(truth.folder / "campaigns.parquet").to_pandas().set_index("campaign_id")
    own = campaigns[(campaigns["kind"] == "winback") & (campaigns["ends_at"] < "2024-12-01")].iloc[-4:]
    hits, probability = [], []
    for number, campaign in own.iterrows():
        treated = contacts[(contacts["campaign_id"] == number) & contacts["treated"]]
        start = campaign["starts_at"].to_pydatetime()
        found = effects(truth, [start], "winback", 21, ids=treated["customer_id"].astype(int).tolist()).to_pandas()
        offer = found["customer_id"].map(treated.set_index("customer_id")["offer_id"]) % 10
        found = found[found["offer"] == offer]
        hits.append(found["customer_id"].isin(within(lines, 21, start.date())["customer_id"]).to_numpy())
        probability.append(found["probability_treated"].to_numpy())
    assert sum(hit.sum() for hit in hits) > 50
    assert_calibrated(np.concatenate(hits), np.concatenate(probability), groups=4)


def test_a_service_rescue_keeps_those_who_were_let_down(truth: Truth) -> None:
    found = worth(truth, [CUTOFF], "service_rescue", 180, draws=16).to_pandas()
    best = found[found["offer"] == 2]
    state = next(truth.replay.seen([truth.replay.day(CUTOFF, 0)], 1)).states
    mood = pd.Series(state["mood"], best["customer_id"].iloc[: state.size])
    hurt = best["customer_id"].map(mood) < -0.5
    assert best.loc[hurt, "margin_gain"].mean() > 3 * best.loc[hurt, "margin_gain_se"].mean() / np.sqrt(hurt.sum())
    assert abs(best.loc[best["customer_id"].map(mood) == 0, "buys_gain"].mean()) < 0.01


def test_categories_foretell_independent_futures(truth: Truth, lines: pd.DataFrame) -> None:
    some = np.sort(within(lines, 120, date(2023, 11, 2))["customer_id"].unique())[:400].tolist()
    products = pq.read_table(truth.folder / "products.parquet").to_pandas().set_index("product_id")["category"]
    said = truth.categories([CUTOFF], 28, draws=40, customers=some).to_pandas().set_index(["customer_id", "category"])
    told = retold(truth, [CUTOFF], 28, "lines", draws=30, ids=some, salt=77).to_pandas()
    told["category"] = told["product_id"].map(products)
    often = told.drop_duplicates(["customer_id", "category", "draw"]).groupby(["customer_id", "category"]).size() / 30
    both = said.assign(told=often).fillna({"told": 0.0})
    p = both["probability"]
    z = ((both["told"] - p) / np.sqrt(p * (1 - p) / 30 + both["probability_se"] ** 2))[p > 0.08]
    # the categories of a customer share his visits: the mean over them is as sure as the number of customers allows
    each = z.groupby("customer_id").mean()
    assert abs(each.mean()) < 3 * each.std() / np.sqrt(len(each))
    assert z.std() == pytest.approx(1, abs=0.12)


def test_a_word_to_prospects_moves_their_contracts(truth: Truth) -> None:
    found = effects(truth, [CUTOFF], "acquisition", 60).to_pandas()
    response = truth.people().to_pandas().dropna(subset=["prospect_id"]).set_index("prospect_id")["response"]
    mean = found.groupby(found["prospect_id"].map(response))["effect"].mean()
    assert mean["persuadable"] > 0.01 > -0.001 > mean["put_off"]
    assert abs(mean["sure_thing"]) < 0.008


def test_a_year_with_an_offer_is_worth_what_its_futures_bring(truth: Truth, lines: pd.DataFrame) -> None:
    some = np.sort(within(lines, 120, date(2023, 11, 2))["customer_id"].unique())[:300].tolist()
    found = worth(truth, [CUTOFF], "cross_sell", 90, draws=24, customers=some).to_pandas()
    none = found[found["offer"] == -1].set_index("customer_id")
    assert (none["margin_gain"] == 0).all()
    best = found[found["offer"] == 2].set_index("customer_id")
    assert np.allclose(best["margin_gain"], best["margin"] - none["margin"])
    # common random numbers: the difference is better known than either side
    assert best["margin_gain_se"].sum() < 0.8 * none["margin_se"].sum()
    persuadable = best.index.map(people_of(truth)["response"]) == "persuadable"
    assert best.loc[persuadable, "margin_gain"].mean() > best.loc[~persuadable, "margin_gain"].mean()


def test_told_futures_are_the_futures_that_are_counted(truth: Truth, lines: pd.DataFrame) -> None:
    some = np.sort(within(lines, HORIZON)["customer_id"].unique())[:200].tolist()
    counted = truth.futures([CUTOFF], HORIZON, draws=6, salt=5, customers=some).to_pandas().set_index("customer_id")
    told = retold(truth, [CUTOFF], HORIZON, "lines", draws=6, ids=some).to_pandas()
    assert (
        (told["at"] >= pd.Timestamp(CUTOFF)) & (told["at"] < pd.Timestamp(CUTOFF) + pd.Timedelta(HORIZON, "D"))
    ).all()
    margin = told.groupby("customer_id")["margin"].sum().reindex(counted.index).fillna(0) / 6
    assert np.allclose(margin, counted["margin"])
    visits = told.groupby("customer_id")[["draw", "order"]].apply(lambda rows: len(rows.drop_duplicates())) / 6
    assert np.allclose(visits.reindex(counted.index).fillna(0), counted["visits"])
    assert set(told["product_id"]) <= set(pq.read_table(truth.folder / "products.parquet")["product_id"].to_pylist())


def test_told_events_foretell_what_came_about(truth: Truth, lines: pd.DataFrame) -> None:
    bills = retold(truth, [CUTOFF], HORIZON, "bills", draws=20).to_pandas()
    unpaid = bills[bills["unpaid"]].drop_duplicates(["customer_id", "draw"]).groupby("customer_id").size() / 20
    payments = pq.read_table(truth.folder / "payments.parquet").to_pandas()
    due = pd.Timestamp(CUTOFF) + pd.Timedelta(15, "D") - pd.Timedelta(1, "us")
    of_window = payments[(payments["due_at"] >= due) & (payments["due_at"] < due + pd.Timedelta(HORIZON, "D"))]
    owing = of_window.loc[of_window["paid_at"].isna(), "customer_id"].unique()
    assert len(owing) > 5
    assert abs(deviation(np.ones(len(owing)), unpaid.to_numpy(), np.sqrt(unpaid * (1 - unpaid) / 20))) < 3
    steps = retold(truth, [CUTOFF], 90, "steps", of="prospects", draws=20).to_pandas()
    direct = truth.conversion([CUTOFF], [90]).to_pandas()
    signed = (steps["stage"] == "contract").sum() / 20
    assert signed == pytest.approx(direct["probability"].sum(), rel=4 / np.sqrt(20 * signed))


def test_trouble_begins_as_often_as_it_is_said(truth: Truth) -> None:
    found = truth.trouble([CUTOFF], 180).to_pandas()
    turns = truth.turns().to_pandas()
    begun = turns[turns["turn"] == "trouble"].set_index("customer_id")["at"]
    when = found["customer_id"].map(begun)
    assert (found["begun"] == (when < pd.Timestamp(CUTOFF))).all()
    assert ((found["kind"] == "none") == (found["probability"] == 0)).all()
    soon = (when < pd.Timestamp(CUTOFF) + pd.Timedelta(180, "D")).to_numpy()
    assert abs(deviation(soon[~found["begun"]], found.loc[~found["begun"], "probability"].to_numpy())) < 3


def test_answers_foretell_responses(truth: Truth) -> None:
    contacts = pq.read_table(truth.folder / "contacts.parquet").to_pandas()
    responses = pq.read_table(truth.folder / "responses.parquet").to_pandas()
    campaigns = pq.read_table(truth.folder / "campaigns.parquet").to_pandas()
    numbers = campaigns.loc[(campaigns["kind"] == "cross_sell") & (campaigns["ends_at"] < "2024-12-01"), "campaign_id"]
    rows = contacts[contacts["campaign_id"].isin(numbers.iloc[-4:]) & contacts["customer_id"].notna()]
    table = pa.Table.from_pandas(rows[["customer_id", "campaign_id"]].astype(int), preserve_index=False)
    probability = true_probabilities(truth, "conversion", table, draws=3)
    hits = rows["contact_id"].isin(responses["contact_id"]).to_numpy()
    assert not probability[~rows["treated"]].any()
    assert hits.sum() > 20
    assert_calibrated(hits, probability, groups=3)


def test_references_are_worth_something_to_a_few(truth: Truth) -> None:
    found = references(truth, [date(2023, 12, 1)], draws=6, sample=40).to_pandas()
    stars = people_of(truth)["star"]
    is_star = found["customer_id"].map(stars)
    assert (found["margin_each"] > 0).all()
    assert found.loc[is_star, "reference_margin"].mean() > 4 * found.loc[~is_star, "reference_margin"].mean()


def test_true_probabilities_stand_in_the_order_of_the_rows(truth: Truth, lines: pd.DataFrame) -> None:
    ids = np.sort(lines.loc[lines["at"] < pd.Timestamp(CUTOFF), "customer_id"].unique())
    rows = pa.table(
        {
            "customer_id": pa.array([str(number) for number in ids]),
            "cutoff": pa.array([datetime(2024, 2, 29, 23, 59, 59, 999_999)] * len(ids), pa.timestamp("us")),
        }
    )
    probability = true_probabilities(truth, "churn", rows, horizon=HORIZON, draws=4)
    stayed_away = ~np.isin(ids, within(lines, HORIZON)["customer_id"])
    assert 0.9 < roc_auc(stayed_away, probability) < 1
    backwards = true_probabilities(truth, "churn", rows.take(np.arange(len(ids))[::-1]), horizon=HORIZON, draws=4)
    assert (backwards[::-1] == probability).all()
    for task in ("value", "winback"):
        assert (true_probabilities(truth, task, rows, horizon=HORIZON, draws=4) == 1 - probability).all()


def test_expected_margins_stand_in_the_order_of_the_rows(truth: Truth) -> None:
    known = truth.futures([CUTOFF], HORIZON, draws=2).slice(0, 40).select(["customer_id", "cutoff", "margin"])
    ids = [*known["customer_id"].to_pylist()[::-1], 987_654_321]
    rows = pa.table(
        {
            "customer_id": pa.array(map(str, ids)),
            "cutoff": pa.array([datetime(2024, 2, 29, 23, 59, 59, 999_999)] * len(ids), pa.timestamp("us")),
        }
    )
    found = true_margins(truth, rows, horizon=HORIZON, draws=2)
    assert found[:-1].tolist() == known["margin"].to_pylist()[::-1]
    assert np.isnan(found[-1])
    assert found[:-1].max() > 0


def test_an_unknown_task_has_no_ceiling(truth: Truth) -> None:
    rows = pa.table({"customer_id": ["1"], "cutoff": pa.array([datetime(2024, 3, 1)], pa.timestamp("us"))})
    with pytest.raises(DataError, match="no ceiling of the task 'weather'"):
        true_probabilities(truth, "weather", rows)


def test_p_alive_in_a_pure_world_is_the_formula(tmp_path: Path) -> None:
    config = WorldConfig.pure(r=0.8, alpha=10.0, a=0.8, b=2.5)
    pure = Truth(write_world(tmp_path / "pure", customers=300, seed=2, parameters=config))
    cutoff = date(2023, 1, 1)
    alive = pure.silence([cutoff], [30]).to_pandas().set_index("customer_id")
    visits = pq.read_table(pure.folder / "transactions.parquet").to_pandas()
    visits = visits[visits["at"] < pd.Timestamp(cutoff)].groupby("customer_id")
    people = people_of(pure).loc[alive.index]
    silent = (pd.Timestamp(cutoff) - visits["at"].max()) / pd.Timedelta(days=1)
    repeats = visits["order_id"].nunique() - 1
    p, rate = people["p_drop"], people["rate"]
    expected = (1 / (1 + p / (1 - p) * np.exp(rate * silent))).where(repeats > 0, 1.0)
    assert np.allclose(alive["p_alive"], expected, atol=1e-9)
    buys = alive["p_alive"] * (1 - np.exp(-30 * rate))
    assert np.allclose(1 - alive["probability"], buys, atol=1e-9)


def test_a_truth_of_other_lives_is_refused(tmp_path: Path) -> None:
    folder = write_world(tmp_path / "world", customers=200, seed=8)
    file = folder / "truth" / "people.parquet"
    people = pq.read_table(file)
    visits = people["visits"].to_numpy().copy()
    visits[0] += 1
    pq.write_table(people.set_column(people.column_names.index("visits"), "visits", pa.array(visits)), file)
    with pytest.raises(DataError, match="another version"):
        Truth(folder).silence([CUTOFF], [20])


def test_what_the_truth_cannot_tell(truth: Truth, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no truth"):
        Truth(tmp_path)
    with pytest.raises(DataError, match="midnights"):
        truth.silence([datetime(2024, 3, 1, 12)], [20])
    with pytest.raises(DataError, match="outside this world"):
        truth.silence([date(2031, 1, 1)], [20])
    with pytest.raises(DataError, match="no events 'dreams'"):
        retold(truth, [CUTOFF], 20, "dreams")
    with pytest.raises(DataError, match="no offer 7 of kind 'winback'"):
        retold(truth, [CUTOFF], 20, "lines", offer=("winback", 7))
    with pytest.raises(DataError, match="prospects, who have no margin"):
        worth(truth, [CUTOFF], "acquisition")
    with pytest.raises(DataError, match="no offers of kind 'spam'"):
        effects(truth, [CUTOFF], "spam")
