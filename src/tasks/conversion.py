"""Conversion: a customer targeted by a campaign who redeems its offer, or a prospect who becomes a customer."""

from __future__ import annotations

from ..config import ConversionConfig
from ..language.declarations import Count, Planned, Population, Requirement, Seen
from .base import RuleOfThumb, Task, Wording

TARGETED = ("customer_id", "campaign_id")
PROSPECT = ("prospect_id",)


def conversion(config: ConversionConfig) -> Task:
    """The conversion of campaigns or of prospects, as the configuration says."""
    return _of_prospects(config) if config.of == "prospects" else _of_campaigns()


def _of_campaigns() -> Task:
    """Population: the customers whom a campaign targets, at its start. Target: a response before it ends."""
    return Task(
        name="conversion",
        question="Which targeted customers will respond to the campaign before it ends?",
        population_text="customers targeted by a campaign, as known when it starts",
        target_text="a response to that campaign between its start and its end",
        keys=TARGETED,
        population=Population(
            Planned("contacts", TARGETED, at="starts_at", until="ends_at", carry=("campaign_kind",)),
        ),
        target=Requirement("responses", TARGETED, Count(until="window_end") > 0),
        horizon=0,
        blocks=("spending", "rhythm", "breadth", "contacts", "campaigns", "service", "lifecycle", "profile"),
        primary_metric="average_precision",
        rules=(
            RuleOfThumb(
                "count_then", ("campaigns_answered", "spend_90d"), "who responded before, then who spends most"
            ),
            RuleOfThumb("column", ("spend_90d",), "the best customers of the last 90 days first"),
        ),
        wording=Wording(
            entity="customer",
            entities="customers",
            outcome="responded to the campaign",
            positives="customers who respond",
            negatives="customers who do not respond",
            purpose="To contact those who will respond, and to spare the others and the budget.",
        ),
    )


def _of_prospects(config: ConversionConfig) -> Task:
    """Population: prospects who arrived within the horizon and have not converted. Target: conversion within it."""
    return Task(
        name="conversion",
        question=f"Which prospects will become customers in the next {config.horizon} days?",
        population_text=f"prospects who arrived in the {config.horizon} days up to the cutoff and have not converted",
        target_text=f"conversion in the {config.horizon} days after the cutoff",
        keys=PROSPECT,
        population=Population(
            Seen("arrivals", PROSPECT),
            (
                Requirement("arrivals", PROSPECT, Count(last=(config.horizon,)) > 0),
                Requirement("conversions", PROSPECT, Count() == 0),
            ),
        ),
        target=Requirement("conversions", PROSPECT, Count(ahead=config.horizon) > 0),
        horizon=config.horizon,
        blocks=("prospects", "lifecycle", "profile"),
        primary_metric="average_precision",
        rules=(
            RuleOfThumb("column", ("days_since_arrival",), "the newest prospects first", -1),
            RuleOfThumb("column", ("days_since_arrival",), "the longest known prospects first"),
        ),
        wording=Wording(
            entity="prospect",
            entities="prospects",
            outcome="became a customer",
            positives="prospects who convert",
            negatives="prospects who do not convert",
            purpose="To spend time and money on the prospects who will become customers.",
        ),
    )
