"""One look at a customer or prospect: everything known and foretold of him, as of any day.

>>> import rapport  # doctest: +SKIP
>>> print(rapport.look("configs/shop.yaml", "1042").text)  # doctest: +SKIP

Facts are features as they were known at that moment, scores are those of the newest result by then, each with its
reasons. Nothing is computed of anybody else, so that it takes no time.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from ..config import Config, load_config
from ..data.buckets import bucket_of
from ..data.dataset import Dataset
from ..data.ingest import open_dataset
from ..errors import DataError, OutputError
from ..explain.review_words import rank
from ..explain.values import clean, format_numbers
from ..features.one import Known, One, kinds_at_hand, nearest_ids
from ..language.declarations import FeatureColumn
from ..language.moments import midnight, to_local
from ..tasks import declare
from .parts import part_name
from .results import open_result, results, scores_folder

FACTS = (
    "days_since_visit",
    "gap_mean",
    "visits_{window}",
    "spend_{window}",
    "margin_{window}",
    "days_known",
    "open_issues",
    "days_since_complaint",
    "survey_score",
    "service_cost_{window}",
    "referrals_{window}",
    "stage",
    "subscription_plan",
    "fee_now",
    "remaining_term",
    "bills_unpaid",
    "amount_unpaid",
    "days_since_contact",
    "days_since_response",
    "days_since_arrival",
    "{value}",
)
WINDOWS = (365, None)
"""The windows that are told of those facts that have one."""
AHEAD = 30  # days in which an anniversary is told
REASONS = 5
_BESIDE: tuple[str, ...] = ("entity_id", "as_of", "score", "raw_score", "percentile")
_BESIDE += ("model_name", "model_version", "run_id", "scored_at")
_WHO = {"customer_id": "customer", "prospect_id": "prospect"}


@dataclass(frozen=True)
class Fact:
    """One thing that is known: its feature, what it means, and its value, plain and in words."""

    feature: str
    meaning: str
    value: float | str
    words: str


@dataclass(frozen=True)
class Standing:
    """One score: of which task, as of when, with what the task puts out beside it and the reasons in words."""

    task: str
    question: str
    as_of: date
    score: float
    percentile: float | None
    outputs: dict[str, Any]
    reasons: tuple[str, ...]
    model_version: str | None


@dataclass(frozen=True)
class Favourite:
    """A category (or product) that a customer buys, how often, and for how much."""

    name: str
    times: int
    amount: float


@dataclass(frozen=True)
class Look:
    """All that is known of one entity; `note` says how much that is."""

    entity_id: str
    kind: str
    as_of: date
    facts: tuple[Fact, ...]
    favourites: tuple[Favourite, ...]
    anniversaries: tuple[str, ...]
    standings: tuple[Standing, ...]
    note: str

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @property
    def text(self) -> str:
        """For a terminal."""
        lines = [f"{self.kind} {self.entity_id} as of {self.as_of}", f"  {self.note}"]
        lines += [f"  {fact.meaning}: {fact.words}" for fact in self.facts]
        if self.favourites:
            named = ", ".join(f"{one.name} ({one.times} times)" for one in self.favourites)
            lines.append(f"  buys most: {named}")
        lines += [f"  {text}" for text in self.anniversaries]
        for one in self.standings:
            place = "" if one.percentile is None else f", higher than {rank(one.percentile)} of all"
            beside = "".join(f", {name} {_plain(value)}" for name, value in one.outputs.items())
            lines.append(f"{one.task} (as of {one.as_of}): {one.score:.3g}{place}{beside}")
            lines += [f"    {reason}" for reason in one.reasons]
        return "\n".join(lines)


def look(
    config: Config | str | Path, entity_id: int | str, as_of: date | None = None, *, data: Dataset | None = None
) -> Look:
    """Look at one customer or prospect, as of a local day's first moment (default: the end of the data).

    `data` may be an open data set of that configuration; it is cut down to the entity and must not be used for anything
    else afterwards but further looks. DataError where nobody has that id (the nearest ids are named), or nothing was
    known of him by that day.
    """
    config = config if isinstance(config, Config) else load_config(config)
    data = data or open_dataset(config)
    cutoff = data.observed_until if as_of is None else midnight(as_of, config.zone)
    day = to_local(cutoff, config.zone).date()
    one = _find(data, entity_id)
    known = one.known(cutoff, FACTS)
    if known.values.get("days_since_visit") is None and known.values.get("days_since_arrival") is None:
        raise DataError(
            f"nothing is known of {_WHO[one.key]} '{entity_id}' as of {day}: his first event comes later; "
            "give a later --as-of"
        )
    facts = _facts(known, config.currency)
    favourites = one.favourites(cutoff, "category") if one.key == "customer_id" else []
    return Look(
        entity_id=str(one.entity),
        kind=_WHO[one.key],
        as_of=day,
        facts=facts,
        favourites=tuple(Favourite(clean(name, 60), times, amount) for name, times, amount in favourites),
        anniversaries=_anniversaries(one.row(), day, config.zone),
        standings=tuple(_standings(data, one, day)),
        note=_note(facts, known, data),
    )


def _find(data: Dataset, entity_id: int | str) -> One:
    """The customer, else the prospect, of that id."""
    kinds = kinds_at_hand(data)
    for key in kinds:
        one = One(data, key, entity_id)
        if one.exists():
            return one
    close = list(dict.fromkeys(name for key in kinds for name in nearest_ids(data, key, entity_id)))
    raise DataError(f"nobody has the id '{entity_id}'; close to it: {', '.join(close) or 'nobody'}")


# ------------------------------------------------------------------------------------------- what is known
def _facts(known: Known, currency: str) -> tuple[Fact, ...]:
    told = []
    for column in known.columns:
        value = known.values[column.name]
        if value is None or (column.window not in WINDOWS and "_{window}" in _template(column)):
            continue
        told.append(Fact(column.name, column.definition, value, _words(column, value, currency)))
    return tuple(told)


def _template(column: FeatureColumn) -> str:
    """The name of a column with its window taken out."""
    window = f"{column.window}d" if column.window is not None else "life"
    name = column.name
    return f"{name.removesuffix(window)}{{window}}" if name.endswith(f"_{window}") else name


def _words(column: FeatureColumn, value: float | str, currency: str) -> str:
    if column.kind == "category":
        return clean(str(value), 60)
    return str(format_numbers(np.array([float(value)]), column.unit, currency)[0].as_py())


def _anniversaries(row: dict[str, Any], day: date, zone: ZoneInfo) -> tuple[str, ...]:
    """Birthdays and days of acquaintance in the next days, by the calendar of the business."""
    told = []
    for column, what in (("birth_date", "birthday"), ("acquired_at", "anniversary as a customer")):
        moment = row.get(column)
        began = to_local(moment, zone).date() if isinstance(moment, datetime) else None
        if began is not None and began < day:
            ahead = next((n for n in range(AHEAD + 1) if _same_day(began, day + timedelta(days=n))), None)
            if ahead is not None:
                when = day + timedelta(days=ahead)
                told.append(f"{what} on {when} (the {when.year - began.year}.)")
    return tuple(told)


def _same_day(began: date, day: date) -> bool:
    leap = (began.month, began.day) == (2, 29)
    of_leap = leap and (day.month, day.day) == (2, 28) and not _is_leap(day.year)
    return (began.month, began.day) == (day.month, day.day) or of_leap


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _note(facts: tuple[Fact, ...], known: Known, data: Dataset) -> str:
    share = len(facts) / max(len(known.columns), 1)
    if known.key == "prospect_id" and share < 0.5:
        return f"little is known: {len(facts)} of {len(known.columns)} facts; take what follows as a first guess"
    return f"{len(facts)} facts are known"


# ------------------------------------------------------------------------------------------- what is foretold
def _standings(data: Dataset, one: One, day: date) -> list[Standing]:
    found = []
    for name, settings in data.config.tasks.named().items():
        task = declare(name, settings)
        if task.entity != one.key:
            continue
        folders = results(scores_folder(data.config, name))
        until = [moment for moment in folders if moment <= day]
        for row in _rows(folders[until[-1]], str(one.entity)) if until else []:
            found.append(_standing(name, task.question, row))
    return found


def _rows(folder: Path, entity: str) -> list[dict[str, Any]]:
    """The rows of an entity in a result, read from the part of its bucket; OutputError where that is not whole."""
    part = part_name(bucket_of(entity, open_result(folder).job.parts))
    try:
        rows = ds.dataset([str(folder / part)], format="parquet")
        kind = rows.schema.field("entity_id").type
        wanted = pa.scalar(entity if pa.types.is_string(kind) else int(entity), kind)
        found: list[dict[str, Any]] = rows.to_table(filter=pc.field("entity_id") == wanted).to_pylist()
    except (pa.ArrowInvalid, OSError) as error:
        raise OutputError(f"{folder} has a damaged part; run the job again, and it is mended: {error}") from error
    return sorted(found, key=lambda row: (row.get("rank") or 0, -row["score"]))[:REASONS]


def _standing(name: str, question: str, row: dict[str, Any]) -> Standing:
    reasons = [row.get(f"reason_{k}") for k in range(1, REASONS + 1)]
    beside = {
        column: value
        for column, value in row.items()
        if column not in _BESIDE and not column.startswith("reason_") and value is not None
    }
    return Standing(
        task=name,
        question=question,
        as_of=row["as_of"],
        score=float(row["score"]),
        percentile=row["percentile"],
        outputs=beside,
        reasons=tuple(str(reason) for reason in reasons if reason),
        model_version=row["model_version"],
    )


def _plain(value: Any) -> str:
    return f"{value:,.2f}" if isinstance(value, float) else clean(str(value), 60)
