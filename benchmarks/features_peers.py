"""The peers of benchmarks/features.py: the same 74 columns by hand, as segment SQL for DuckDB and in vectorised pandas.

Both read `transactions.parquet` and `interactions.parquet` with amounts as doubles, and write one Parquet file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pandas as pd
from features_data import CATEGORIES, KINDS

WINDOWS, DISTINCT, INTERACTION, HORIZON = (7, 30, 90, 180, 365), (90, 365), (30, 90, 365), 90


# ------------------------------------------------------------------------------------------- segment SQL
class SegmentSQL:
    """All cutoffs and windows split time into segments; windows are sums of segments, distincts are bit masks."""

    def __init__(self, cutoffs: Sequence[datetime]) -> None:
        self.cutoffs = list(cutoffs)
        windows = [*WINDOWS, 60]
        self.edges = self._edges(windows, [timedelta(days=HORIZON)])
        self.coarse = self._edges([365], [])

    def run(self, connection: duckdb.DuckDBPyConnection, folder: Path, out: Path) -> None:
        """Write the columns of all cutoffs."""
        for name in ("transactions", "interactions"):
            connection.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS FROM '{folder / name}.parquet'")
        for name, query in self._steps().items():
            connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {query}")
        snapshots = " UNION ALL ".join(self._snapshot(cutoff) for cutoff in self.cutoffs)
        connection.execute(f"COPY ({snapshots}) TO '{out}' (FORMAT parquet, COMPRESSION zstd)")
        for name in self._steps():
            connection.execute(f"DROP TABLE {name}")

    def _edges(self, windows: Sequence[int], ahead: Sequence[timedelta]) -> list[datetime]:
        back = {cutoff - timedelta(days=window) for cutoff in self.cutoffs for window in windows}
        return sorted(back | {*self.cutoffs} | {cutoff + days for cutoff in self.cutoffs for days in ahead})

    def _segment(self, edges: Sequence[datetime], leaf: Callable[[int], object] = int, low: int = 0) -> str:
        def tree(low: int, high: int) -> str:
            if low == high:
                return str(leaf(low))
            middle = (low + high) // 2
            return (
                f'CASE WHEN "at" <= {_time(edges[middle])} THEN {tree(low, middle)} ELSE {tree(middle + 1, high)} END'
            )

        return tree(low, len(edges))

    def _within(self, cutoff: datetime, window: int | None, edges: Sequence[datetime], column: str = "seg") -> str:
        last = f"{column} <= {edges.index(cutoff)}"
        if window is None:
            return last
        return f"{last} AND {column} > {edges.index(cutoff - timedelta(days=window))}"

    def _mask(self, cutoff: datetime, window: int | None) -> int:
        first = 0 if window is None else self.edges.index(cutoff - timedelta(days=window)) + 1
        return sum(1 << segment for segment in range(first, self.edges.index(cutoff) + 1))

    def _steps(self) -> dict[str, str]:
        segment = f"CAST({self._segment(self.edges)} AS TINYINT)"
        bit = f"CAST({self._segment(self.edges, lambda number: 1 << number)} AS BIGINT)"
        coarse = f"CAST({self._segment(self.coarse)} AS TINYINT)"
        before = 'LAG("at") OVER (PARTITION BY customer_id ORDER BY "at")'
        products, sums = [], []
        for i, cutoff in enumerate(self.cutoffs):
            for window in (*DISTINCT, None):
                seen = f"COUNT(*) FILTER (WHERE m & {self._mask(cutoff, window)} <> 0)"
                products.append(f"{seen} AS products_{_name(window)}_{i}")
            sums.append(f"SUM(s) FILTER (WHERE {self._within(cutoff, None, self.coarse)}) AS life_{i}")
            sums.append(f"SUM(s) FILTER (WHERE {self._within(cutoff, 365, self.coarse)}) AS year_{i}")
        return {
            "by_segment": f"""
                SELECT customer_id, {segment} AS seg, COUNT(*) AS n, SUM(amount) AS s, SUM(quantity) AS q,
                    MAX(amount) AS largest, MAX("at") AS last_at, MIN("at") AS first_at,
                    ARG_MAX(channel, struct_pack(a := "at", c := channel)) AS channel,
                    COUNT(gap) FILTER (WHERE is_visit) AS gaps, SUM(gap * gap) AS squares
                FROM (
                    SELECT *, (EPOCH_US("at") - EPOCH_US({before})) / 8.64e10 AS gap,
                        {before} IS DISTINCT FROM "at" AS is_visit
                    FROM transactions)
                GROUP BY customer_id, seg""",
            "by_product": f"SELECT customer_id, product_id, BIT_OR({bit}) AS m FROM transactions GROUP BY ALL",
            "products": f"SELECT customer_id, {', '.join(products)} FROM by_product GROUP BY customer_id",
            "by_category_and_segment": f"""
                SELECT customer_id, category, {coarse} AS seg, SUM(amount) AS s, BIT_OR({bit}) AS m
                FROM transactions GROUP BY customer_id, category, seg""",
            "by_category": f"""
                SELECT customer_id, category, {", ".join(sums)}, BIT_OR(m) AS m
                FROM by_category_and_segment GROUP BY customer_id, category""",
            "contacts": f"""
                SELECT customer_id, kind, {segment} AS seg, COUNT(*) AS n, MAX("at") AS last_at
                FROM interactions GROUP BY customer_id, kind, seg""",
        }

    def _snapshot(self, cutoff: datetime) -> str:
        i, now = self.cutoffs.index(cutoff), _time(cutoff)
        life = f"FILTER (WHERE {self._within(cutoff, None, self.edges)})"
        base, final = [], []
        for window in (*WINDOWS, 60):
            inside = f"FILTER (WHERE {self._within(cutoff, window, self.edges)})"
            base += [f"COALESCE(SUM(n) {inside}, 0)::BIGINT AS n_{window}d"]
            base += [f"COALESCE(SUM(s) {inside}, 0) AS sum_{window}d"]
            if window in DISTINCT:
                base.append(f"COALESCE(SUM(q) {inside}, 0) AS quantity_{window}d")
            if window == 365:
                base.append(f"MAX(largest) {inside} AS largest")
        base += [
            f"SUM(n) {life} AS n_life",
            f"SUM(s) {life} AS sum_life",
            f"ARG_MAX(channel, seg) {life} AS last_channel",
        ]
        base += [f"MAX(last_at) {life} AS last_at", f"MIN(first_at) {life} AS first_at"]
        base += [f"SUM(gaps) {life} AS gaps", f"SUM(squares) {life} AS squares"]
        ahead = f"seg > {self.edges.index(cutoff)} AND seg <= {self.edges.index(cutoff + timedelta(days=HORIZON))}"
        base.append(f"(COUNT(*) FILTER (WHERE {ahead}) = 0)::TINYINT AS target")
        final += [
            f"b.n_{_name(w)}, b.sum_{_name(w)}, b.sum_{_name(w)} / b.n_{_name(w)} AS mean_{_name(w)}"
            for w in (*WINDOWS, None)
        ]
        final += [f"{_days('b.last_at', now)} AS recency", f"{_days('b.first_at', now)} AS tenure"]
        total = _days("b.first_at", "b.last_at")
        final.append(f"{total} / NULLIF(b.gaps, 0) AS gap_mean")
        variance = f"GREATEST(b.squares - POWER({total}, 2) / b.gaps, 0) / (b.gaps - 1)"
        final.append(f"CASE WHEN b.gaps > 1 THEN SQRT({variance}) END AS gap_spread")
        final += [f"p.products_{_name(w)}_{i} AS products_{_name(w)}" for w in (*DISTINCT, None)]
        final += ["c.* EXCLUDE (customer_id)", "b.quantity_90d, b.quantity_365d, b.largest, b.last_channel"]
        final += ["b.n_30d / NULLIF(b.n_60d, 0) AS trend_n", "b.sum_30d / NULLIF(b.sum_60d, 0) AS trend_sum"]
        final += [f"COALESCE(k.{kind}_{w}d, 0) AS {kind}_{w}d" for kind in KINDS for w in INTERACTION]
        final += [f"{_days('k.last_complaint', now)} AS days_since_complaint", "b.target"]
        category = [
            f"COALESCE(SUM(year_{i}) FILTER (WHERE category = {k}), 0) AS category_{k}" for k in range(CATEGORIES)
        ]
        category.append(f"MAX(life_{i}) / SUM(life_{i}) AS top_share")
        for window in (*DISTINCT, None):
            seen = f"m & {self._mask(cutoff, window)} <> 0"
            category.append(f"COUNT(*) FILTER (WHERE {seen}) AS categories_{_name(window)}")
        contact = []
        for kind in KINDS:
            for window in INTERACTION:
                inside = f"FILTER (WHERE kind = '{kind}' AND {self._within(cutoff, window, self.edges)})"
                contact.append(f"COALESCE(SUM(n) {inside}, 0)::BIGINT AS {kind}_{window}d")
        contact.append("MAX(last_at) FILTER (WHERE kind = 'complaint') AS last_complaint")
        known = self._within(cutoff, None, self.edges)
        return f"""
            SELECT b.customer_id, {now} AS cutoff, {", ".join(final)}
            FROM (
                SELECT customer_id, {", ".join(base)} FROM by_segment GROUP BY customer_id
                HAVING MIN(seg) <= {self.edges.index(cutoff)}) b
            LEFT JOIN products p USING (customer_id)
            LEFT JOIN (SELECT customer_id, {", ".join(category)} FROM by_category GROUP BY customer_id) c
                USING (customer_id)
            LEFT JOIN (SELECT customer_id, {", ".join(contact)} FROM contacts WHERE {known} GROUP BY customer_id) k
                USING (customer_id)"""


def _time(moment: datetime) -> str:
    return f"TIMESTAMP '{moment}'"


def _name(window: int | None) -> str:
    return "life" if window is None else f"{window}d"


def _days(earlier: str, later: str) -> str:
    return f"(EPOCH_US({later}) - EPOCH_US({earlier})) / 8.64e10"


# ------------------------------------------------------------------------------------------- pandas
def with_pandas(folder: Path, out: Path, cutoffs: Sequence[datetime]) -> None:
    """Filter and group at each cutoff, as a data scientist writes it."""
    purchases = pd.read_parquet(folder / "transactions.parquet")
    interactions = pd.read_parquet(folder / "interactions.parquet")
    purchases = purchases.sort_values(["customer_id", "at", "channel"], kind="stable")
    visits = purchases[["customer_id", "at"]].drop_duplicates()
    visits["gap"] = visits.groupby("customer_id")["at"].diff().dt.total_seconds() / 86_400
    tables = [_at(pd.Timestamp(cutoff), purchases, visits, interactions) for cutoff in cutoffs]
    pd.concat(tables).to_parquet(out, compression="zstd")


def _at(cutoff: pd.Timestamp, purchases: pd.DataFrame, visits: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    past = purchases[purchases["at"] <= cutoff]
    by_customer = past.groupby("customer_id")
    table = by_customer.agg(
        n_life=("amount", "size"),
        sum_life=("amount", "sum"),
        mean_life=("amount", "mean"),
        last_at=("at", "max"),
        first_at=("at", "min"),
        products_life=("product_id", "nunique"),
        categories_life=("category", "nunique"),
        last_channel=("channel", "last"),
    )
    gaps = visits[visits["at"] <= cutoff].groupby("customer_id")["gap"].agg(["mean", "std"])
    table[["gap_mean", "gap_spread"]] = gaps
    for window in (*WINDOWS, 60):
        recent = past[past["at"] > cutoff - pd.Timedelta(days=window)]
        by_recent = recent.groupby("customer_id")
        names = [f"n_{window}d", f"sum_{window}d", f"mean_{window}d"]
        table[names] = by_recent["amount"].agg(["size", "sum", "mean"])
        if window in DISTINCT:
            table[f"products_{window}d"] = by_recent["product_id"].nunique()
            table[f"categories_{window}d"] = by_recent["category"].nunique()
            table[f"quantity_{window}d"] = by_recent["quantity"].sum()
        if window == 365:
            table["largest"] = by_recent["amount"].max()
            spent = recent.pivot_table(index="customer_id", columns="category", values="amount", aggfunc="sum")
            spent = spent.reindex(columns=range(CATEGORIES))
            spent.columns = [f"category_{category}" for category in range(CATEGORIES)]
            table = table.join(spent)
    of_category = past.groupby(["customer_id", "category"])["amount"].sum().groupby("customer_id").max()
    table["top_share"] = of_category / table["sum_life"]
    known = others[others["at"] <= cutoff]
    for window in INTERACTION:
        recent = known[known["at"] > cutoff - pd.Timedelta(days=window)]
        counts = recent.groupby(["customer_id", "kind"]).size().unstack(fill_value=0)
        counts = counts.reindex(columns=list(KINDS), fill_value=0)
        counts.columns = [f"{kind}_{window}d" for kind in KINDS]
        table = table.join(counts)
    complaint = known[known["kind"] == "complaint"].groupby("customer_id")["at"].max()
    day = pd.Timedelta(days=1)
    table["days_since_complaint"] = (cutoff - complaint.reindex(table.index)) / day
    zero = ("n_", "sum_", "products_", "categories_", "quantity_", "category_", *KINDS)
    counted = [name for name in table.columns if name.startswith(zero)]
    table[counted] = table[counted].fillna(0)
    table["trend_n"], table["trend_sum"] = table["n_30d"] / table["n_60d"], table["sum_30d"] / table["sum_60d"]
    table["recency"], table["tenure"] = (cutoff - table["last_at"]) / day, (cutoff - table["first_at"]) / day
    ahead = purchases[(purchases["at"] > cutoff) & (purchases["at"] <= cutoff + pd.Timedelta(days=HORIZON))]
    table["target"] = (~table.index.isin(ahead["customer_id"].unique())).astype("int8")
    table["cutoff"] = cutoff
    return table.drop(columns=["last_at", "first_at", "n_60d", "sum_60d"]).reset_index()
