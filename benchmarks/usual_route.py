"""The usual way to score a company: features with pandas, `mlflow.pyfunc`, shap's TreeExplainer, `to_parquet`.

It is what a careful data scientist writes: one merge and a few vectorised groupbys a window, no loop over rows. It
computes fewer features than Rapport does for the same model, which is to its advantage; what it lacks is taken from
Rapport's snapshot before the clock runs, so that both score the same rows with the same model.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from rapport.models.bundle import Bundle

WINDOWS = (7, 30, 56, 90, 180, 365)


@dataclass(frozen=True)
class Usual:
    """CPU seconds of each step, for one row (features: for one customer), and how many features pandas computed."""

    features: float
    predict: float
    explain: float
    write: float
    columns: int


def pandas_features(lines: pd.DataFrame, products: pd.DataFrame, cutoff: pd.Timestamp) -> pd.DataFrame:
    """One row a customer, from purchase lines up to the cutoff."""
    lines = lines[lines["at"] <= cutoff].merge(products, on="product_id", how="left")
    lines["age"] = (cutoff - lines["at"]).dt.total_seconds() / 86_400
    parts = []
    for days in WINDOWS:
        seen = lines[lines["age"] < days].groupby("customer_id")
        found = seen.agg(
            spend=("amount", "sum"),
            lines=("amount", "size"),
            largest=("amount", "max"),
            visits=("order_id", "nunique"),
            categories=("category", "nunique"),
            products=("product_id", "nunique"),
        )
        parts.append(found.add_suffix(f"_{days}d"))
    visits = lines.groupby(["customer_id", "order_id"], as_index=False)["at"].max().sort_values(["customer_id", "at"])
    visits["gap"] = visits.groupby("customer_id")["at"].diff().dt.total_seconds() / 86_400
    gaps = visits.groupby("customer_id").agg(
        first=("at", "min"),
        last=("at", "max"),
        gap_mean=("gap", "mean"),
        gap_spread=("gap", "std"),
        gap_median=("gap", "median"),
        gap_largest=("gap", "max"),
    )
    gaps["days_known"] = (cutoff - gaps.pop("first")).dt.total_seconds() / 86_400
    gaps["days_since_visit"] = (cutoff - gaps.pop("last")).dt.total_seconds() / 86_400
    recent = lines[lines["age"] < 90]
    by_category = recent.groupby(["customer_id", "category"])["amount"].sum()
    top = by_category.groupby("customer_id").max() / by_category.groupby("customer_id").sum()
    table = pd.concat([*parts, gaps, top.rename("top_category_share_90d")], axis=1)
    return table[table["days_since_visit"] < 90]


def measure(bundle: Bundle, model: Path, snapshot: pa.Table, company: Path, customers: int, folder: Path) -> Usual:
    """Every step of it on a share: rows of a snapshot, and the purchases of so many customers."""
    import mlflow.pyfunc
    import shap

    lines = pd.read_parquet(company / "transactions.parquet", filters=[("customer_id", "<", customers)])
    products = pd.read_parquet(company / "products.parquet", columns=["product_id", "category"])
    begun = time.process_time()
    made = pandas_features(lines, products, pd.Timestamp("2024-01-01") - pd.Timedelta(hours=1))
    features = (time.process_time() - begun) / customers

    frame, rows = bundle.frame(snapshot), snapshot.num_rows
    loaded = mlflow.pyfunc.load_model(str(model))
    loaded.predict(frame.head(100))
    begun = time.process_time()
    scored = loaded.predict(frame)
    predict = (time.process_time() - begun) / rows

    begun = time.process_time()
    explainer = shap.TreeExplainer(bundle.model.booster)
    values = np.asarray(explainer.shap_values(bundle.model.encode(snapshot), check_additivity=False))
    best = np.argsort(-np.abs(values), axis=1)[:, :5]
    explain = (time.process_time() - begun) / rows

    names = np.array([column.name for column in bundle.columns])
    begun = time.process_time()
    result = pd.DataFrame({"entity_id": snapshot["customer_id"].to_pandas(), **scored})
    for k in range(5):
        result[f"reason_{k + 1}_feature"] = names[best[:, k]]
        result[f"reason_{k + 1}_contribution"] = np.take_along_axis(values, best[:, k : k + 1], axis=1)[:, 0]
    result.to_parquet(folder / "usual.parquet")
    write = (time.process_time() - begun) / rows
    return Usual(features, predict, explain, write, made.shape[1])
