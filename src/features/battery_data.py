"""A small made-up company that has every table of the data contract, made to be hard on features.

Events crowd around cutoffs and the edges of windows, to the microsecond; several fall on one time; rows come to be
known late; values, orders, products and owners are missing; campaigns and contacts are planned ahead; two changes of
the clocks lie within. Its columns are those of ingested data: canonical, in UTC, enriched, amounts as exact decimals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from ..config import Config
from ..data.contract import TABLES
from ..data.dataset import Dataset
from ..data.engine import Engine
from ..data.moments import define_moments, moments_of
from ..data.report import Report
from ..data.schema import Column
from ..language.moments import midnight, shift, to_local

Row = dict[str, Any]
TIME, MONEY = pa.timestamp("us"), pa.decimal128(18, 6)
CUSTOMERS, PROSPECTS, VISITS, PRODUCTS, INTERACTIONS = 30, 60, 260, 14, 80
STREETS = 24  # more than an attribute has that is told apart value by value
DAYS = (date(2024, 2, 12), date(2024, 3, 11))
FIRST, LAST = datetime(2023, 6, 1), datetime(2024, 6, 30)
CAMPAIGN_DAYS, KNOWN_BEFORE = 20, 10
_TICK = timedelta(microseconds=1)
_TYPES = {"id": pa.int64(), "text": pa.string(), "number": MONEY, "timestamp": TIME, "boolean": pa.bool_()}
_WORDS = ("store", "web", "it's {so}", "Käse", "")
_PRODUCT = {"category": pa.string(), "line": pa.string(), "tier": pa.string(), "price": MONEY}
_NEXT = {"plain": "dear"}  # by tier, the next above in every line
_LOCAL = {"local_at": TIME, "week": pa.date32(), "weekday": pa.string(), "is_weekend": pa.bool_()}
_CAMPAIGN = {"campaign_kind": pa.string(), "starts_at": TIME, "ends_at": TIME}
_OWNED = {name: pa.int64() for name in ("customer_id", "prospect_id", "campaign_id", "offer_id")}
ENRICHED: Mapping[str, Mapping[str, pa.DataType]] = {
    "transactions": _PRODUCT | _LOCAL | {"next_tier": pa.string()},
    "interactions": _LOCAL,
    "returns": {"category": pa.string(), "line": pa.string()},
    "contacts": _CAMPAIGN | {"made": pa.bool_()},
    "responses": _OWNED | {"channel": pa.string(), "campaign_kind": pa.string()},
}
EXACT = ("amount", "quantity", "discount", "coupon", "margin", "price", "cost", "fee")
ATTRIBUTES = {
    "customers": {
        "household_size": pa.int64(),
        "region": pa.string(),
        "newsletter": pa.bool_(),
        "moved": TIME,
        "street": pa.string(),
    },
    "customer_history": {"lives_in": pa.string(), "rating": pa.float64(), "rated": TIME},
    "prospects": {"needs_in_days": pa.float64(), "heard_from": pa.string(), "visits_90d": pa.int64()},
}


@dataclass(frozen=True)
class Company:
    """Canonical tables by name, the attribute columns of each, the business zone, and cutoffs to look at."""

    tables: Mapping[str, pa.Table]
    attributes: Mapping[str, tuple[str, ...]]
    zone: ZoneInfo
    cutoffs: tuple[datetime, ...]

    def with_tables(self, tables: Mapping[str, pa.Table]) -> Company:
        """The same company with other rows."""
        return replace(self, tables=tables)

    def add(self, engine: Engine, name: str) -> None:
        """Make one table known to an engine."""
        engine.add_table(name, self.tables[name])

    def dataset(self, engine: Engine) -> Dataset:
        """The tables in an engine, as a data set."""
        for name in self.tables:
            self.add(engine, name)
        stored = {name: engine.columns(name) for name in self.tables}
        columns = {**stored, **moments_of(stored)}
        define_moments(engine, columns)
        config = Config.model_validate({"name": "made_up", "time_zone": str(self.zone), "sources": {}, "tables": {}})
        return Dataset(config, engine, columns, self.attributes, {}, "", FIRST, LAST, 1, Report("made_up", (), {}, ()))


@cache
def made_up_company(zone: str = "America/New_York", seed: int = 0) -> Company:
    """The company in a business zone; the same arguments give the same rows."""
    random, info = Random(seed), ZoneInfo(zone)
    maker = _Maker(random, info, tuple(midnight(day, info) for day in DAYS))
    made = maker.rows()
    tables = {}
    for name, rows in made.items():
        tables[name] = pa.Table.from_pylist(random.sample(rows, len(rows)), schema_of(name))
    return Company(tables, {name: tuple(extra) for name, extra in ATTRIBUTES.items()}, info, maker.cutoffs)


def schema_of(table: str) -> pa.Schema:
    """The columns of a table as ingest writes them."""
    canonical = {column.name: _type_of(column) for column in TABLES[table].columns}
    return pa.schema(list((canonical | dict(ENRICHED.get(table, {})) | ATTRIBUTES.get(table, {})).items()))


def _type_of(column: Column) -> pa.DataType:
    """Amounts come as exact decimals, other numbers as they are."""
    return pa.float64() if column.type == "number" and column.name not in EXACT else _TYPES[column.type]


class _Maker:
    """Makes the rows, table by table; what a table's maker does not say of a column is filled in by its type."""

    def __init__(self, random: Random, zone: ZoneInfo, cutoffs: tuple[datetime, ...]) -> None:
        self.random, self.zone, self.cutoffs = random, zone, cutoffs
        self.edges = [shift(cutoff, -days, zone) for cutoff in cutoffs for days in (0, 7, 28, 30, 56, 90)]

    def rows(self) -> dict[str, list[Row]]:
        """All tables' rows."""
        made: dict[str, list[Row]] = {}
        for table in TABLES:
            make: Callable[[dict[str, list[Row]]], list[Row]] = getattr(self, f"_{table}")
            made[table] = [self._filled(table, row) for row in make(made)]
        return made

    def _filled(self, table: str, row: Row) -> Row:
        for column in TABLES[table].columns:
            if column.name not in row:
                row[column.name] = self._value(column)
        return row

    def _value(self, column: Column) -> Any:
        if column.missing is None and self.random.random() < 0.15:
            return None
        match column.type:
            case "number":
                cents = Decimal(self.random.randint(0, 9999)) / 100
                return cents if column.name in EXACT else float(cents)
            case "timestamp":
                return self._time()
            case "boolean":
                return self.random.random() < 0.5
            case "id":
                return self.random.randint(1, 9)
        return self.random.choice(column.allowed or _WORDS)

    def _time(self) -> datetime:
        if self.random.random() < 0.5:
            return self.random.choice(self.edges) + self.random.choice([-_TICK, 0 * _TICK, _TICK, 10**6 * _TICK])
        return FIRST + self.random.random() * (LAST - FIRST)

    def _late(self, at: datetime) -> datetime | None:
        """When an event came to be known: mostly nobody says, sometimes long after, at a cutoff, even before."""
        later = [moment for moment in (at + timedelta(days=40), *self.cutoffs) if moment >= at]
        return self.random.choice([None, None, None, at, at - timedelta(days=9), self.random.choice(later)])

    def _local(self, at: datetime) -> Row:
        local = to_local(at, self.zone)
        monday = local.date() - timedelta(days=local.weekday())
        day = f"{local:%A}"
        return {"local_at": local, "week": monday, "weekday": day, "is_weekend": local.weekday() >= 5}

    def _customer(self, *, nobody: float = 0.03) -> int | None:
        return None if self.random.random() < nobody else self.random.randint(1, CUSTOMERS)

    # ------------------------------------------------------------------------------ who
    def _customers(self, made: dict[str, list[Row]]) -> list[Row]:
        pick = self.random.choice
        return [
            {
                "customer_id": number,
                "acquired_at": pick([None, FIRST, FIRST, *self.cutoffs, self.cutoffs[0] + _TICK]),
                "household_size": pick([None, 1, 2, 5]),
                "region": pick([None, "north", "south"]),
                "newsletter": pick([None, True, False]),
                "moved": pick([None, self._time()]),
                "referred_by": pick([None, 1, 2, 3]),
                "street": self._street(number),
            }
            for number in range(1, CUSTOMERS + 1)
            if number % 7  # some are in no list
        ] + [
            dict.fromkeys(TABLES["customers"].names)
            | {"customer_id": number, "acquired_at": FIRST, "street": self._street(number)}
            for number in range(CUSTOMERS + 1, CUSTOMERS + 2 * STREETS + 1)  # and have never bought
        ]

    @staticmethod
    def _street(number: int) -> str | None:
        return f"street {number % STREETS}" if number % 9 else None

    def _customer_history(self, made: dict[str, list[Row]]) -> list[Row]:
        pick, rows = self.random.choice, dict[tuple[Any, ...], Row]()
        for _ in range(3 * CUSTOMERS):
            start = pick([*self.edges, self._time()])
            row: Row = {"customer_id": self._customer(nobody=0), "valid_from": start, "known_at": self._late(start)}
            end = pick([None, start + timedelta(days=pick([1, 30, 400])), *(c for c in self.cutoffs if c > start)])
            row |= {"valid_to": end, "lives_in": pick([None, "town", "village"]), "rating": pick([None, 0.5, 2.0])}
            rows[row["customer_id"], start, row["known_at"] or start] = row | {"rated": pick([None, self._time()])}
        return list(rows.values())

    def _prospects(self, made: dict[str, list[Row]]) -> list[Row]:
        rows = []
        for number in range(1, PROSPECTS + 1):
            created = self._time()
            took = timedelta(days=self.random.choice([0, 3, 28, 80]), microseconds=self.random.choice([0, 1]))
            converted = self.random.choice([None, created + took, *(c for c in self.cutoffs if c >= created)])
            rows.append(
                {
                    "prospect_id": number,
                    "created_at": created,
                    "converted_at": converted,
                    "customer_id": self._customer() if converted else None,
                    "needs_in_days": self.random.choice([None, 3.5, 40.0]),
                    "heard_from": self.random.choice([None, "friend", "web"]),
                    "visits_90d": self.random.randint(0, 5),
                }
            )
        return rows

    def _stages(self, made: dict[str, list[Row]]) -> list[Row]:
        times = [self._time() for _ in range(60)]
        return [{"entity_id": self.random.randint(1, CUSTOMERS), "at": at, "known_at": self._late(at)} for at in times]

    # ------------------------------------------------------------------------------ what there is
    def _products(self, made: dict[str, list[Row]]) -> list[Row]:
        return [
            {
                "product_id": number,
                "category": ("tea", "jam", "pans", "it's {odd}", "Käse", None)[number % 6]
                if number < PRODUCTS
                else "new",
                "line": ("food", "home", "tier dear", None)[number % 4],
                "tier": ("plain", "dear", None)[number % 3],
            }
            for number in range(1, PRODUCTS + 1)
        ]

    def _campaigns(self, made: dict[str, list[Row]]) -> list[Row]:
        before = shift(self.cutoffs[0], -60, self.zone), shift(self.cutoffs[0], -21, self.zone)
        starts = [*before, *self.cutoffs, shift(self.cutoffs[-1], 28, self.zone)]
        return [
            {
                "campaign_id": number,
                "starts_at": start,
                "ends_at": shift(start, CAMPAIGN_DAYS, self.zone),
                "kind": ("spring", "garden")[number % 2],
                "known_at": shift(start, -KNOWN_BEFORE, self.zone),
            }
            for number, start in enumerate(starts, 1)
        ]

    def _offers(self, made: dict[str, list[Row]]) -> list[Row]:
        products = {row["product_id"]: row for row in made["products"]}
        rows: list[Row] = []
        for campaign in made["campaigns"]:
            for product in self.random.sample(range(1, PRODUCTS + 1), 4):
                late = campaign["known_at"] + timedelta(days=self.random.choice([0, 0, 0, 15]))
                row = {"offer_id": len(rows) + 1, "campaign_id": campaign["campaign_id"], "known_at": late}
                rows.append(row | {"product_id": product, "category": products[product]["category"]})
        return rows

    def _contacts(self, made: dict[str, list[Row]]) -> list[Row]:
        rows: list[Row] = []
        for campaign in made["campaigns"]:
            carried = {"campaign_kind": campaign["kind"], "ends_at": campaign["ends_at"]}
            carried |= {"campaign_id": campaign["campaign_id"], "starts_at": campaign["starts_at"]}
            for _ in range(40):
                customer = self._customer(nobody=0.3)
                known = campaign["known_at"] + timedelta(days=self.random.choice([0, 0, 5, 9, 12]))
                at = campaign["starts_at"] + timedelta(days=self.random.choice([0, 0, 3]))
                prospect = None if customer else self.random.randint(1, PROSPECTS)
                treated = self.random.choice([None, True, True, False])
                row = {
                    "customer_id": customer,
                    "prospect_id": prospect,
                    "treated": treated,
                    "made": treated is not False,
                }
                rows.append(row | carried | {"contact_id": len(rows) + 1, "at": at, "known_at": known})
        return rows

    # ------------------------------------------------------------------------------ what happened
    def _responses(self, made: dict[str, list[Row]]) -> list[Row]:
        rows = []
        for contact in self.random.sample(made["contacts"], len(made["contacts"]) // 2):
            spans = [timedelta(0), _TICK, timedelta(days=self.random.random() * CAMPAIGN_DAYS)]
            at = self.random.choice([contact["at"] + self.random.choice(spans), contact["ends_at"]])
            row = {name: contact[name] for name in (*_OWNED, "channel", "campaign_kind")} | {
                "at": at,
                "known_at": self._late(at),
            }
            rows.append(row | {"contact_id": contact["contact_id"]})
        return rows

    def _transactions(self, made: dict[str, list[Row]]) -> list[Row]:
        rows = []
        for _ in range(VISITS):
            at, customer = self._time(), self._customer()
            if at > self.cutoffs[0] and self.random.random() < 0.15:
                customer = CUSTOMERS + self.random.randint(1, 4)  # these come later than the others
            order = self.random.choice([None, self.random.randint(1, 150)])
            for _ in range(self.random.choice([1, 1, 2, 3])):
                line_at = at + self.random.choice([0, 0, 0, 90]) * timedelta(seconds=1)
                row = {"customer_id": customer, "at": line_at, "order_id": order, "known_at": self._late(line_at)}
                rows.append(row | self._line(made, line_at) | self._local(line_at))
        return rows

    def _line(self, made: dict[str, list[Row]], at: datetime) -> Row:
        sold = made["products"][: None if at > self.cutoffs[0] else -1]  # the last one is new
        product = self.random.choice([*sold, None])
        amount = Decimal(self.random.choice([self.random.randint(-500, 9000), 10])) / 100
        of_product = {name: product[name] if product else None for name in ("product_id", *_PRODUCT)}
        return of_product | {"amount": amount, "next_tier": _NEXT.get(of_product["tier"] or "")}

    def _interactions(self, made: dict[str, list[Row]]) -> list[Row]:
        kinds = ("complaint", "service", "visit", "referral", "survey", "failure")
        rows = []
        for _ in range(INTERACTIONS):
            at = self._time()
            solved = self.random.choice([None, at + timedelta(days=self.random.choice([0, 2, 40]))])
            row = {"customer_id": self._customer(), "at": at, "known_at": self._late(at), "resolved_at": solved}
            rows.append(row | {"kind": self.random.choice(kinds)} | self._local(at))
        return rows

    def _subscriptions(self, made: dict[str, list[Row]]) -> list[Row]:
        rows = []
        for _ in range(40):
            start = self._time()
            end = self.random.choice([None, start + timedelta(days=self.random.choice([30, 90]))])
            known = self.random.choice([None, start - timedelta(days=5), start + timedelta(days=40)])
            row = {"customer_id": self._customer(), "started_at": start, "ended_at": end, "known_at": known}
            rows.append(row | {"plan": self.random.choice(["basic", "family"]), "end_reason": "price" if end else None})
        return rows

    def _payments(self, made: dict[str, list[Row]]) -> list[Row]:
        rows = []
        for _ in range(60):
            due = self._time()
            paid = self.random.choice([None, due + timedelta(days=self.random.choice([-3, 0, 30]))])
            rows.append({"customer_id": self._customer(), "due_at": due, "paid_at": paid, "known_at": None})
        return rows

    def _returns(self, made: dict[str, list[Row]]) -> list[Row]:
        bought: Sequence[Row] = self.random.sample(made["transactions"], 40)
        rows = []
        for row in bought:
            at = row["at"] + timedelta(days=self.random.choice([0, 1, 30]))
            kept = {name: row[name] for name in ("customer_id", "order_id", "product_id", "category", "line")}
            rows.append(kept | {"at": at, "known_at": self._late(at)})
        return rows
