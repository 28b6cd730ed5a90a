"""The review: what a manager reads before a model may be used, as data and as one self-contained HTML page.

>>> review = Review(config="shop", task="churn", question="Who will leave?", population="All who bought lately.",
...                 target="No purchase.", horizon="28 days", grade="C")
>>> Review.from_json(review.to_json()) == review
True
>>> render(review).startswith("<!doctype html>")
True
"""

from __future__ import annotations

from .page import render, write
from .review_answers import Verdict, verdict
from .review_parts import (
    CalibrationBin,
    Check,
    Cohort,
    Customer,
    Decision,
    Driver,
    FairGroup,
    Figure,
    Grade,
    Measure,
    Picture,
    Provenance,
    Reason,
    ReasonCohort,
    Review,
    Score,
    Subject,
    Together,
    Window,
)
from .review_view import spread_rows

__all__ = [
    "CalibrationBin",
    "Check",
    "Cohort",
    "Customer",
    "Decision",
    "Driver",
    "FairGroup",
    "Figure",
    "Grade",
    "Measure",
    "Picture",
    "Provenance",
    "Reason",
    "ReasonCohort",
    "Review",
    "Score",
    "Subject",
    "Together",
    "Verdict",
    "Window",
    "render",
    "spread_rows",
    "verdict",
    "write",
]
