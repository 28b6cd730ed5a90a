"""The model card: the review in Markdown, for the registry and for whoever reads no HTML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from .review_answers import GRADES, better_than_rule, checks_in_words, cohorts_in_words, fairness_in_words, verdict
from .review_parts import Review
from .review_words import Unit, clean, count, interval, metric_words, number, percent


def model_card(review: Review) -> str:
    """The model card of a reviewed version, in Markdown with a table for windows, quality and drivers.

    Texts from data are escaped: they can open no tag, link, table cell or code.
    """
    parts = [
        f"# {_text(review.question, 160)}",
        f"Model card of `{_code(review.provenance.model_name or f'{review.config}/{review.task}')}`"
        + (f", version {_text(review.provenance.version)}" if review.provenance.version else "")
        + ".",
        _section("Purpose", [_text(review.purpose)]),
        _section("Population", [_text(review.population)]),
        _section("Target", [_text(review.target), f"Horizon: {_text(review.horizon)}."]),
        _section("Data", [_windows(review)]),
        _section("Quality against the rule", _quality(review)),
        _section("Calibration", [_text(review.calibration_words)]),
        _section("Money", [_text(text) for text in review.worth_words]),
        _section("Stability over time", [_text(picture.alt) for picture in review.stability]),
        _section("What drives it", [_drivers(review)]),
        _section("Where it is weak", _limits(review)),
        _section("Decision", _decision(review)),
        _section("Provenance", [_provenance(review)]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(title: str, paragraphs: Iterable[str]) -> str:
    kept = [paragraph for paragraph in paragraphs if paragraph]
    return "\n\n".join([f"## {title}", *kept]) if kept else ""


def _windows(review: Review) -> str:
    subject = review.subject
    head = ["Window", "First forecast", "Last forecast", "Forecast dates", "Rows", subject.entities, subject.positives]
    rows = []
    for w in review.windows:
        positives = count(w.positives) + (f" ({percent(w.positives / w.rows)})" if w.rows else "")
        rows.append([w.name, w.first, w.last, count(w.cutoffs), count(w.rows), count(w.entities), positives])
    return _table(head, rows, numbers_from=3)


def _quality(review: Review) -> list[str]:
    answer, sentence = better_than_rule(review)
    rows = []
    ceilings = any(measure.ceiling is not None for measure in review.measures)
    for measure in review.measures:
        words = metric_words(measure, review.subject)
        rows.append(
            [
                f"{words.label} ({words.term})" + (", decides the grade" if measure.primary else ""),
                _with_interval(measure.model, measure.low, measure.high, words.unit),
                _with_interval(measure.rule, measure.rule_low, measure.rule_high, words.unit),
                _with_interval(measure.gain, measure.gain_low, measure.gain_high, words.unit, signed=True),
                *([number(measure.ceiling, words.unit)] if ceilings else []),
            ]
        )
    return [
        f"**Grade {review.grade}.** {_text(review.grade_words or GRADES[review.grade])}",
        f"Better than the rule? **{answer}.** {_text(sentence)}",
        _table(["Measure", "Model", "Rule", "Gain", *(["Best possible"] if ceilings else [])], rows, numbers_from=1),
        "In brackets: 95 % intervals. A gain is positive where the model is better." if rows else "",
    ]


def _with_interval(value: float | None, low: float | None, high: float | None, unit: Unit, signed: bool = False) -> str:
    band = interval(low, high, unit, signed)
    return number(value, unit, signed) + (f" ({band})" if band else "")


def _drivers(review: Review) -> str:
    rows = [[driver.group, percent(driver.share), driver.words] for driver in review.drivers[:12]]
    return _table(["Group of features", "Share in all that moves the scores", "Strongest feature"], rows)


def _limits(review: Review) -> list[str]:
    lines = [f"- **Alarm:** {_text(alarm)}" for alarm in review.alarms] + [
        f"- {_text(limit)}" for limit in review.limits
    ]
    fair = fairness_in_words(review.fairness, review.subject)
    return [_text(cohorts_in_words(review.cohorts)), _text(fair, 1200), _text(review.error_words), "\n".join(lines)]


def _decision(review: Review) -> list[str]:
    answer = verdict(review)
    marks = {True: "Passed", False: "Failed", None: "For a person to judge"}
    checks = [
        f"- {_text(c.question)} {marks[c.passed]}{', with remarks' if c.remarks else ''}. {_text(c.words)}".rstrip()
        for c in review.checklist
    ]
    decided = review.decision
    page = f"Decided on the page with sha256 `{_code(decided.page_sha256)}`." if decided and decided.page_sha256 else ""
    return [
        f"May it be used? **{_text(answer.headline)}.** {_text(' '.join(answer.sentences), 1200)}",
        page,
        checks_in_words(review),
        "\n".join(checks),
    ]


def _provenance(review: Review) -> str:
    come = review.provenance
    known = {
        "Role": come.role,
        "Run": come.run_id,
        "Data fingerprint": come.data_fingerprint,
        "Code": come.commit,
        "Trained": come.trained_at,
        "Data until": come.observed_until,
        "Scores as of": come.scored_as_of,
    }
    return "\n".join(f"- {name}: `{_code(value)}`" for name, value in known.items() if value)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], numbers_from: int | None = None) -> str:
    if not rows:
        return ""
    rule = ["---:" if numbers_from is not None and i >= numbers_from else "---" for i in range(len(head))]
    lines = [[_text(cell, 200) for cell in head], rule, *([_text(cell, 200) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _text(text: str, limit: int = 600) -> str:
    """A text as plain Markdown on one line: what could begin a tag, a link, a cell or code is escaped."""
    line = " ".join(clean(text, limit).split(" "))
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|#~$])", r"\\\1", line).replace("://", "&#58;//")


def _code(text: str) -> str:
    return clean(text, 200).replace("`", "'").replace("|", "/")
