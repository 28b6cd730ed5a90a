"""The review page: one HTML file that needs no server and no network.

Everything from data passes the template's escaping; pictures are embedded as images, inside of which nothing can run;
a Content-Security-Policy forbids every request and every script but the page's own, by its checksum.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shlex
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from . import picture_style, review_answers, review_view, review_words
from .review_parts import Review

LIMIT = 5_000_000  # bytes of one page

_FOLDER = Path(__file__).parent
# Colours of the pictures and what they become where the reader's screen is dark.
_DARK = {
    picture_style.INK: "#e6e9ed",
    picture_style.QUIET: "#a7b0bb",
    picture_style.FAINT: "#343b44",
    picture_style.PAPER: "#1a1e24",
    picture_style.MODEL: "#6db3dd",
    picture_style.RULE: "#e0955a",
    picture_style.BAND: "#33495a",
    picture_style.RAISES: "#e0806f",
    picture_style.LOWERS: "#79aede",
    picture_style.NEUTRAL: "#828c97",
}


def render(review: Review) -> str:
    """The page as HTML, under 5 MB however many customers the review holds.

    At most 60 customers are shown: those asked for, and others spread over the range of scores.
    """
    script = (_FOLDER / "review.js").read_text(encoding="utf-8")
    checksum = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    customers = review_view.shown_customers(review)
    page = (
        environment()
        .get_template("review.html")
        .render(
            review=review,
            subject=review.subject,
            customers=customers,
            index=[
                {"id": review_words.clean(c.entity_id, 200), "row": f"customer-{i}"} for i, c in enumerate(customers)
            ],
            command=_command,
            css=Markup((_FOLDER / "review.css").read_text(encoding="utf-8")),
            script=Markup(script),
            checksum=checksum,
            verdict=review_answers.verdict(review),
            better=review_answers.better_than_rule(review),
        )
    )
    if len(page.encode("utf-8", "replace")) >= LIMIT:
        raise ValueError("the page is larger than 5 MB: too many or too large pictures")
    return page


def write(review: Review, path: str | Path) -> Path:
    """Write the page to `path` in one step: a reader sees the old page or the new one, never a half."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    page = render(review).encode("utf-8")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(page)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


@cache
def environment() -> Environment:
    """What renders every page: templates of this folder, everything escaped, nothing undefined."""
    made = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "capitalize_first": lambda text: text[:1].upper() + text[1:],
        "clean": review_words.clean,
        "count": review_words.count,
        "percent": review_words.percent,
        "plural": review_words.plural,
        "rank": review_words.rank,
        "share": review_words.observed,
        "image": _image,
    }
    made.globals |= {
        "checks_in_words": review_answers.checks_in_words,
        "cohort_state": review_answers.cohort_state,
        "cohort_words": review_answers.COHORT_WORDS,
        "cohorts_in_words": review_answers.cohorts_in_words,
        "spread_in_words": review_answers.spread_in_words,
        "grades": review_answers.GRADES,
        "cohort_tables": review_view.cohort_tables,
        "fairness_in_words": review_answers.fairness_in_words,
        "fairness_tables": review_view.fairness_tables,
        "figure_mark": review_view.figure_mark,
        "heat": review_view.heat,
        "interval": review_words.interval,
        "like_this": review_answers.like_this,
        "measure_line": review_view.measure_line,
        "metric_words": review_words.metric_words,
        "number": review_words.number,
        "sorted_cohorts": review_view.sorted_cohorts,
        "waterfall": review_view.waterfall,
        "why": review_answers.why,
    }
    return made


def _command(review: Review, verb: str, rest: str = "") -> str:
    """A command line with everything filled in that is known."""
    config = shlex.quote(review.config_path or f"configs/{review.config}.yaml")
    return " ".join(part for part in ("rapport", verb, config, review.task, rest) if part)


def _image(svg: str) -> str:
    """An SVG as the address of an image, with colours that follow the reader's light or dark screen."""
    names = {color: f"var(--c{i})" for i, color in enumerate(_DARK)}
    svg = re.sub("|".join(names), lambda match: names[match.group()], svg)
    light = "".join(f"--c{i}:{color};" for i, color in enumerate(_DARK))
    dark = "".join(f"--c{i}:{color};" for i, color in enumerate(_DARK.values()))
    style = f"<style>:root{{{light}}}@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}</style>"
    svg = re.sub(r"(<svg[^>]*>)", lambda match: match.group() + style, svg, count=1)
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode("utf-8")).decode("ascii")
