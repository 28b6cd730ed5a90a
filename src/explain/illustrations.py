"""Pictures with their headlines: what the page shows of quality and drivers, made from arrays in one call each.

The headlines are written from the numbers ("The top fifth holds 61 % of all leavers; by the rule 48 %"), so that a
reader who looks at nothing else has the finding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from ..language.declarations import FeatureColumn
from . import picture_drivers, picture_quality
from .picture_quality import Target
from .picture_style import Floats, to_svg
from .review_parts import CalibrationBin, Driver, Picture, Subject
from .review_words import MetricWords, number, percent

TOGETHER = 0.05  # log-odds: a mean joint effect below it is called small


def calibration_story(target: Target, probability: Floats, subject: Subject) -> tuple[tuple[CalibrationBin, ...], str]:
    """Ten groups of equal size with promise and outcome, and one sentence on whether the percentages can be trusted."""
    table = picture_quality.calibration_bins(target, probability)
    bins = tuple(
        CalibrationBin(int(rows), promised, happened, low, high)
        for rows, promised, happened, low, high in table.tolist()
    )
    inside = sum(b.low <= b.happened <= b.high for b in bins)
    gap = 100 * sum(b.rows * abs(b.promised - b.happened) for b in bins) / max(sum(b.rows for b in bins), 1)
    trust = "can be taken at their word" if inside >= len(bins) - 1 else "are roughly right, not exact"
    if inside < len(bins) / 2:
        trust = "must not be taken at their word"
    top = bins[-1]
    words = (
        f"The percentages {trust}: in {inside} of {len(bins)} groups the outcome lies where chance alone would put it, "
        f"and promise and outcome differ by {gap:.1f} points on average. Of the tenth with the highest scores, "
        f"{percent(top.promised)} were promised and {percent(top.happened)} happened."
    )
    return bins, words


def quality_pictures(
    target: Target, probability: Floats, rule: Floats | None = None, subject: Subject | None = None, rows: str = ""
) -> tuple[Picture, ...]:
    """Gains, calibration, precision-recall, ROC and the spread of the scores, for the rows of the test window.

    `target` (n,) is 0 or 1, `probability` (n,) calibrated, `rule` (n,) any number that grows with the chance; `rows` is
    what the rows are, where an entity has many of them ("offers").
    """
    subject = subject or Subject()
    many, found = rows or subject.entities, picture_quality.gain_at(target, probability, 0.2)
    beside = "" if rule is None else f", by the rule {percent(picture_quality.gain_at(target, rule, 0.2))}"
    bins, _ = calibration_story(target, probability, subject)
    inside = sum(b.low <= b.happened <= b.high for b in bins)
    hits, recall = _at_top(target, probability, 0.1)
    pictures = {
        "gains": (
            picture_quality.gains(target, probability, rule, many),
            f"The top fifth holds {percent(found)} of all {subject.positives}{beside}",
            f"Read: take the share of {many} on the lower axis, reach the share of {subject.positives} on the left.",
        ),
        "calibration": (
            picture_quality.calibration(target, probability, many),
            f"Promise and outcome agree in {inside} of {len(bins)} groups",
            "Read: a dot inside its pale bar is as close to the promised line as chance allows.",
        ),
        "precision_recall": (
            picture_quality.precision_recall(target, probability, rule),
            f"Of the tenth with the highest scores, {percent(hits)} are {subject.positives}",
            f"Read: flagging that tenth finds {percent(recall)} of them all. Further right, more are found "
            "and more flags are wrong.",
        ),
        "roc": (
            picture_quality.roc(target, probability, rule),
            "The further up and left, the better the order",
            f"Read: to find the share on the left, accept that the share on the lower axis of all {subject.negatives} "
            "is flagged, too.",
        ),
        "score_distribution": (
            picture_quality.score_distribution(target, probability, subject.positives, subject.negatives),
            f"How far apart {subject.positives} and {subject.negatives} are",
            "Read: where the two shapes overlap, the model cannot tell them apart.",
        ),
    }
    return tuple(
        Picture(name, to_svg(figure), headline, f"{headline}. {text}", text)
        for name, (figure, headline, text) in pictures.items()
    )


def _at_top(target: Target, probability: Floats, share: float) -> tuple[float, float]:
    """Precision and recall of the top `share` of rows."""
    recall = picture_quality.gain_at(target, probability, share)
    return min(recall * float(np.mean(target)) / share, 1.0), recall


def stability_picture(
    days: Sequence[str],
    model: Sequence[tuple[float, float, float]],
    rule: Sequence[tuple[float, float, float]],
    metric: MetricWords,
    source: Literal["test", "backtest"],
) -> Picture:
    """A metric of model and rule, forecast by forecast: (value, low, high) each, `days` the dates of the forecasts."""
    above = sum(own[0] > other[0] for own, other in zip(model, rule, strict=True))
    apart = sum(own[1] > other[2] for own, other in zip(model, rule, strict=True))
    headline = f"Better than the rule at {above} of {len(days)} forecasts"
    many = {
        "test": "Each date is a forecast of the test by the one model of this page.",
        "backtest": "Each date is a forecast of the backtest by a model trained anew on what was known before it.",
    }[source]
    words = f"{many} Lines are 95 % intervals; they lie apart from the rule's at {apart} of {len(days)}."
    listed = "; ".join(
        f"{day}: model {number(own[0], metric.unit)}, rule {number(other[0], metric.unit)}"
        for day, own, other in zip(days, model, rule, strict=True)
    )
    figure = picture_quality.over_cutoffs(days, model, rule, f"{metric.label} ({metric.term})")
    return Picture(f"stability_{source}", to_svg(figure), headline, f"{headline}. {listed}.", words)


def together_picture(
    columns: Sequence[FeatureColumn], first: int, second: int, values: Floats, interaction: Floats
) -> Picture:
    """What two features do together beyond what each does alone; `interaction` (n,) is shap's value, half the effect.

    `values` (n, p) as `model.encode` gives them.
    """
    a, b = columns[first], columns[second]
    effect = 2 * np.asarray(interaction, dtype=float)
    figure = picture_drivers.together(values[:, first], values[:, second], effect, spoken(a), spoken(b))
    pair, size = f"“{spoken(a)}” and “{_lower(spoken(b))}”", float(np.abs(effect).mean())
    headline = "Two features work together" if size >= TOGETHER else "No two features work together much"
    words = (
        f"The strongest pair: {pair}. Where the effect of the one depends on the other, dots leave the line. Read: "
        "dots above the line are rows where the two together raise the score by more than each alone would say, dots "
        f"below by less; mean size {size:.2f} in "
        f"log-odds. The colour is the value of “{_lower(spoken(b))}”."
    )
    return Picture("together", to_svg(figure), headline, f"{headline}. {words}", words)


def drivers(
    columns: Sequence[FeatureColumn], contributions: Floats, values: Floats | None = None
) -> tuple[tuple[Driver, ...], dict[str, Floats]]:
    """The families of features by their share in mean |contribution|, and each family's contributions (n,).

    `contributions` is (n, p) or (n, p + 1) on the raw score; `values` (n, p) as the model sees them gives the words.
    """
    matrix = np.asarray(contributions, dtype=float)[:, : len(columns)]
    families: dict[str, list[int]] = {}
    for i, column in enumerate(columns):
        families.setdefault(column.family, []).append(i)
    sums = {family: matrix[:, members].sum(axis=1) for family, members in families.items()}
    size = {family: float(np.abs(total).mean()) for family, total in sums.items()}
    whole = max(sum(size.values()), 1e-12)
    found = []
    for family in sorted(families, key=lambda name: -size[name]):
        strongest = max(families[family], key=lambda i: float(np.abs(matrix[:, i]).mean()))
        words = (
            ""
            if values is None
            else _direction(columns[strongest], np.asarray(values)[:, strongest], matrix[:, strongest])
            or f"{spoken(columns[strongest])}: the effect differs by value."
        )
        found.append(Driver(family, size[family] / whole, words, tuple(columns[i].name for i in families[family])))
    return tuple(found), sums


def driver_pictures(
    columns: Sequence[FeatureColumn],
    contributions: Floats,
    values: Floats,
    categories: Mapping[str, Sequence[str]] | None = None,
    top: int = 3,
) -> tuple[Picture, ...]:
    """Bars by family, a beeswarm of features, and the dependence of the `top` features.

    `values` (n, p) as `model.encode` gives them; `categories` names the codes of a category: {feature: words}.
    """
    categories = categories or {}
    matrix = np.asarray(contributions, dtype=float)[:, : len(columns)]
    values = np.asarray(values, dtype=float)
    shares, sums = drivers(columns, matrix)
    first = shares[0] if shares else Driver("", 0.0)
    names = [spoken(column) for column in columns]
    shade = values.copy()
    shade[:, [column.kind == "category" for column in columns]] = np.nan
    bars = picture_drivers.reason_bars(list(sums), np.array([np.abs(total).mean() for total in sums.values()]))
    headline = f"“{first.group}” moves the scores most: {percent(first.share)} of all movement"
    text = (
        "Read: each bar is a group of features that say the same thing, summed and averaged over all rows of the test."
    )
    swarm_text = (
        "Read: one dot is one row of the test. Right of the line the feature raised its score, left of it lowered. "
        "Orange is a high value of the feature, blue a low one."
    )
    swarm = picture_drivers.beeswarm(names, matrix, shade)
    pictures = [
        Picture("reason_bars", to_svg(bars), headline, f"{headline}. {_listed(shares)}", text),
        Picture(
            "beeswarm",
            to_svg(swarm),
            "Feature by feature, row by row",
            f"Beeswarm of features. {swarm_text}",
            swarm_text,
        ),
    ]
    # The strongest feature of each of the first families: three windows of one measure would say one thing thrice.
    size = dict(zip((column.name for column in columns), np.abs(matrix).mean(axis=0), strict=True))
    place = {column.name: i for i, column in enumerate(columns)}
    for driver in shares[:top]:
        i = place[max(driver.features, key=lambda name: float(size[name]))]
        column = columns[i]
        value = values[:, i]
        shown = _texts(value, categories[column.name]) if column.name in categories else value
        figure = picture_drivers.dependence(shown, matrix[:, i], names[i], column.unit)
        words = _direction(column, value, matrix[:, i]) or f"{names[i]}: the effect differs by value."
        dots = "one dot is one row, the line is the mean"
        if column.name in categories:
            dots = "each dot is the middle effect of those with that value, its bar holds nine of ten of them"
        note = f"Read: {dots}; below is how common each value is."
        pictures.append(Picture(f"dependence_{column.name}", to_svg(figure), words, f"{words} {note}", note))
    return tuple(pictures)


def spoken(column: FeatureColumn) -> str:
    """A feature's name as a reader would say it."""
    words = (column.definition or column.name.replace("_", " ")).strip().rstrip(".")
    return words[:1].upper() + words[1:]


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _listed(shares: Sequence[Driver]) -> str:
    return "; ".join(f"{driver.group} {percent(driver.share)}" for driver in shares[:8])


def _texts(codes: Floats, names: Sequence[str]) -> np.ndarray[tuple[int], np.dtype[np.str_]]:
    known = [*names, "missing"]
    return np.array([known[int(code)] if np.isfinite(code) and 0 <= code < len(names) else "missing" for code in codes])


def _direction(column: FeatureColumn, value: Floats, contribution: Floats) -> str:
    """Whether more of a feature raises or lowers the score, by rank correlation; empty for categories."""
    known = np.isfinite(value)
    if column.kind == "category" or known.sum() < 10 or np.ptp(value[known]) == 0:
        return ""
    ranks = picture_drivers.ranks(value[known]), picture_drivers.ranks(contribution[known])
    if min(float(np.std(rank)) for rank in ranks) == 0:
        return ""
    together = float(np.corrcoef(*ranks)[0, 1])
    name = spoken(column)
    if abs(together) < 0.5:
        return f"{name}: no simple direction."
    return f"{name}: higher values {'raise' if together > 0 else 'lower'} the score."
