"""The arithmetic of the scoring benchmark, and the pandas features of its peer, by hand."""

from __future__ import annotations

import pandas as pd
import usual_route

import scoring


def test_the_usual_route_is_scaled_to_all_rows_and_customers():
    line = {
        "customers": 1_000,
        "model": "small",
        "rows": 600,
        "buckets": 2,
        "seconds": 0.5,
        "ratio": 1.25,
        "memory": 900.0,
    }
    peer = {"features": 1e-3, "predict": 1e-3, "explain": 3e-3, "write": 1e-3, "columns": 43}
    block, said = scoring.told([line], {"small": peer}, 300)
    assert (
        block.splitlines()[-1] == "| small | 1,000 | 600 | 2 | 0.5 | 50.00 | 1.25 | 8 | 900 |"
    )  # (1 + 600 * 0.005) / 0.5
    assert "300 rows and 3,000 customers" in said


def test_pandas_features_by_hand():
    at = pd.to_datetime(["2024-01-01", "2024-01-01", "2024-01-05", "2024-01-20"])
    lines = pd.DataFrame(
        {
            "customer_id": 1,
            "at": at,
            "amount": [1.0, 2.0, 4.0, 8.0],
            "product_id": [1, 2, 1, 1],
            "order_id": [1, 1, 2, 3],
        }
    )
    products = pd.DataFrame({"product_id": [1, 2], "category": ["tea", "jam"]})
    found = usual_route.pandas_features(lines, products, pd.Timestamp("2024-01-10")).loc[1]
    assert (found["spend_7d"], found["spend_30d"], found["visits_30d"]) == (4.0, 7.0, 2)  # the fourth line is not known
    assert (found["categories_30d"], found["gap_mean"], found["days_since_visit"]) == (2, 4.0, 5.0)
    assert found["top_category_share_90d"] == 5 / 7
