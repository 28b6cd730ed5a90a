"""A small second data set, generated: a shop in Sydney whose tables and columns have other names than the contract's.

It has no products, keeps local wall times (with a change of the clocks on 2 October 2022 and 2 April 2023), text ids,
and mixes CSV with Parquet. Who leaves and who answers a mailing can be learned from what is in the tables: members
come regularly or not, some stop, the frequent and the once-answering answer more; enquiries convert by where they come
from and how soon they need it.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

FIRST = datetime(2022, 7, 1)
DAYS = 365
FIRST_MAILING, MAILING_EVERY, MAILING_DAYS, MAILINGS = date(2022, 8, 15), 30, 20, 11

GROUP = "=lately & <b>often</b>, $1$"
"""Features of churn that are one reason by the config, under a name that would do harm if it were not escaped."""

_CONFIG = """\
name: shop
time_zone: Australia/Sydney
currency: AUD
observed_until: 2023-07-01 00:00:00
sources:
  members: members.csv
  tills: tills/*.parquet
  mailings: mailings.csv
  letters: letters.parquet
  replies: replies.csv
  enquiries: enquiries.csv
tables:
  customers:
    source: members
    columns: {{customer_id: member no., acquired_at: joined}}
    ignore: [remarks]
  transactions:
    source: tills
    columns: {{customer_id: card, at: stamped, amount: cents / 100, order_id: receipt, discount: reduction}}
  campaigns:
    source: mailings
    columns: {{campaign_id: mailing, starts_at: first day, ends_at: last day, kind: theme}}
  contacts:
    source: letters
    columns: {{contact_id: letter, customer_id: card, campaign_id: mailing, channel: medium, cost: postage}}
  responses:
    query: SELECT letter, answered FROM replies WHERE answer = 'yes'
    columns: {{contact_id: letter, at: answered}}
  prospects:
    source: enquiries
    columns: {{prospect_id: enquiry, created_at: asked, converted_at: became_member}}
tasks:
  churn:
    split:
      train: {{first: 2022-10-10, last: 2022-12-19, every: 14}}
      calibration: [2023-01-16, 2023-01-30]
      validation: [2023-02-27, 2023-03-13]
      test: [2023-04-10, 2023-05-08, 2023-06-02]
    groups:
      "{group}": [days_since_visit, visits_28d, visits_56d, visits_90d]
    learner: {{n_estimators: 150, early_stopping_rounds: 20, min_child_samples: 20}}
    tuning: {{trials: 2}}
    bootstrap: 100
  conversion:
{conversion}
    learner: {{n_estimators: 100, early_stopping_rounds: 20, min_child_samples: 20}}
    tuning: {{trials: 2}}
    bootstrap: 100
"""

_OF_CAMPAIGNS = """\
    of: campaigns
    split:
      train: {first: 2022-10-01, last: 2023-03-01, every: 1}
      test: {first: 2023-03-13, last: 2023-05-31, every: 1}
    score_as_of: 2023-06-11"""

_OF_PROSPECTS = """\
    of: prospects
    horizon: 30
    split:
      train: {first: 2022-07-15, last: 2022-12-31, every: 1}
      calibration: {first: 2023-01-31, last: 2023-02-10, every: 1}
      validation: {first: 2023-03-13, last: 2023-03-23, every: 1}
      test: {first: 2023-04-23, last: 2023-05-31, every: 1}"""


def write_shop(
    folder: Path, *, customers: int = 600, seed: int = 0, conversion: Literal["campaigns", "prospects"] = "campaigns"
) -> Path:
    """Write the shop's tables and its configuration into a folder; returns the configuration's path.

    The same arguments write the same bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    gap = rng.lognormal(np.log(9.0), 0.5, customers)
    regular = rng.random(customers) < 0.6
    keen = rng.normal(0.0, 1.0, customers)
    start = rng.integers(0, 120, customers) * (rng.random(customers) < 0.4)
    end = np.minimum(start + 40 + rng.exponential(np.where(regular, 500.0, 250.0), customers), DAYS)
    visits = [_visits(rng, gap[i], bool(regular[i]), float(start[i]), float(end[i])) for i in range(customers)]
    cards = [f"M{i:05d}" for i in range(customers)]
    _write_members(folder, rng, cards, start, keen)
    _write_tills(folder, rng, cards, visits, gap)
    _write_mailings(folder, rng, cards, visits, keen, end)
    _write_enquiries(folder, rng, customers)
    config = folder / "shop.yaml"
    part = _OF_CAMPAIGNS if conversion == "campaigns" else _OF_PROSPECTS
    config.write_text(_CONFIG.format(conversion=part, group=GROUP), encoding="utf-8")
    return config


def _visits(rng: np.random.Generator, gap: float, regular: bool, start: float, end: float) -> np.ndarray:
    """Days of the visits of one member, with fractions: gamma gaps for the regular, exponential ones for the others."""
    shape = 8.0 if regular else 1.0
    days = start + np.cumsum(rng.gamma(shape, gap / shape, int(3 * DAYS / gap) + 10))
    days = np.floor(days[days < end]) + rng.uniform(8.5, 19.5, int((days < end).sum())) / 24
    return days[days < DAYS]


def _write_members(
    folder: Path, rng: np.random.Generator, cards: Sequence[str], start: np.ndarray, keen: np.ndarray
) -> None:
    suburbs = rng.choice(["Newtown", "Glebe", "Bondi", "Manly"], len(cards))
    rows = (
        (
            card,
            (FIRST + timedelta(days=int(start[i]) - int(rng.integers(0, 900)))).date().isoformat(),
            suburbs[i],
            "yes" if keen[i] + rng.normal() > 0.3 else "no",
            int(rng.integers(1, 6)),
            "" if i % 3 else "called twice",
        )
        for i, card in enumerate(cards)
        if i % 10  # a tenth of the members are in no list
    )
    _write_csv(folder / "members.csv", ("member no.", "joined", "suburb", "Newsletter?", "household", "remarks"), rows)


def _write_tills(
    folder: Path, rng: np.random.Generator, cards: Sequence[str], visits: Sequence[np.ndarray], gap: np.ndarray
) -> None:
    """Two files, by half-year; one to three lines a visit, with its local wall time to the second."""
    lines = []
    for i, days in enumerate(visits):
        for number, day in enumerate(days):
            stamped = (FIRST + timedelta(days=float(day))).replace(microsecond=0)
            for _ in range(int(rng.integers(1, 4))):
                cents = int(rng.lognormal(7.2 + 0.02 * gap[i], 0.6))
                lines.append((cards[i], stamped, f"{cards[i]}/{number}", cents, round(cents * 0.0005, 2)))
    lines.sort(key=lambda line: (line[1], line[0]))
    (folder / "tills").mkdir(exist_ok=True)
    middle = FIRST + timedelta(days=184)
    for name, half in (("2022", [x for x in lines if x[1] < middle]), ("2023", [x for x in lines if x[1] >= middle])):
        kinds = (pa.string(), pa.timestamp("ns"), pa.string(), pa.int32(), pa.decimal128(9, 2))
        names = ("card", "stamped", "receipt", "cents", "reduction")
        arrays = [pa.array(values).cast(kind) for values, kind in zip(zip(*half, strict=True), kinds, strict=True)]
        pq.write_table(pa.table(arrays, names=list(names)), folder / "tills" / f"{name}.parquet")


def _write_mailings(
    folder: Path,
    rng: np.random.Generator,
    cards: Sequence[str],
    visits: Sequence[np.ndarray],
    keen: np.ndarray,
    end: np.ndarray,
) -> None:
    """Who answers: the keen, those who came lately, those who answered before; nobody who has left."""
    mailings, letters, replies = [], [], []
    answered = np.zeros(len(cards))
    for number in range(MAILINGS):
        first = FIRST_MAILING + timedelta(days=MAILING_EVERY * number)
        mailings.append(
            (number + 1, first, first + timedelta(days=MAILING_DAYS), ("spring", "garden", "books")[number % 3])
        )
        day = (first - FIRST.date()).days
        for i in np.flatnonzero(rng.random(len(cards)) < 0.45):
            letter = f"{number + 1}-{cards[i]}"
            medium = ("post", "mail")[int(rng.integers(2))]
            letters.append((letter, cards[i], number + 1, medium, 1.2 if medium == "post" else 0.0))
            lately = ((visits[i] <= day) & (visits[i] > day - 30)).sum()
            chance = 1 / (
                1 + np.exp(2.6 - 1.0 * keen[i] - 0.3 * min(lately, 5) - 0.8 * answered[i] - (medium == "post") * 0.4)
            )
            replied = day + rng.uniform(1, MAILING_DAYS)
            if end[i] > day and replied < DAYS and rng.random() < 0.3 * (rng.random() < 0.1) + chance:
                answered[i] = 1
                at = (FIRST + timedelta(days=float(replied))).replace(microsecond=0)
                replies.append((letter, "yes", at.isoformat(sep=" ")))
            elif rng.random() < 0.02:
                replies.append((letter, "no", (FIRST + timedelta(days=day + 2, hours=9)).isoformat(sep=" ")))
    _write_csv(folder / "mailings.csv", ("mailing", "first day", "last day", "theme"), mailings)
    names = ["letter", "card", "mailing", "medium", "postage"]
    pq.write_table(
        pa.table(dict(zip(names, map(list, zip(*letters, strict=True)), strict=True))), folder / "letters.parquet"
    )
    _write_csv(folder / "replies.csv", ("letter", "answer", "answered"), replies)


def _write_enquiries(folder: Path, rng: np.random.Generator, number: int) -> None:
    rows = []
    for i in range(number):
        asked = FIRST + timedelta(days=float(rng.uniform(0, DAYS)))
        heard, needs_in = rng.choice(["friend", "web", "leaflet"]), int(rng.integers(1, 90))
        chance = 1 / (1 + np.exp(0.4 - 1.2 * (heard == "friend") + 0.8 * (heard == "leaflet") + 0.02 * needs_in))
        became = asked + timedelta(days=float(rng.gamma(2.0, 6.0)))
        done = rng.random() < chance and became < FIRST + timedelta(days=DAYS)
        rows.append(
            (10_000 + i, f"{asked:%Y-%m-%d %H:%M:%S}", f"{became:%Y-%m-%d %H:%M:%S}" if done else "", heard, needs_in)
        )
    _write_csv(
        folder / "enquiries.csv", ("enquiry", "asked", "became_member", "heard from", "needs it in (days)"), rows
    )


def _write_csv(file: Path, names: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(rows)
