"""What the review page shows, as typed frozen dataclasses: `Review` and its parts.

Every value is checked when an object is made (numpy numbers are taken as they are; NaN and infinity are refused:
use None for what is not known). Shares and probabilities are 0..1; raw scores and contributions are log-odds; dates
are ISO texts in the business zone, as they shall be printed. Texts may hold anything that data can hold.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from ..errors import ModelError

_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
Share = Annotated[float, Field(ge=-1e-9, le=1 + 1e-9)]
Grade = Literal["A", "B", "C", "D"]


@dataclass(frozen=True, config=_STRICT)
class Subject:
    """The words for whom the model speaks of and what may happen to them.

    Example: entity "household", entities "households", outcome "buys nothing", positives "households that lapse",
    negatives "households that stay".
    """

    entity: str = "customer"
    entities: str = "customers"
    outcome: str = "does it"
    positives: str = "cases"
    negatives: str = "others"


@dataclass(frozen=True, config=_STRICT)
class Window:
    """One window of the split: training, calibration, validation or test."""

    name: str
    first: str
    last: str
    cutoffs: int
    rows: int
    entities: int
    positives: int
    note: str = ""


@dataclass(frozen=True, config=_STRICT)
class Measure:
    """One metric on the test window, beside the rule and the ceiling (the best that anybody could reach).

    `name` is the metric's name in MLflow without its split (`roc_auc`); `label` and `meaning` are its plain words,
    looked up by name where they are empty. Intervals are 95 %, by bootstrap over entities. `gain` is how much better
    than the rule the model is, paired on the same bootstrap samples, positive where the model is better (also for a
    metric of which less is better).
    """

    name: str
    model: float
    low: float | None = None
    high: float | None = None
    rule: float | None = None
    rule_low: float | None = None
    rule_high: float | None = None
    gain: float | None = None
    gain_low: float | None = None
    gain_high: float | None = None
    ceiling: float | None = None
    primary: bool = False
    label: str = ""
    meaning: str = ""


@dataclass(frozen=True, config=_STRICT)
class Cohort:
    """The primary metric on one part of the test rows, such as attribute "Age group", value "65+".

    `model` and `rule` are the metric, `gain` as in `Measure`; None where the part holds too few positives to tell.
    """

    attribute: str
    value: str
    rows: int
    positives: int
    model: float | None = None
    rule: float | None = None
    gain: float | None = None
    gain_low: float | None = None
    gain_high: float | None = None


@dataclass(frozen=True, config=_STRICT)
class Figure:
    """One figure of a group with its 95 % interval, and how far it lies from that of all others together.

    `gap` is the group's figure less the others'; it is beyond chance where its interval leaves out zero.
    """

    name: Literal["flagged", "found", "false_alarms", "overstated"]
    value: float
    low: float | None = None
    high: float | None = None
    gap: float | None = None
    gap_low: float | None = None
    gap_high: float | None = None


@dataclass(frozen=True, config=_STRICT)
class FairGroup:
    """How the model treats one group of an attribute in the test; no figures where the group is too small to tell.

    `promised` is the mean score and `happened` the share of positives.
    """

    attribute: str
    value: str
    rows: int
    positives: int
    promised: Share
    happened: Share
    figures: tuple[Figure, ...] = ()


@dataclass(frozen=True, config=_STRICT)
class ReasonCohort:
    """Mean contributions (log-odds) of the review's `reason_groups` over some test rows.

    `kind` is "score" (tenths), "error" (hits, false alarms, misses) or the name of an attribute.
    """

    kind: str
    value: str
    rows: int
    promised: Share
    happened: Share
    contributions: tuple[float, ...]


@dataclass(frozen=True, config=_STRICT)
class CalibrationBin:
    """One of ten groups of equal size by score: what was promised, what happened, where chance alone would put it."""

    rows: int
    promised: Share
    happened: Share
    low: Share
    high: Share


@dataclass(frozen=True, config=_STRICT)
class Picture:
    """One picture of the page, as `pictures.to_svg` writes it.

    `headline` says what is to be seen, `words` how to read it, `alt` the same for those who cannot see it.
    """

    name: str
    svg: str
    headline: str
    alt: str
    words: str = ""


@dataclass(frozen=True, config=_STRICT)
class Driver:
    """One group of features over all customers: its share (0..1) in mean |contribution|, and what it does, in words."""

    group: str
    share: Share
    words: str = ""
    features: tuple[str, ...] = ()


@dataclass(frozen=True, config=_STRICT)
class Together:
    """Two things that go together: how many have both, and the lift over chance with its 95 % interval."""

    first: str
    second: str
    customers: int
    lift: float
    low: float
    high: float


@dataclass(frozen=True, config=_STRICT)
class Reason:
    """One group's contribution (log-odds) to one score; `without` is the calibrated probability without it."""

    group: str
    words: str
    contribution: float
    without: Share


