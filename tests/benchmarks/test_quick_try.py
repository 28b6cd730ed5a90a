"""The quick try must be an honest one: twenty features of a task, and none of them sees past the cutoff."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import quick_try

CUTOFF = pd.Timestamp("2017-06-01 04:00")
CATEGORIES = ("MILK", "BREAD", "BEER")


def small_tables(seed: int = 0) -> dict[str, pd.DataFrame]:
    """Tables like those of the package: 8 households, 12 products, half a year."""
    random = np.random.default_rng(seed)
    count = 600
    basket = random.integers(0, 150, count)
    day = pd.Timestamp("2017-02-01") + pd.to_timedelta(basket * 1.2, unit="D") + pd.Timedelta(hours=15)
    transactions = pd.DataFrame(
        {
            "household_id": basket % 8,
            "basket_id": basket,
            "product_id": random.integers(0, 12, count),
            "sales_value": random.gamma(2, 2, count).round(2),
            "retail_disc": random.random(count).round(2),
            "coupon_disc": 0.0,
            "coupon_match_disc": 0.0,
            "transaction_timestamp": day,
        }
    )
    product = list(range(12))
    products = pd.DataFrame(
        {
            "product_id": product,
            "product_category": [CATEGORIES[i % 3] for i in product],
            "department": [("FOOD", "DRINKS")[i % 3 == 2] for i in product],
            "brand": [("National", "Private")[i % 2] for i in product],
        }
    )
    return {
        "transactions": transactions,
        "products": products,
        "campaigns": pd.DataFrame({"campaign_id": [1] * 8 + [2] * 4, "household_id": [*range(8), *range(4)]}),
        "campaign_descriptions": pd.DataFrame(
            {
                "campaign_id": [1, 2],
                "campaign_type": ["Type A", "Type B"],
                "start_date": pd.to_datetime(["2017-06-01", "2017-03-01"]),
                "end_date": pd.to_datetime(["2017-06-30", "2017-04-15"]),
            }
        ),
        "coupons": pd.DataFrame({"coupon_upc": [7, 7, 8], "product_id": [0, 1, 2], "campaign_id": [1, 1, 2]}),
        "coupon_redemptions": pd.DataFrame(
            {
                "household_id": [1, 1],
                "campaign_id": [2, 1],
                "redemption_date": pd.to_datetime(["2017-03-09", "2017-06-09"]),
            }
        ),
    }


@pytest.fixture
def tables(monkeypatch):
    made = small_tables()
    monkeypatch.setattr(quick_try, "raw", made.__getitem__)
    quick_try.lines.cache_clear()
    yield made
    quick_try.lines.cache_clear()


def rows(task: str) -> pd.DataFrame:
    if task == "next_offer":
        pairs = [(household, category) for household in range(8) for category in CATEGORIES]
        frame = pd.DataFrame(pairs, columns=["customer_id", "category"])
    else:
        frame = pd.DataFrame({"customer_id": range(8), "campaign_id": 1})
    return frame.assign(cutoff=CUTOFF)


@pytest.mark.parametrize("task", quick_try.TASKS)
def test_twenty_features_in_the_order_of_the_rows(tables, task):
    wanted = rows(task).sample(frac=1, random_state=0)
    found = quick_try.features(task, wanted)
    assert found.shape == (len(wanted), 20)
    assert list(found.index) == list(wanted.index)
    assert found.equals(quick_try.features(task, rows(task)).reindex(wanted.index))


@pytest.mark.parametrize("task", quick_try.TASKS)
def test_no_feature_sees_past_the_cutoff(tables, task):
    whole = quick_try.features(task, rows(task))
    for name, at in (("transactions", "transaction_timestamp"), ("coupon_redemptions", "redemption_date")):
        tables[name] = tables[name][tables[name][at] <= CUTOFF]
    quick_try.lines.cache_clear()
    pd.testing.assert_frame_equal(quick_try.features(task, rows(task)), whole)


def test_features_are_what_their_names_say(tables):
    lines = tables["transactions"]
    mine = lines[(lines.household_id == 3) & (lines.transaction_timestamp <= CUTOFF)]
    recent = mine[mine.transaction_timestamp > CUTOFF - pd.Timedelta(days=30)]
    found = quick_try.features("churn", rows("churn")).iloc[3]
    assert found.visits_all == mine.basket_id.nunique()
    assert found.spend_30 == pytest.approx(recent.sales_value.sum(), rel=1e-5)
    assert found.days_since_last == pytest.approx((CUTOFF - mine.transaction_timestamp.max()) / pd.Timedelta(days=1))
    offered = mine[mine.product_id.isin([0, 1]) & (mine.transaction_timestamp > CUTOFF - pd.Timedelta(days=90))]
    of_campaign = quick_try.features("conversion", rows("conversion")).iloc[3]
    assert of_campaign.spend_on_offered_90 == pytest.approx(offered.sales_value.sum(), rel=1e-5)
    assert (of_campaign.campaign_type, of_campaign.campaign_products, of_campaign.campaigns) == (0, 2, 1)


def test_comparison_is_paired(monkeypatch):
    """A quick try that knows the target beats anything; one that equals the scores gains nothing, surely."""
    random = np.random.default_rng(0)
    target = random.integers(0, 2, 400)
    test = pd.DataFrame({"customer_id": np.arange(400) // 2, "cutoff": CUTOFF, "target": target})
    test["score"] = target * 0.3 + random.random(400) * 0.7
    monkeypatch.setattr(quick_try, "quick_scores", lambda task, training, test: (test.score.to_numpy(), ("x",)))
    same = quick_try.compare("churn", test, test, replicates=50)
    gain = same.comparison.gains["quick"]["average_precision"]
    assert (gain.low, gain.estimate, gain.high) == (0, 0, 0)
    assert not same.is_sure("average_precision")
    noise = random.random(400)
    monkeypatch.setattr(quick_try, "quick_scores", lambda task, training, test: (noise, ("x",)))
    better = quick_try.compare("churn", test, test, replicates=50)
    assert better.is_sure("average_precision")
    assert "| churn | average_precision |" in quick_try.report({"churn": better})[0]
