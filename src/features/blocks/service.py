"""What went wrong and what came back: complaints, failures, how long they took, surveys, returns, referrals."""

from __future__ import annotations

from ...language.declarations import (
    Block,
    Column,
    Count,
    DaysSinceLast,
    Distinct,
    Feature,
    Group,
    Largest,
    Latest,
    Mean,
    Ratio,
    Sum,
)

CUSTOMER = ("customer_id",)
KIND = Column("kind")
COMPLAINT, FAILURE, SERVICE = KIND == "complaint", KIND == "failure", KIND == "service"
SURVEY, REFERRAL = KIND == "survey", KIND == "referral"
TROUBLE = KIND.is_in("complaint", "failure", "service")

BLOCK = Block(
    "service",
    groups=(
        Group(
            "interactions",
            CUSTOMER,
            (
                Feature(
                    "complaints_{window}",
                    Count(last=(90, 365, None), where=COMPLAINT),
                    definition="complaints in {period}",
                    unit="count",
                    family="complaints",
                    words="complained {value} times in {period}; typically {typical}",
                ),
                Feature(
                    "days_since_complaint",
                    DaysSinceLast(where=COMPLAINT),
                    definition="days since the last complaint",
                    unit="days",
                    family="complaints",
                    words="last complained {value} ago; typically {typical} ago; missing: no complaint so far",
                ),
                Feature(
                    "failures_{window}",
                    Count(last=(90, 365), where=FAILURE),
                    definition="failures of product or service in {period}",
                    unit="count",
                    family="failures",
                    words="met {value} failures in {period}; typically {typical}",
                ),
                Feature(
                    "days_since_failure",
                    DaysSinceLast(where=FAILURE),
                    definition="days since the last failure of product or service",
                    unit="days",
                    family="failures",
                    words="last failure {value} ago; typically {typical} ago; missing: no failure so far",
                ),
                Feature(
                    "service_requests_{window}",
                    Count(last=(30, 90, 365), where=SERVICE),
                    definition="requests for service in {period}",
                    unit="count",
                    family="use of the service",
                    words="asked for service {value} times in {period}; typically {typical}",
                ),
                Feature(
                    "days_since_interaction",
                    DaysSinceLast(),
                    definition="days since anything passed between customer and company beside purchases",
                    unit="days",
                    family="use of the service",
                    words="was last in touch {value} ago; typically {typical} ago; "
                    "missing: no dealings beside purchases so far",
                ),
                Feature(
                    "service_cost_{window}",
                    Sum(column="cost", last=(365,)),
                    definition="what serving the customer cost in {period}",
                    unit="currency",
                    family="use of the service",
                    words="serving him cost {value} in {period}; typically {typical}",
                ),
                Feature(
                    "looks_{window}",
                    Count(last=(30, 90), where=KIND == "visit"),
                    definition="visits to shop or site, with or without a purchase, in {period}",
                    unit="count",
                    family="looking around",
                    words="looked in {value} times in {period}; typically {typical}",
                ),
                Feature(
                    "survey_score",
                    Latest(column="score", where=SURVEY),
                    definition="score that the customer gave in the last survey",
                    family="surveys",
                    words="gave a score of {value} in the last survey; typically {typical}",
                ),
                Feature(
                    "survey_score_mean",
                    Mean(column="score", where=SURVEY),
                    definition="mean of the scores that the customer gave in surveys so far",
                    family="surveys",
                    words="gave a score of {value} on average; typically {typical}",
                ),
                Feature(
                    "days_since_survey",
                    DaysSinceLast(where=SURVEY),
                    definition="days since the customer last answered a survey",
                    unit="days",
                    family="surveys",
                    words="last answered a survey {value} ago; typically {typical} ago; "
                    "missing: no answer to a survey so far",
                ),
                Feature(
                    "referrals_{window}",
                    Count(last=(365, None), where=REFERRAL),
                    definition="others whom the customer referred in {period}",
                    unit="count",
                    family="referrals",
                    words="referred {value} others in {period}; typically {typical}",
                ),
            ),
        ),
        Group(
            "acquisitions",
            CUSTOMER,
            (
                Feature(
                    "was_referred",
                    Distinct(column="referred_by"),
                    definition="1 where the customer came because another one referred him, else 0",
                    unit="count",
                    family="referrals",
                    words="customers who referred him: {value}; typically {typical}",
                ),
            ),
        ),
        Group(
            "referrals",
            CUSTOMER,
            (
                Feature(
                    "customers_brought_{window}",
                    Count(last=(365, None)),
                    definition="new customers who came because the customer referred them, in {period}",
                    unit="count",
                    family="referrals",
                    words="brought {value} new customers in {period}; typically {typical}",
                ),
            ),
        ),
        Group(
            "issues",
            CUSTOMER,
            (
                Feature(
                    "open_issues",
                    Sum(column="open", where=TROUBLE),
                    definition="complaints, failures and requests for service that are not resolved yet",
                    unit="count",
                    family="how well he was helped",
                    words="waits for an answer to {value} complaints, failures or requests; typically {typical}",
                ),
                Feature(
                    "resolution_days_{window}",
                    Mean(column="lasted", last=(365,), where=TROUBLE),
                    definition="mean days to the resolution of what was resolved in {period}",
                    unit="days",
                    family="how well he was helped",
                    words="was helped within {value} in {period}; typically within {typical}",
                ),
                Feature(
                    "resolution_longest_{window}",
                    Largest(column="lasted", last=(365,), where=TROUBLE),
                    definition="longest time to the resolution of what was resolved in {period}",
                    unit="days",
                    family="how well he was helped",
                    words="had to wait up to {value} in {period}; typically up to {typical}",
                ),
            ),
        ),
        Group(
            "returns",
            CUSTOMER,
            (
                Feature(
                    "returns_{window}",
                    Count(last=(90, 365)),
                    definition="goods sent back in {period}",
                    unit="count",
                    family="returns",
                    words="sent goods back {value} times in {period}; typically {typical}",
                ),
                Feature(
                    "returned_amount_{window}",
                    Sum(column="amount", last=(90, 365)),
                    definition="amount of the goods sent back in {period}",
                    unit="currency",
                    family="returns",
                    words="sent back goods for {value} in {period}; typically for {typical}",
                ),
                Feature(
                    "days_since_return",
                    DaysSinceLast(),
                    definition="days since goods were last sent back",
                    unit="days",
                    family="returns",
                    words="last sent goods back {value} ago; typically {typical} ago; "
                    "missing: no goods sent back so far",
                ),
            ),
        ),
    ),
    derived=(
        Feature(
            "return_share",
            Ratio("returned_amount_365d", "spend_365d"),
            definition="amount sent back over amount spent in the last 365 days",
            unit="share",
            family="returns",
            words="sent back {value} of what he bought in the last 365 days; typically {typical}",
        ),
        Feature(
            "complaints_trend",
            Ratio("complaints_90d", "complaints_365d"),
            definition="complaints of the last 90 days over those of the last 365",
            unit="share",
            family="complaints",
            words="{complaints_90d} complaints in the last 90 days, typically {complaints_90d.typical}; "
            "{complaints_365d} in the last 365, typically {complaints_365d.typical}",
        ),
    ),
)