@dataclass(frozen=True, config=_STRICT)
class Score:
    """One score of a customer, with at most five reasons, the largest first.

    `percentile` is 0..100 among all who were scored. `base` is the model's starting point and `raw` the score, both
    in log-odds; what the reasons leave of the way between is shown as "all other reasons". `label` names the offer
    or the campaign where a customer has several scores.
    """

    probability: Share
    percentile: Annotated[float, Field(ge=0, le=100)]
    base: float
    raw: float
    reasons: tuple[Reason, ...] = ()
    label: str = ""
    happened: bool | None = None  # what was foretold; None where that is not known yet


@dataclass(frozen=True, config=_STRICT)
class Customer:
    """A sample customer: one score, or several ranked offers (the best first). `asked_for` always stays on the page.

    `as_of` is the date of the forecast.
    """

    entity_id: str
    scores: tuple[Score, ...]
    asked_for: bool = False
    as_of: str = ""


@dataclass(frozen=True, config=_STRICT)
class Check:
    """One line of the checklist; `passed` is None where only a person can tell, `remarks`: `words` are worth a look."""

    question: str
    passed: bool | None = None
    words: str = ""
    remarks: bool = False


@dataclass(frozen=True, config=_STRICT)
class Decision:
    """What a reviewer decided about this version."""

    state: Literal["approved", "rejected"]
    by: str
    at: str
    note: str = ""
    page_sha256: str = ""


@dataclass(frozen=True, config=_STRICT)
class Provenance:
    """Where the model comes from."""

    model_name: str = ""
    version: str = ""
    run_id: str = ""
    data_fingerprint: str = ""
    commit: str = ""
    trained_at: str = ""
    observed_until: str = ""
    scored_as_of: str = ""
    written_at: str = ""
    role: str = ""


@dataclass(frozen=True, config=_STRICT)
class Review:
    """Everything that the review page and the model card show. Texts are plain English sentences.

    `reason_groups` names the columns of `reason_cohorts`, `error_words` says what tells errors from hits,
    `worth_words` what the money shows.
    `knots` is the calibrator as a table of (raw score, probability), rising in both, 2 to 200 points: with it the
    page writes percentages beside raw scores. `rule` is the rule in a few words that fit into brackets, `scored` the
    number of all who were scored, `scored_per` what a customer has several scores for ("offer"; empty: one score each),
    `next_scoring` a sentence on how long the scores hold, `config_path` what a command
    takes for CONFIG (default: configs/<config>.yaml). Raw scores of a ranker are not `in_log_odds`.
    """

    config: str
    task: str
    question: str
    population: str
    target: str
    horizon: str
    grade: Grade
    subject: Subject = Subject()
    purpose: str = ""
    rule: str = "what is done today"
    grade_words: str = ""
    positive_share: Share | None = None
    windows: tuple[Window, ...] = ()
    measures: tuple[Measure, ...] = ()
    calibration: tuple[CalibrationBin, ...] = ()
    calibration_words: str = ""
    worth_words: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()
    drivers: tuple[Driver, ...] = ()
    driver_pictures: tuple[Picture, ...] = ()
    cohorts: tuple[Cohort, ...] = ()
    fairness: tuple[FairGroup, ...] = ()
    reason_groups: tuple[str, ...] = ()
    reason_cohorts: tuple[ReasonCohort, ...] = ()
    error_words: str = ""
    stability: tuple[Picture, ...] = ()
    together: tuple[Together, ...] = ()
    together_words: str = ""
    alarms: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    knots: tuple[tuple[float, Share], ...] = ()
    customers: tuple[Customer, ...] = ()
    scored: int | None = None
    scored_per: str = ""
    checklist: tuple[Check, ...] = ()
    decision: Decision | None = None
    provenance: Provenance = Provenance()
    next_scoring: str = ""
    config_path: str = ""
    in_log_odds: bool = True

    def to_json(self) -> str:
        """The review as one JSON object; `from_json` reads it back as an equal object."""
        return _adapter().dump_json(self).decode("utf-8")

    @staticmethod
    def from_json(text: str | bytes) -> Review:
        """Read what `to_json` wrote. ModelError where the text is something else or of another version."""
        try:
            return _adapter().validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the text"
            raise ModelError(
                f"the saved review cannot be read: {where}: {first['msg']}; train or review the task again"
            ) from error

    def with_customers(self, customers: Iterable[Customer]) -> Review:
        """The same review with asked-for customers, who replace those of the same id and always stay on the page."""
        asked = {customer.entity_id: replace(customer, asked_for=True) for customer in customers}
        kept = (customer for customer in self.customers if customer.entity_id not in asked)
        return replace(self, customers=(*kept, *asked.values()))

    def with_decision(self, decision: Decision | None) -> Review:
        """The same review with the reviewer's decision."""
        return replace(self, decision=decision)

    def probability(self, raw: float) -> float:
        """Calibrated probability of a raw score, read off `knots`; the logistic curve where there are none."""
        if len(self.knots) < 2:
            return float(1 / (1 + np.exp(-np.clip(raw, -700, 700))))
        at, values = zip(*self.knots, strict=True)
        return float(np.interp(raw, at, values))

    @property
    def primary(self) -> Measure | None:
        """The task's one primary measure, if there is one."""
        return next((measure for measure in self.measures if measure.primary), None)


def _adapter() -> TypeAdapter[Review]:
    return TypeAdapter(Review)
