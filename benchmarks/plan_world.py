"""The simulated world as a planning problem: candidates, true effects of twelve actions, and effects as estimated.

Candidates are the customers of a world at several dates, each (customer, date) a candidate of his own. What an action
truly brings is the gain in margin less the cost of serving him, within `HORIZON` days, over no action: the mean over
futures that were lived with and without it. What the company can know of it is learned from its own randomised
contacts that were over before the first date.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import lightgbm as lgb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rapport.data.world.interventions import worth
from rapport.data.world.market import CAMPAIGN_KINDS, DISCOUNTS
from rapport.data.world.truth import Truth
from rapport.models.calibration import entity_folds
from rapport.models.uplift import doubly_robust

Floats = NDArray[np.float64]
HORIZON = 30
#: kind of campaign, its offer, the channel it goes through
ACTIONS = (
    ("cross_sell", 0, "email"), ("cross_sell", 1, "app"), ("cross_sell", 2, "post"),
    ("up_sell", 0, "email"), ("up_sell", 2, "post"),
    ("retention", 0, "email"), ("retention", 1, "post"), ("retention", 2, "phone"),
    ("winback", 1, "email"), ("winback", 2, "post"),
    ("service_rescue", 0, "phone"), ("service_rescue", 2, "phone"),
)  # fmt: skip
COSTS = {"email": 0.05, "app": 0.02, "post": 0.8, "phone": 2.5}
#: days since the last visit for which the company uses a kind of campaign, from and to
SILENT = {"cross_sell": (0, 180), "up_sell": (0, 120), "retention": (45, 120), "winback": (120, 900)}
SILENT |= {"service_rescue": (0, 180)}
_EVENTS = ("contacts", "responses", "transactions", "interactions")
_FEATURES = ("silence", "known", "visits", "visits_90d", "visits_365d", "margin_visit", "spend_365d", "asked",
             "answered",
             "complaints_60d", "age", "discount")  # fmt: skip


_TREES: dict[str, Any] = {
    "n_estimators": 150, "num_leaves": 15, "learning_rate": 0.05, "min_child_samples": 100, "verbose": -1, "n_jobs": 1,
    "colsample_bytree": 0.7, "deterministic": True,
}  # fmt: skip
_SMALL = _TREES | {"n_estimators": 80, "num_leaves": 6, "min_child_samples": 400, "reg_lambda": 50.0}


@dataclass(frozen=True)
class World:
    """Candidates (n,) with what each action (m,) brings before its cost: in truth, and as estimated.

    `may` (n, m) is who is eligible, `buys` (n,) the estimated probability of a purchase within the horizon, `visit`
    (n,) the margin of one.
    """

    truth: Floats
    estimate: Floats
    may: NDArray[np.bool_]
    buys: Floats
    visit: Floats


def load(folder: Path, days: Sequence[date], draws: int, seed: int = 0) -> World:
    """The problem of a written world at some dates."""
    con = duckdb.connect()
    for name in ("contacts", "responses", "campaigns", "transactions", "interactions", "customers", "offers"):
        renamed = ' RENAME ("at" AS moment)' if name in _EVENTS else ""
        con.execute(f"CREATE VIEW {name} AS SELECT *{renamed} FROM read_parquet('{folder / name}.parquet')")
    con.execute("""CREATE TABLE visits AS SELECT customer_id, order_id, min(moment) AS moment, sum(margin) AS margin,
        sum(amount) AS amount FROM transactions GROUP BY ALL""")
    people = _people(con, days)
    true = _true(folder, people, days, draws)
    estimate, buys = _estimated(con, people, min(days), seed)
    silence = people["silence"].to_numpy()
    may = np.column_stack([(silence >= SILENT[kind][0]) & (silence < SILENT[kind][1]) for kind, _, _ in ACTIONS])
    may[:, [kind == "service_rescue" for kind, _, _ in ACTIONS]] &= (people["complaints_60d"] > 0).to_numpy()[:, None]
    may &= people["consent"].to_numpy()[:, None]
    return World(true, estimate, may, buys, people["margin_visit"].to_numpy())


def _people(con: Any, days: Sequence[date]) -> pd.DataFrame:
    rows = " UNION ALL ".join(
        f"SELECT customer_id, TIMESTAMP '{day}' AS moment, consent FROM customers" for day in days
    )
    con.execute(f"CREATE TABLE asked AS SELECT row_number() OVER () AS row, * FROM ({rows})")
    found = _features(con, "asked")
    consent = con.execute("SELECT row, coalesce(consent, false) consent FROM asked ORDER BY row").df()
    return found.merge(consent, on="row").query("visits > 0").reset_index(drop=True)


def _features(con: Any, rows: str) -> pd.DataFrame:
    """What was known of each row (row, customer_id, moment) just before its moment."""
    return con.execute(f"""
        WITH v AS (SELECT r.row, count(o.moment) visits, max(o.moment) last, min(o.moment) first,
                   count(o.moment) FILTER (o.moment >= r.moment - INTERVAL 90 DAY) visits_90d,
                   count(o.moment) FILTER (o.moment >= r.moment - INTERVAL 365 DAY) visits_365d,
                   avg(o.margin) margin_visit, sum(o.amount) FILTER (o.moment >= r.moment - INTERVAL 365 DAY) spend_365d
                   FROM {rows} r LEFT JOIN visits o ON o.customer_id = r.customer_id AND o.moment < r.moment
                   GROUP BY r.row),
             c AS (SELECT r.row, count(k.contact_id) asked, count(s.contact_id) answered FROM {rows} r
                   LEFT JOIN contacts k ON k.customer_id = r.customer_id AND k.treated
                        AND k.moment < r.moment - INTERVAL 21 DAY
                   LEFT JOIN responses s ON s.contact_id = k.contact_id GROUP BY r.row),
             i AS (SELECT r.row, count(t.moment) complaints_60d FROM {rows} r LEFT JOIN interactions t
                   ON t.customer_id = r.customer_id AND t.moment < r.moment AND t.moment >= r.moment - INTERVAL 60 DAY
                   AND t.kind IN ('complaint', 'failure') GROUP BY r.row)
        SELECT r.row, r.customer_id, r.moment, date_diff('day', v.last, r.moment) silence,
               date_diff('day', v.first, r.moment) known,
               v.visits, v.visits_90d, v.visits_365d, coalesce(v.margin_visit, 0)::DOUBLE margin_visit,
               coalesce(v.spend_365d, 0)::DOUBLE spend_365d, c.asked, c.answered, i.complaints_60d,
               date_diff('year', u.birth_date, r.moment) age
        FROM {rows} r JOIN v USING (row) JOIN c USING (row) JOIN i USING (row)
        LEFT JOIN customers u ON u.customer_id = r.customer_id ORDER BY r.row""").df()


def _true(folder: Path, people: pd.DataFrame, days: Sequence[date], draws: int) -> Floats:
    truth, found = Truth(folder), np.zeros((len(people), len(ACTIONS)))
    keys = people[["customer_id", "moment"]].rename(columns={"moment": "cutoff"})
    keys["cutoff"] = keys["cutoff"].astype("datetime64[us]")
    for kind in dict.fromkeys(kind for kind, _, _ in ACTIONS):
        gains = worth(truth, list(days), kind, HORIZON, draws=draws).to_pandas()
        gains["gain"] = gains["margin_gain"] - gains["service_cost_gain"]
        wide = gains.pivot(index=["customer_id", "cutoff"], columns="offer", values="gain").reset_index()
        wide["cutoff"] = wide["cutoff"].astype("datetime64[us]")
        matched = keys.merge(wide, on=["customer_id", "cutoff"], how="left")
        for place, (own, offer, _) in enumerate(ACTIONS):
            if own == kind:
                found[:, place] = matched[offer].fillna(0.0).to_numpy()
    return found


def _estimated(con: Any, people: pd.DataFrame, until: date, seed: int) -> tuple[Floats, Floats]:
    """Effects (n, m) on the margin by a DR-learner a kind, from contacts over before a date; P(purchase) (n,)."""
    last = until - timedelta(days=HORIZON)
    con.execute(f"""CREATE TABLE tried AS SELECT row_number() OVER () AS row, k.customer_id, k.moment, k.treated,
        g.kind,
        coalesce(o.discount, 0)::DOUBLE discount FROM contacts k JOIN campaigns g USING (campaign_id)
        LEFT JOIN offers o USING (offer_id)
        WHERE k.customer_id IS NOT NULL AND k.moment < TIMESTAMP '{last}'
        AND k.moment >= TIMESTAMP '{last}' - INTERVAL 730 DAY""")
    came = con.execute(f"""SELECT r.row, r.kind, r.treated, r.discount, count(o.moment) came
        FROM tried r LEFT JOIN visits o
        ON o.customer_id = r.customer_id AND o.moment >= r.moment AND o.moment < r.moment + INTERVAL {HORIZON} DAY
        GROUP BY ALL ORDER BY r.row""").df()
    rows = _features(con, "tried").merge(came, on="row")
    redeemed = dict(con.execute("""SELECT g.kind, count(DISTINCT s.contact_id) / count(DISTINCT k.contact_id)
        FROM contacts k JOIN campaigns g USING (campaign_id) LEFT JOIN responses s USING (contact_id)
        WHERE k.treated GROUP BY g.kind""").fetchall())  # fmt: skip
    effects, columns = np.zeros((len(people), len(ACTIONS))), list(_FEATURES)
    shrunk = rows["margin_visit"].mean()
    margin = (people["margin_visit"] * people["visits"] + 3 * shrunk) / (people["visits"] + 3)
    basket = (people["spend_365d"] / people["visits_365d"].clip(1)).to_numpy()
    for kind in dict.fromkeys(kind for kind, _, _ in ACTIONS):
        effect = _effect(rows[rows["kind"] == kind], columns, seed)
        for place, (action, offer, _) in enumerate(ACTIONS):
            if action == kind:
                discount = DISCOUNTS[CAMPAIGN_KINDS.index(kind)][offer]
                more = effect(people.assign(discount=discount)[columns].to_numpy(float))
                effects[:, place] = more * margin - discount * redeemed[kind] * basket
    plain = [name for name in columns if name != "discount"]
    untreated = rows[~rows["treated"].astype(bool)]
    chance = lgb.LGBMClassifier(**(_TREES | {"random_state": seed}))
    chance.fit(untreated[plain].to_numpy(float), untreated["came"] > 0)
    return effects, np.asarray(chance.predict_proba(people[plain].to_numpy(float))[:, 1])


def _effect(own: pd.DataFrame, columns: list[str], seed: int) -> Callable[[Floats], Floats]:
    """The effect of a kind's contact on the visits of the horizon, by a cross-fitted DR-learner, shrunk.

    What a contact does differently to different people is multiplied by the slope of the doubly robust outcome on
    predictions for customers that the trees had not seen, between 0 and 1: what does not hold there is not believed.
    """
    X, y, treated = own[columns].to_numpy(float), own["came"].to_numpy(float), own["treated"].to_numpy(float)
    plain, groups = X.copy(), own["customer_id"].to_numpy()
    plain[:, -1] = 0.0
    means, unseen = np.empty((len(y), 2)), np.empty(len(y))
    full, small = _TREES | {"random_state": seed}, _SMALL | {"random_state": seed}
    for rest, fold in entity_folds(groups, seed=seed, folds=3):
        for arm in (0, 1):
            mine = rest[treated[rest] == arm]
            means[fold, arm] = lgb.LGBMRegressor(**full).fit(plain[mine], y[mine]).predict(plain[fold])
    outcome = doubly_robust(y, treated, means)
    for rest, fold in entity_folds(groups, seed=seed + 1, folds=3):
        unseen[fold] = lgb.LGBMRegressor(**small).fit(X[rest], outcome[rest]).predict(X[fold])
    slope = float(np.clip(np.cov(unseen, outcome)[0, 1] / max(unseen.var(), 1e-12), 0.0, 1.0))
    trees, mean = lgb.LGBMRegressor(**small).fit(X, outcome), float(outcome.mean())
    return lambda asked: mean + slope * (np.asarray(trees.predict(asked)) - mean)
