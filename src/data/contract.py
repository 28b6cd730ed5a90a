"""The data contract: the canonical tables and columns, each with its type, its duties and its checks, in one place.

A company's own tables are mapped onto these (see `TableMapping` in the configuration), checked against them
(`checks`) and written in their form (`ingest`). Nothing else in the package names a rule about a column.

**Dates without a time.** A source column of type DATE, or one whose timestamps are midnight in every row, holds dates.
`date_means` says which moment of the day such a date stands for, in the business time zone. An event is known at the
"end" of its day (one microsecond before the next midnight), so that nothing is known before it can be; whatever
*starts* on a date (a campaign, the contacts planned for it, a subscription, a customer's acquaintance) starts at
the first moment of that day, since that moment is the cutoff at which it is looked at.

**What changes over time.** Attributes that change stand in `customer_history`, a row for each customer and interval
from `valid_from` to `valid_to` (missing: until the next row). A feature sees the row that was valid at the cutoff, as
it was known then: of several rows with one `valid_from` that of the latest `known_at`, so that a correction counts from
the moment it was made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ..config import Config
from .schema import Column, Moment, Reference, Severity, Table

ENTITY_DOMAINS = _OWNER, _LEAD, _EITHER = ("customer_id", "prospect_id", "entity_id")
"""Ids of customers, of prospects, and of either; where the last is used, all three are one domain."""
_CUSTOMER = Reference((("customers", "customer_id"),))
_PROSPECT = Reference((("prospects", "prospect_id"),))
_PRODUCT = Reference((("products", "product_id"),))
_CAMPAIGN = Reference((("campaigns", "campaign_id"),), "error")


def _id(name: str, domain: str, references: Reference | None = None, *, required: bool = False) -> Column:
    missing: Severity | None = "error" if required else None
    return Column(name, "id", required=required, missing=missing, domain=domain, references=references)


def _key(name: str, domain: str) -> Column:
    return _id(name, domain, required=True)


def _customer(*, required: bool = True) -> Column:
    return _id("customer_id", _OWNER, _CUSTOMER, required=required)


def _at(name: str = "at", *, required: bool = True) -> Column:
    return Column(name, "timestamp", required=required, missing="error" if required else None)


def _known_at(means: Moment = "end") -> Column:
    return Column("known_at", "timestamp", date_means=means, may_be_future=means == "start")


_TABLES = (
    Table(
        "customers",
        (
            _key("customer_id", _OWNER),
            Column("acquired_at", "timestamp", date_means="start"),
            Column("birth_date", "timestamp", date_means="start"),
            _id("referred_by", _OWNER, _CUSTOMER),
            Column("consent", "boolean"),
        ),
        key=("customer_id",),
        entity=("customer_id",),
        attributes=True,
    ),
    Table(
        "customer_history",
        (
            _customer(),
            Column("valid_from", "timestamp", True, "error", date_means="start", may_be_future=True),
            Column("valid_to", "timestamp", may_be_future=True, not_before="valid_from"),
            _known_at("start"),
        ),
        key=("customer_id", "valid_from", "known_at"),
        entity=("customer_id",),
        event="valid_from",
        attributes=True,
    ),
    Table(
        "prospects",
        (
            _key("prospect_id", _LEAD),
            Column("created_at", "timestamp", required=True, missing="error", date_means="start"),
            Column("converted_at", "timestamp", not_before="created_at"),
            _id("customer_id", _OWNER, _CUSTOMER),
        ),
        key=("prospect_id",),
        entity=("prospect_id",),
        event="created_at",
        attributes=True,
    ),
    Table(
        "stages",
        (
            _id("entity_id", _EITHER, Reference(_CUSTOMER.parents + _PROSPECT.parents), required=True),
            _at(),
            Column(
                "stage",
                "text",
                required=True,
                missing="error",
                allowed=("target", "lead", "opportunity", "contract", "user"),
            ),
            _known_at(),
        ),
        entity=("entity_id",),
        event="at",
    ),
    Table(
        "products",
        (
            _key("product_id", "product_id"),
            Column("category", "text", required=True, missing="warning"),
            Column("line", "text"),
            Column("tier", "text"),
            Column("price", "number", negative="warning"),
            Column("margin_rate", "number"),
        ),
        key=("product_id",),
        attributes=True,
    ),
    Table(
        "campaigns",
        (
            _key("campaign_id", "campaign_id"),
            Column("starts_at", "timestamp", True, "error", date_means="start", may_be_future=True),
            Column("ends_at", "timestamp", True, "error", may_be_future=True, not_before="starts_at"),
            Column("kind", "text"),
            _known_at("start"),
        ),
        key=("campaign_id",),
    ),
    Table(
        "offers",
        (
            _key("offer_id", "offer_id"),
            _id("campaign_id", "campaign_id", _CAMPAIGN),
            _id("product_id", "product_id", _PRODUCT),
            Column("category", "text"),
            Column("discount", "number", negative="warning"),
            _known_at("start"),
        ),
        key=("offer_id", "campaign_id", "product_id", "category"),
    ),
    Table(
        "contacts",
        (
            _key("contact_id", "contact_id"),
            _customer(required=False),
            _id("prospect_id", _LEAD, _PROSPECT),
            Column("at", "timestamp", date_means="start", may_be_future=True),
            _id("campaign_id", "campaign_id", _CAMPAIGN, required=True),
            _id("offer_id", "offer_id", Reference((("offers", "offer_id"),))),
            Column("channel", "text"),
            Column("cost", "number", negative="warning"),
            Column("treated", "boolean"),
            _known_at("start"),
        ),
        key=("contact_id",),
        entity=("customer_id", "prospect_id"),
        event="at",
    ),
    Table(
        "responses",
        (
            _id("contact_id", "contact_id", Reference((("contacts", "contact_id"),), "error"), required=True),
            _at(),
            Column("amount", "number", negative="warning"),
            _id("offer_id", "offer_id", Reference((("offers", "offer_id"),))),
            _known_at(),
        ),
        entity=("customer_id", "prospect_id"),
        event="at",
    ),
    Table(
        "transactions",
        (
            _customer(),
            _at(),
            Column("amount", "number", required=True, missing="error", negative="warning"),
            _id("product_id", "product_id", _PRODUCT),
            Column("quantity", "number", negative="error", zero="warning"),
            Column("margin", "number"),
            Column("discount", "number", negative="warning"),
            Column("coupon", "number", negative="warning"),
            Column("channel", "text"),
            _id("order_id", "order_id"),
            _known_at(),
        ),
        entity=("customer_id",),
        event="at",
    ),
    Table(
        "interactions",
        (
            _customer(),
            _at(),
            Column("kind", "text", required=True, missing="error"),
            Column("score", "number"),
            Column("cost", "number", negative="warning"),
            Column("resolved_at", "timestamp", not_before="at"),
            _known_at(),
        ),
        entity=("customer_id",),
        event="at",
    ),
    Table(
        "subscriptions",
        (
            _customer(),
            Column("started_at", "timestamp", True, "error", date_means="start", may_be_future=True),
            Column("ended_at", "timestamp", may_be_future=True, not_before="started_at"),
            Column("term_ends_at", "timestamp", may_be_future=True, not_before="started_at"),
            Column("plan", "text"),
            Column("fee", "number", negative="warning"),
            Column("end_reason", "text"),
            _known_at("start"),
        ),
        entity=("customer_id",),
        event="started_at",
    ),
    Table(
        "payments",
        (
            _customer(),
            Column("due_at", "timestamp", True, "error", may_be_future=True),
            Column("paid_at", "timestamp"),
            Column("amount", "number", required=True, missing="error", negative="warning"),
            _known_at(),
        ),
        entity=("customer_id",),
        event="due_at",
    ),
    Table(
        "returns",
        (
            _customer(),
            _at(),
            _id("order_id", "order_id"),
            _id("product_id", "product_id", _PRODUCT),
            Column("amount", "number", required=True, missing="error", negative="warning"),
            _known_at(),
        ),
        entity=("customer_id",),
        event="at",
    ),
)

TABLES: Mapping[str, Table] = MappingProxyType({table.name: table for table in _TABLES})
"""Every canonical table by name; parents stand before the tables that refer to them."""

EVENT_TABLES = ("transactions", "responses", "interactions")
"""Tables whose events say how far the world was observed."""


@dataclass(frozen=True)
class Need:
    """A table that a task cannot do without, and the optional columns of it that it needs too."""

    table: str
    columns: tuple[str, ...] = ()


def task_needs(config: Config) -> dict[str, tuple[Need, ...]]:
    """What each configured task needs of the data."""
    tasks = config.tasks
    needs: dict[str, tuple[Need, ...]] = {}
    if tasks.churn is not None:
        needs["churn"] = (Need("transactions"),)
    if tasks.time_to_leave is not None:
        needs["time_to_leave"] = (Need("transactions"),)
    if tasks.time_to_cancel is not None:
        plan = ("plan",) if tasks.time_to_cancel.plans else ()
        needs["time_to_cancel"] = (Need("subscriptions", ("ended_at", *plan)),)
    if tasks.conversion is not None:
        of_campaigns = (Need("campaigns"), Need("contacts", ("customer_id",)), Need("responses"))
        of_prospects = (Need("prospects", ("converted_at",)),)
        needs["conversion"] = of_campaigns if tasks.conversion.of == "campaigns" else of_prospects
    if tasks.next_offer is not None:
        needs["next_offer"] = (Need("transactions", ("product_id",)), Need("products", ("category",)))
    if tasks.loyalty is not None:
        needs["loyalty"] = (Need("transactions"),)
    if tasks.quality is not None:
        needs["quality"] = (Need("transactions"),)
    if tasks.value is not None:
        needs["value"] = (Need("transactions", (tasks.value.worth_of,)),)
    if tasks.winback is not None:
        needs["winback"] = (Need("transactions", (tasks.winback.worth_of,)),)
    if tasks.defection is not None:
        needs["defection"] = (Need("transactions"), Need("subscriptions", ("ended_at", "end_reason")))
    if tasks.segments is not None:
        needs["segments"] = (Need("transactions"),)
    if tasks.risk is not None:
        of = {"returns": Need("returns"), "payments": Need("payments", ("paid_at",))}
        needs["risk"] = (Need("transactions"), *(of[case] for case in tasks.risk.cases))
    if tasks.unusual is not None:
        needs["unusual"] = (Need("transactions"),)
    if tasks.up_sell is not None:
        rungs = Need("products", ("line", "tier", "price"))
        needs["up_sell"] = (Need("transactions", ("product_id", tasks.up_sell.worth_of)), rungs)
    if tasks.uplift is not None:
        campaigns = Need("campaigns", ("kind",) if tasks.uplift.kinds else ())
        needs["uplift"] = (Need("transactions"), campaigns, Need("contacts", ("customer_id", "treated")))
    return needs
