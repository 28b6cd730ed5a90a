"""Columns that are joined on once, at ingest, so that no feature has to join again.

transactions, returns: category, line, tier, price of their product, and the tier next above in its line, by the mean
price of the tiers' products; transactions and interactions: `local_at`, the wall
time of `at`, with its `week` (the Monday), `weekday` (in English) and `is_weekend`; contacts: what is known of their
campaign, and `made`, false for the hold-out (`treated` is false), to whom nothing was said; responses: whose they are
and of what kind of campaign; offers: the category of their product; and the moment from which on each plan was known.

Amounts become exact decimals with six places: their sums then do not depend on the order of rows, on threads, or on
the engine, to the bit. What is infinite or beyond a million millions is held at that bound (`check` has named it), in
other numbers of the contract too: the sums of whoever has such a row are large, and those of all others what they were.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlglot import exp

from ..config import Config
from ..errors import DataError
from .clock import utc_to_local_sql
from .contract import TABLES
from .convert import sql
from .engine import DuckDBEngine
from .findings import CheckedTable
from .rules import BOUND

Columns = dict[str, exp.Expression]

_OF_PRODUCT = {
    "transactions": ("category", "line", "tier", "price"),
    "returns": ("category", "line"),
    "offers": ("category",),
}
_OF_CAMPAIGN = {"campaign_kind": "kind", "starts_at": "starts_at", "ends_at": "ends_at"}
_OF_CONTACT = ("customer_id", "prospect_id", "campaign_id", "offer_id", "channel")
_LOCAL = ("transactions", "interactions")
_EXACT = ("amount", "quantity", "discount", "coupon", "margin", "price", "cost", "fee")


def enrich(engine: DuckDBEngine, name: str, tables: Mapping[str, CheckedTable], config: Config) -> str:
    """Define the view `rich.<name>` of a checked table with its joined columns; returns the view's name.

    Campaigns must be enriched before offers and contacts, contacts before responses.

    Raises DataError where a table lacks the one that gives its rows a time or an owner.
    """
    table = tables[name]
    columns: Columns = {column: _own(column) for column in (*table.columns, *table.attributes)}
    query = exp.select().from_(exp.table_(table.view, quoted=True, alias="t"))
    if name in _OF_PRODUCT and "products" in tables and "product_id" in columns:
        query = _with_product(query, columns, name, tables["products"])
    if name == "campaigns":
        columns["known_at"] = _first_of(columns.get("known_at"), _own("starts_at"))
    if name in ("offers", "contacts") and "campaigns" in tables and "campaign_id" in columns:
        query = _with_campaign(query, columns, name, tables["campaigns"])
    if name == "contacts":
        if "at" not in columns:
            raise DataError("contacts.at is not mapped, and there are no campaigns whose start could stand for it")
        columns["known_at"] = _first_of(columns.get("known_at"), columns["at"])
        columns["made"] = _first_of(columns.get("treated"), exp.true())
    if name == "responses":
        query = _with_contact(engine, query, columns, tables)
    if name in _LOCAL:
        span = engine.arrow(exp.select("min(at) AS a", "max(at) AS b").from_(exp.table_(table.view, quoted=True)))
        first, last = (span.column(i)[0].as_py() or datetime(2000, 1, 1) for i in (0, 1))
        local = utc_to_local_sql(_own("at"), config.time_zone, first, last)
        columns["local_at"] = local
        columns["week"] = sql("CAST(date_trunc('week', x) AS DATE)", x=local)
        columns["weekday"] = sql("strftime(x, '%A')", x=local)
        columns["is_weekend"] = sql("isodow(x) >= 6", x=local)
    numbers = {column.name for column in TABLES[name].columns if column.type == "number"}
    columns |= {column: _held(columns[column]) for column in numbers & columns.keys() - set(_EXACT)}
    columns |= {column: _exact(columns[column]) for column in _EXACT if column in columns}
    selected = [exp.alias_(tree, column, quoted=True) for column, tree in columns.items()]
    view = f"rich.{name}"
    engine.define(view, query.select(*selected))
    return view


def _held(number: exp.Expression) -> exp.Expression:
    held = f"CASE WHEN x IS NOT NULL THEN least(greatest(x, -{BOUND}), {BOUND}) END"  # both skip missing values
    return sql(held, x=number)


def _exact(amount: exp.Expression) -> exp.Expression:
    return sql("CAST(h AS DECIMAL(18, 6))", h=_held(amount))


def _with_product(query: exp.Select, columns: Columns, name: str, products: CheckedTable) -> exp.Select:
    """A row without a known product keeps its own values, or has none."""
    for column in _OF_PRODUCT[name]:
        if column in products.columns:
            columns[column] = _first_of(columns.get(column), _of("p", column))
    query = _joined(query, products.view, "p", "product_id")
    if name == "transactions" and {"line", "tier", "price"} <= set(products.columns):
        columns["next_tier"] = _of("l", "next_tier")
        query = query.join(_ladder(products).subquery("l"), on=_same_rung(), join_type="left")
    if name == "transactions" and "margin_rate" in products.columns:
        earned = sql("a * r", a=_held(_own("amount")), r=_held(_of("p", "margin_rate")))
        columns["margin"] = _first_of(columns.get("margin"), earned)
    return query


def _ladder(products: CheckedTable) -> exp.Select:
    """For each line and tier of the products the tier next above it."""
    line, tier, price = (exp.column(name, quoted=True) for name in ("line", "tier", "price"))
    mean = exp.alias_(exp.Avg(this=price), "price")
    known = exp.Not(this=exp.Is(this=mean.this.copy(), expression=exp.Null()))
    rungs = (
        exp.select(line, tier, mean).from_(exp.table_(products.view, quoted=True)).group_by(line, tier).having(known)
    )
    above = sql("lead(tier) OVER (PARTITION BY line ORDER BY price, tier)")
    return exp.select("line", "tier", exp.alias_(above, "next_tier")).from_(rungs.subquery("r"))


def _same_rung() -> exp.Expression:
    return exp.and_(*(exp.EQ(this=_of("l", name), expression=_of("p", name)) for name in ("line", "tier")))


def _with_campaign(query: exp.Select, columns: Columns, name: str, campaigns: CheckedTable) -> exp.Select:
    if name == "offers":
        columns["known_at"] = _first_of(columns.get("known_at"), _of("c", "known_at"))
        return _joined(query, "rich.campaigns", "c", "campaign_id")
    for column, theirs in _OF_CAMPAIGN.items():
        if theirs in campaigns.columns:
            columns[column] = _of("c", theirs)
    columns["at"] = _first_of(columns.get("at"), _of("c", "starts_at"))
    return _joined(query, "rich.campaigns", "c", "campaign_id")


def _with_contact(
    engine: DuckDBEngine, query: exp.Select, columns: Columns, tables: Mapping[str, CheckedTable]
) -> exp.Select:
    if "contacts" not in tables:
        raise DataError("responses are mapped without contacts, so nobody knows whose they are; map the contacts too")
    for column in _OF_CONTACT:
        if column in tables["contacts"].columns:
            columns[column] = _first_of(columns.get(column), _of("k", column))
    if "campaign_kind" in engine.columns("rich.contacts"):
        columns["campaign_kind"] = _of("k", "campaign_kind")
    return _joined(query, "rich.contacts", "k", "contact_id")


def _joined(query: exp.Select, view: str, alias: str, key: str) -> exp.Select:
    return query.join(
        exp.table_(view, quoted=True, alias=alias),
        on=exp.EQ(this=_own(key), expression=_of(alias, key)),
        join_type="left",
    )


def _first_of(first: exp.Expression | None, second: exp.Expression) -> exp.Expression:
    return second if first is None else sql("coalesce(a, b)", a=first, b=second)


def _own(column: str) -> exp.Expression:
    return _of("t", column)


def _of(alias: str, column: str) -> exp.Expression:
    return exp.column(column, alias, quoted=True)
