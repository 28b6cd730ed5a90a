"""The configuration of a project: one YAML file, typed, frozen, and strict about unknown keys.

`load_config(path)` returns a `Config`. Relative file locations are read relative to the YAML file; everything that
Rapport writes lies under `Config.home` (the current folder, or RAPPORT_HOME).
"""

from __future__ import annotations

import os
import re
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from .errors import ConfigError

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
PositiveInt = Annotated[int, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]


def _known_zone(zone: str) -> str:
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"'{zone}' is not a time zone; use a name such as Europe/Berlin or UTC") from error
    return zone


def _group_name(name: str) -> str:
    name = name.strip()
    if not name or not name.isprintable():
        raise ValueError("the name of a group is what a reviewer reads: one line of text")
    return name


def _apart(groups: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Groups that hold something, and no feature twice."""
    seen: dict[str, str] = {}
    for name, features in groups.items():
        if not features:
            raise ValueError(f"the group '{name}' is empty; list its features, or leave it out")
        for feature in features:
            if feature in seen:
                where = f"twice in '{name}'" if seen[feature] == name else f"in '{seen[feature]}' and in '{name}'"
                raise ValueError(f"the feature '{feature}' is {where}; it can be part of one reason only")
            seen[feature] = name
    return groups


GroupName = Annotated[str, Field(max_length=60), AfterValidator(_group_name)]
Groups = Annotated[dict[GroupName, tuple[str, ...]], AfterValidator(_apart)]


class Frozen(BaseModel):
    """A part of the configuration: frozen, and refusing keys that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TableMapping(Frozen):
    """How one canonical table is read from the company's own.

    `source` names an entry of `sources`; `columns` maps each canonical column to a source column or to an SQL
    expression over them. Instead of `source`, `query` may hold a SELECT over the names in `sources`.
    """

    source: str | None = None
    query: str | None = None
    columns: dict[str, str] = {}
    clock: Annotated[str, AfterValidator(_known_zone)] | None = Field(
        None, description="zone of timestamps without one; default: the business time zone"
    )
    ignore: tuple[str, ...] = Field((), description="attributes that must not become features")

    @model_validator(mode="after")
    def _one_origin(self) -> TableMapping:
        if (self.source is None) == (self.query is None):
            raise ValueError("give either `source` or `query`")
        return self


class CutoffRange(Frozen):
    """Cutoffs from `first` to `last`, every so many days (local dates, both ends included)."""

    first: date
    last: date
    every: PositiveInt

    def dates(self) -> tuple[date, ...]:
        """All dates of the range, in order."""
        count = (self.last - self.first).days // self.every
        return tuple(self.first + timedelta(days=self.every * i) for i in range(count + 1))


Cutoffs = CutoffRange | tuple[date, ...]


class SplitConfig(Frozen):
    """The cutoffs of the four windows; calibration and validation may be empty (cross-fitted instead)."""

    train: Cutoffs
    calibration: Cutoffs = ()
    validation: Cutoffs = ()
    test: Cutoffs


class LearnerConfig(Frozen):
    """Hyperparameters of the boosted trees; the names are LightGBM's.

    With `linear_penalty` boosting starts from a logistic regression with this L2 penalty (see `models.linear_start`):
    worth a try where positives are few, then some 1,000 to 2,000. Without, it starts from the share of positives.
    """

    num_leaves: Annotated[int, Field(ge=2, le=255)] = 10
    max_depth: Annotated[int, Field(ge=-1, le=32)] = 6
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.03
    n_estimators: PositiveInt = 600
    min_child_samples: PositiveInt = 60
    colsample_bytree: Annotated[float, Field(gt=0, le=1)] = 0.3
    subsample: Annotated[float, Field(gt=0, le=1)] = 0.8
    reg_lambda: Annotated[float, Field(ge=0)] = 5.0
    cat_smooth: Annotated[float, Field(ge=0)] = 20.0
    cat_l2: Annotated[float, Field(ge=0)] = 20.0
    min_data_per_group: PositiveInt = 100
    max_cat_threshold: PositiveInt = 32
    early_stopping_rounds: PositiveInt = 50
    linear_penalty: Annotated[float, Field(gt=0)] | None = None


class IntRange(Frozen):
    """Whole numbers from `low` to `high`, both ends included; `log`: as many trials below 10 as above, of 1 to 100."""

    low: int
    high: int
    log: bool = False

    @model_validator(mode="after")
    def _in_order(self) -> IntRange:
        _check_range(self.low, self.high, self.log)
        return self


class FloatRange(Frozen):
    """Numbers from `low` to `high`, both ends included; `log` as for whole numbers."""

    low: float
    high: float
    log: bool = False

    @model_validator(mode="after")
    def _in_order(self) -> FloatRange:
        _check_range(self.low, self.high, self.log)
        return self


def _check_range(low: float, high: float, log: bool) -> None:
    if low > high:
        raise ValueError(f"low ({low}) is above high ({high})")
    if log and low <= 0:
        raise ValueError(f"a range with log needs a low above 0, and has {low}")


def _range(low: float, high: float, *, log: bool = False) -> Any:
    return (IntRange if isinstance(low, int) else FloatRange).model_validate({"low": low, "high": high, "log": log})


class SearchSpace(Frozen):
    """Where the search looks for each hyperparameter; null: it stays as `learner` has it."""

    num_leaves: IntRange | None = _range(5, 31, log=True)
    max_depth: IntRange | None = _range(3, 8)
    learning_rate: FloatRange | None = _range(0.01, 0.1, log=True)
    min_child_samples: IntRange | None = _range(10, 200, log=True)
    colsample_bytree: FloatRange | None = _range(0.15, 0.9)
    subsample: FloatRange | None = _range(0.5, 1.0)
    reg_lambda: FloatRange | None = _range(0.1, 50.0, log=True)
    cat_smooth: FloatRange | None = _range(5.0, 100.0, log=True)
    cat_l2: FloatRange | None = _range(5.0, 100.0, log=True)
    min_data_per_group: IntRange | None = _range(20, 400, log=True)
    max_cat_threshold: IntRange | None = _range(8, 64, log=True)

    @model_validator(mode="after")
    def _allowed(self) -> SearchSpace:
        """Both ends of every range must be values that a learner may have."""
        for end in ("low", "high"):
            LearnerConfig.model_validate({name: getattr(span, end) for name, span in self.ranges().items()})
        return self

    def ranges(self) -> dict[str, IntRange | FloatRange]:
        """The ranges by hyperparameter, without those that stay."""
        pairs = ((name, getattr(self, name)) for name in type(self).model_fields)
        return {name: span for name, span in pairs if span is not None}


class TuningConfig(Frozen):
    """The search for hyperparameters: its budget, and where it looks.

    It ends after so many `trials`, or with the trial that is running when `seconds` are over. Of more than `rows` rows
    it sees a sample, binned into `max_bin` steps; its best learners are then fitted to all, at half the learning rate.
    The smaller the sample, the more it finds learners that suit few rows.
    """

    trials: Annotated[int, Field(ge=0)] = 8
    seconds: Annotated[float, Field(gt=0)] | None = None
    rows: PositiveInt = 120_000
    max_bin: Annotated[int, Field(ge=15, le=255)] = 63
    space: SearchSpace = SearchSpace()


class TaskConfig(Frozen):
    """What every task has."""

    split: SplitConfig | None = Field(None, description="default: laid out from the span of the data")
    score_as_of: date | None = Field(None, description="default: the end of the data")
    blocks: tuple[str, ...] | None = Field(None, description="feature blocks to use; default: all of the task's")
    exclude_features: tuple[str, ...] = ()
    groups: Groups = Field(
        {}, description="features that are told as one reason, by its name; default: the family of their block"
    )
    learner: LearnerConfig = LearnerConfig()
    tuning: TuningConfig = TuningConfig()
    alarm_auc: Annotated[float, Field(gt=0.5, le=1)] = 0.97
    allow_suspected_leak: bool = False
    bootstrap: PositiveInt = 500


class ChurnConfig(TaskConfig):
    """Customers who bought lately: who will not buy within the horizon?"""

    horizon: PositiveInt = 28
    active_within: PositiveInt = 56


class LeavingConfig(TaskConfig):
    """How long until a customer leaves: looked at every so many days, and put out at the horizons."""

    every: PositiveInt = 30
    horizons: tuple[PositiveInt, ...] = Field((30, 90, 180), min_length=1)

    @model_validator(mode="after")
    def _whole_periods(self) -> LeavingConfig:
        wrong = [days for days in self.horizons if days % self.every]
        if wrong:
            raise ValueError(f"horizons are whole periods of `every` ({self.every}) days, and {wrong[0]} is none")
        if list(self.horizons) != sorted(set(self.horizons)):
            raise ValueError(f"horizons must rise: {list(self.horizons)}")
        return self


class TimeToLeaveConfig(LeavingConfig):
    """Customers who bought lately: how long until they have bought nothing for `active_within` days?"""

    active_within: PositiveInt = 120


class TimeToCancelConfig(LeavingConfig):
    """Customers with a subscription that runs: how long until none does? Of some `plans` only, if they are named."""

    plans: tuple[str, ...] = ()


class ConversionConfig(TaskConfig):
    """Prospects, or customers targeted by a campaign: who will convert?"""

    of: Literal["campaigns", "prospects"] = "campaigns"
    horizon: PositiveInt = Field(90, description="days; for prospects only: a campaign brings its own end")


class StagesConfig(TaskConfig):
    """Prospects on their way to becoming customers: how far will each come within the horizon?

    `order` names the stages of the table `stages` from first to last, `converted` the one that makes a customer.
    """

    horizon: PositiveInt = 90
    order: tuple[str, ...] = Field(("target", "lead", "opportunity", "contract", "user"), min_length=3)
    converted: str = "contract"

    @model_validator(mode="after")
    def _on_the_way(self) -> StagesConfig:
        if self.converted not in self.order[1:]:
            raise ValueError(f"converted ('{self.converted}') must be one of the stages after the first: {self.order}")
        if len(set(self.order)) < len(self.order):
            raise ValueError(f"order names a stage twice: {self.order}")
        return self


class NextOfferConfig(TaskConfig):
    """Customers x product categories: what will a customer buy that he has not bought lately?"""

    horizon: PositiveInt = 28
    not_bought_within: PositiveInt = 90
    min_buyers: PositiveInt = 100
    exclude_categories: tuple[str, ...] = ()
    negative_share: Annotated[float, Field(gt=0, le=1)] = 0.1
    top: PositiveInt = 10
    rank_by: Literal["probability", "expected_margin"] = Field(
        "probability",
        description="expected_margin: probability times the mean margin of an item, where margins are known",
    )


class ValueConfig(TaskConfig):
    """Everybody who ever bought: what will he bring within the horizon, as sales or as margin?"""

    horizon: PositiveInt = 365
    worth_of: Literal["amount", "margin"] = "amount"


class LoyaltyConfig(TaskConfig):
    """Customers who bought lately: how loyal are they, by which traits? A score, not a trained model."""

    active_within: PositiveInt = 180


class QualityConfig(TaskConfig):
    """Customers who bought lately: how good is the relationship, and where does it fall? A score, not a trained model.

    Troubles a visit are followed over `watched` months, for everybody and by the attributes of customers in `by`. A
    month is flagged that would be so bad with a probability below `alpha` if nothing had changed.
    """

    active_within: PositiveInt = 180
    by: tuple[str, ...] = ()
    watched: Annotated[int, Field(ge=7, le=120)] = 24
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.0005


class WinbackConfig(TaskConfig):
    """Customers who have bought nothing for so long: who will come back within the horizon, and what will it bring?

    With `silent_at_most`, who has been silent for longer is given up. Lists leave out who left for one of the causes in
    `leave_out`: who said so when he ended his subscription, or, where `defection` was scored before, for whom such a
    cause had at least the probability `leave_out_from` the last time.
    """

    horizon: PositiveInt = 91
    silent_for: PositiveInt = 91
    silent_at_most: PositiveInt | None = None
    worth_of: Literal["amount", "margin"] = "amount"
    leave_out: tuple[str, ...] = ("pushed_away", "bought_away", "moved_away")
    leave_out_from: Share = 0.5


class DefectionConfig(TaskConfig):
    """Customers who fell silent lately and said nothing: for which of the causes did they leave?

    Their last purchase lies `silent_for` to `silent_at_most` days back: of those who have been silent for longer nobody
    answers any more, so nothing could be learned of them, and what they did last is out of sight of most features.
    `causes` are values of `subscriptions.end_reason`; others, such as "not stated", count as no answer. An answer
    within the horizon trains the model. `wrong_answers` is the share of answers that name another cause than the true
    one, as far as it is known: probabilities are those of the true causes then. Answers are few: so boosting starts
    from a penalised regression, and goes little further.
    """

    learner: LearnerConfig = LearnerConfig(linear_penalty=200, learning_rate=0.02, n_estimators=100)
    horizon: PositiveInt = 90
    silent_for: PositiveInt = 30
    silent_at_most: PositiveInt = 120
    causes: tuple[str, ...] = Field(
        ("pushed_away", "unmet_need", "pulled_away", "bought_away", "moved_away"), min_length=2
    )
    wrong_answers: Annotated[float, Field(ge=0, lt=0.5)] = 0.0

    @model_validator(mode="after")
    def _room_between(self) -> DefectionConfig:
        if self.silent_at_most <= self.silent_for:
            raise ValueError(f"silent_at_most ({self.silent_at_most}) must be above silent_for ({self.silent_for})")
        return self


class SegmentsConfig(TaskConfig):
    """Customers who bought lately: which groups are there, and which are new? Groups, not a trained model.

    At most `most` groups. They are drawn up `watched` times `every` days before the end of the data (or at the training
    cutoffs of `split`), and watched from then on.
    """

    active_within: PositiveInt = 365
    most: Annotated[int, Field(ge=2, le=20)] = 8
    every: PositiveInt = 30
    watched: PositiveInt = 2


class RiskConfig(TaskConfig):
    """Customers who bought lately: who will send back too much, or not pay, within the horizon? A queue for a person.

    `cases` says what counts: `returns` (at least `returns_from` returns that make at least `returned_share` of what is
    bought), `payments` (a bill in arrears). Leave out what the data do not tell.
    """

    horizon: PositiveInt = 180
    active_within: PositiveInt = 365
    cases: tuple[Literal["returns", "payments"], ...] = Field(("returns", "payments"), min_length=1)
    returned_share: Annotated[float, Field(gt=0, le=1)] = 0.25
    returns_from: PositiveInt = 4


class UnusualConfig(TaskConfig):
    """Customers who bought lately: who returns, owes or redeems like hardly anybody else? Rare, not proven."""

    active_within: PositiveInt = 365


class UpliftConfig(TaskConfig):
    """Customers targeted by campaigns of some `kinds` (none: all), part of them held back at random: whom does it move?

    Needs `contacts.treated`. The learner's trees are few and small: an effect is a difference, and hard to see.
    """

    kinds: tuple[str, ...] = ()
    learner: LearnerConfig = LearnerConfig(
        num_leaves=8,
        max_depth=4,
        n_estimators=120,
        learning_rate=0.04,
        min_child_samples=200,
        colsample_bytree=0.4,
        reg_lambda=10.0,
    )
    bootstrap: PositiveInt = 200


class UpSellConfig(TaskConfig):
    """Customers x the next tier of each line that they buy: who will step up, and what margin (or sales) will it bring?

    Needs products with line, tier and price: tiers are ranked within their line by mean price.
    """

    horizon: PositiveInt = 90
    active_within: PositiveInt = 120
    not_bought_within: PositiveInt = 365
    worth_of: Literal["amount", "margin"] = "margin"


class TasksConfig(Frozen):
    """The tasks of a project; one that is absent is not run. What reads another's scores stands after it."""

    churn: ChurnConfig | None = None
    next_offer: NextOfferConfig | None = None
    time_to_leave: TimeToLeaveConfig | None = None
    time_to_cancel: TimeToCancelConfig | None = None
    value: ValueConfig | None = None
    defection: DefectionConfig | None = None
    winback: WinbackConfig | None = None
    loyalty: LoyaltyConfig | None = None
    quality: QualityConfig | None = None
    segments: SegmentsConfig | None = None
    conversion: ConversionConfig | None = None
    stages: StagesConfig | None = None
    risk: RiskConfig | None = None
    unusual: UnusualConfig | None = None
    uplift: UpliftConfig | None = None
    up_sell: UpSellConfig | None = None

    def named(self) -> dict[str, TaskConfig]:
        """The configured tasks by name, in the order of their declaration."""
        pairs = ((name, getattr(self, name)) for name in type(self).model_fields)
        return {name: task for name, task in pairs if task is not None}


class Limit(Frozen):
    """From which value on a guard warns, and from which it stops the job before anything is published."""

    warn: Annotated[float, Field(ge=0)] | None = None
    stop: Annotated[float, Field(ge=0)] | None = None


class ScoringLimits(Frozen):
    """The guards of a scoring job; a limit without numbers never speaks.

    `days_behind`: from the end of the data to the moment of the scores. `feature_psi` and `score_psi`: drift of a
    feature since training, of the scores since the calibration window (population stability index). `feature_jump`: of
    a feature since the last job, if that was within a week; so those are watched, too, that grow with the data by
    themselves. `missing_rise`:
    of a feature's share of missing values, `unseen_share`: of its values that training never saw.
    `population_change`: of the number of rows since the last job, as a share.
    """

    days_behind: Limit = Limit(warn=3)
    feature_psi: Limit = Limit(warn=0.25)
    feature_jump: Limit = Limit(warn=0.5)
    score_psi: Limit = Limit(warn=0.25)
    missing_rise: Limit = Limit(warn=0.1, stop=0.5)
    unseen_share: Limit = Limit(warn=0.05)
    population_change: Limit = Limit(warn=0.3)


class MonitorConfig(Frozen):
    """When matured scores raise an alert; None: never.

    `least_rows`: of a day, below which nothing is judged. `calibration_error`: the largest mean distance of forecast
    and outcome. `primary_metric`: the least value of the task's. `drop`: the largest share by which it may fall below
    that of the first day.
    """

    least_rows: PositiveInt = 100
    calibration_error: Annotated[float, Field(gt=0)] | None = 0.05
    primary_metric: float | None = None
    drop: Share | None = 0.25


class ScoringConfig(Frozen):
    """The nightly job: its guards, whom it never scores, and where else its rows go.

    `never` is a file with one id a line; with `consent`, only customers are scored whose `consent` is true. `sinks` are
    `duckdb:FILE[#schema]` and `postgresql://...[#schema]`.
    """

    limits: ScoringLimits = ScoringLimits()
    monitor: MonitorConfig = MonitorConfig()
    never: str | None = None
    consent: bool = False
    sinks: tuple[str, ...] = ()


Column = Annotated[str, Field(pattern=r"^[a-z_]+\.[a-z_0-9]+$", description="task.column, of the task's scores")]
NotNegative = Annotated[float, Field(ge=0)]


class FollowUp(Frozen):
    """Only for whoever was given the action `of` at least `after_days` and at most `within_days` before, by a plan."""

    of: Name
    after_days: PositiveInt = 7
    within_days: PositiveInt = 30

    @model_validator(mode="after")
    def _some_days(self) -> FollowUp:
        if self.after_days > self.within_days:
            raise ValueError(f"no day is {self.after_days} days or more after it and {self.within_days} or less")
        return self


class Anniversary(Frozen):
    """Only for customers whose date `of` (a column of `customers`) has its day within the next `within_days` days."""

    of: Name = "birth_date"
    within_days: Annotated[int, Field(gt=0, le=366)] = 7


class ActionConfig(Frozen):
    """Something that can be done for a customer, and what that is worth.

    `task` feeds it with scores. The value is lever x score x worth - cost. `score` is the column of the task's scores
    that holds a probability or, with a lever of 1, an effect; `lever` the share of the outcomes that the action brings
    about (or, for churn and risk, prevents), `lever_error` the standard error of that share; `worth` an amount of money
    or the column of a task's scores that holds one (`value.expected_worth`). `score_low` and `worth_low` are columns
    with lower bounds, for plans that rank by them.

    Eligible are scores in [`least_score`, `most_score`], columns inside the ranges of `only_if`, who has the
    `anniversary`, who is due for a `follow_up`. `never_with` names actions that exclude this one for so many days, and
    the other way round. A `mandatory` action is given to everyone eligible before anything else, and its cost is shown.
    """

    task: Name
    direction: Literal["more", "longer", "deeper"]
    channel: Name
    cost: NotNegative = 0.0
    lever: Share = 1.0
    lever_error: NotNegative = 0.0
    score: Name = "score"
    score_low: Name | None = None
    worth: NotNegative | Column = 1.0
    worth_low: Column | None = None
    least_score: float | None = None
    most_score: float | None = None
    only_if: dict[Column, tuple[float | None, float | None]] = {}
    anniversary: Anniversary | None = None
    follow_up: FollowUp | None = None
    never_with: dict[Name, PositiveInt] = {}
    mandatory: bool = False


class ContactPolicy(Frozen):
    """At most so many contacts of a customer in so many days, those of the past among them; and pauses after each.

    After any contact nobody is contacted for `pause_days` days, nor through a channel named in `pauses` for its days
    after a contact through it.
    """

    most: PositiveInt = 2
    within_days: PositiveInt = 30
    pause_days: Annotated[int, Field(ge=0)] = 0
    pauses: dict[Name, PositiveInt] = {}


class KeptBack(Frozen):
    """Places kept back for customers of high value, who usually come late.

    High value is `least` or more in the column `worth`. How many of them ask for the places of one plan, later ones
    among them, is Normal(`mean`, `sd`); as many are kept back as Littlewood's rule says (decisions/limits.py).
    """

    worth: Column = "value.expected_worth"
    least: float
    mean: NotNegative
    sd: NotNegative = 0.0


class PlanConfig(Frozen):
    """What to do for whom: actions, money, places in the channels, and whom to leave to chance.

    `budgets` limits the money of a direction, `channels` the contacts through a channel on the day of the plan,
    `kept_back` keeps some of them for customers of high value. `least_shares` gives the least share of a group (a value
    of an attribute of customers) that gets an action. `rank_by` says whether candidates are compared by their mean or
    by a lower bound. The share `holdout` of customers gets nothing, at random, so that what a plan brings can be
    measured.
    """

    actions: dict[Name, ActionConfig]
    budget: NotNegative | None = None
    budgets: dict[Literal["more", "longer", "deeper"], NotNegative] = {}
    channels: dict[Name, Annotated[int, Field(ge=0)]] = {}
    kept_back: dict[Name, KeptBack] = {}
    least_shares: dict[str, dict[str, Share]] = {}
    contact_policy: ContactPolicy = ContactPolicy()
    rank_by: Literal["mean", "lower"] = "mean"
    holdout: Share = 0.05

    @model_validator(mode="after")
    def _something_to_do(self) -> PlanConfig:
        if not self.actions:
            raise ValueError("a plan needs at least one action")
        if len(self.actions) > 60:
            raise ValueError(f"a plan has at most 60 actions; these are {len(self.actions)}")
        used = {action.channel for action in self.actions.values()}
        unused = sorted({*self.channels, *self.contact_policy.pauses} - used)
        if unused:
            raise ValueError(f"no action uses the channel '{unused[0]}'")
        unlimited = sorted(set(self.kept_back) - set(self.channels))
        if unlimited:
            raise ValueError(
                f"places of '{unlimited[0]}' are kept back, but `channels` does not say how many there are"
            )
        for name, action in self.actions.items():
            others = [*action.never_with, *([action.follow_up.of] if action.follow_up else [])]
            for other in others:
                if other not in self.actions:
                    raise ValueError(f"the action '{name}' names '{other}', which is no action of this plan")
            if name in action.never_with:
                raise ValueError(f"the action '{name}' is never with itself; use contact_policy.pauses")
        return self


class RetentionConfig(Frozen):
    """Whom to keep, whom to help, whom to let go, of those at risk of leaving (docs/longer.md has the rule).

    At risk is whose probability of `churn` is at least `at_risk_from`. Nobody is kept whose expected worth, less the
    cost of serving him, lies below `least_worth`; so many complaints and failures within so many days are signs of
    leaving; `loyal_from` is the least score of `loyalty` that an offer is built on. `offer` and `rescue` name what the
    first two groups get.
    """

    at_risk_from: Share = 0.5
    least_worth: float = 0.0
    troubles_from: PositiveInt = 1
    within_days: PositiveInt = 90
    loyal_from: Share = 0.0
    offer: str = "an offer of higher value"
    rescue: str = "a service rescue"


class SparkConfig(Frozen):
    """Where Spark runs: `master` (default: that of spark-submit, else this machine), and options of its own."""

    master: str | None = None
    options: dict[str, str] = {}


class SimulatedWorld(Frozen):
    """The simulated world that a project's tables come from; it is written where its folder does not exist yet.

    `folder` is relative to the YAML file, `parameters` are those of `rapport.data.world.WorldConfig`. What the true
    probabilities reach on the test window (the ceiling) is measured beside every model; no feature can read them.
    """

    folder: str
    customers: PositiveInt = 20_000
    seed: Annotated[int, Field(ge=0)] = 7
    parameters: dict[str, Any] = {}


class Config(Frozen):
    """A whole project, as read from its YAML file."""

    name: Name
    time_zone: Annotated[str, AfterValidator(_known_zone)] = "UTC"
    currency: str = ""
    seed: int = 0
    strict: bool = True
    observed_until: datetime | None = Field(None, description="end of the observed world, local; default: last event")
    world: SimulatedWorld | None = None
    sources: dict[str, str]
    tables: dict[str, TableMapping]
    features: tuple[str, ...] = Field((), description="Python files with own features, see docs/own_features.md")
    tasks: TasksConfig = TasksConfig()
    fairness: tuple[str, ...] = Field((), description="attributes of customers by which every model is looked at")
    scoring: ScoringConfig = ScoringConfig()
    plan: PlanConfig | None = None
    retention: RetentionConfig | None = None
    engine: Literal["duckdb", "spark"] = Field("duckdb", description="what computes features")
    spark: SparkConfig = SparkConfig()
    memory_limit: str = "4GB"
    threads: PositiveInt | None = None
    folder: Path = Field(Path(), exclude=True, description="where the YAML file lies; set by load_config")
    home: Path = Field(Path(), exclude=True, description="where results are written; set by load_config")

    @property
    def zone(self) -> ZoneInfo:
        """The business time zone."""
        return ZoneInfo(self.time_zone)

    def resolved(self) -> dict[str, Any]:
        """The configuration with all defaults filled in, as plain JSON values, without machine paths and passwords."""
        raw = self.model_dump(mode="json")
        raw["sources"] = {name: _without_password(text) for name, text in raw["sources"].items()}
        raw["scoring"]["sinks"] = [_without_password(text) for text in raw["scoring"]["sinks"]]
        return raw

    def task(self, name: str) -> TaskConfig:
        """The configuration of one task; ConfigError where it is not configured."""
        tasks = self.tasks.named()
        if name not in tasks:
            known = ", ".join(tasks) or "none"
            raise ConfigError(f"task '{name}' is not in the configuration; it has: {known}")
        return tasks[name]


def _without_password(address: str) -> str:
    return re.sub(r"://([^:@/]*):(?!\$\{)[^@]*@", r"://\1:***@", address)


def load_config(path: str | Path, *, engine: str | None = None) -> Config:
    """Read and validate a YAML configuration; `engine` takes the place of the one that it names.

    Raises ConfigError with every fault found: a missing file, broken YAML, unknown keys, wrong types.
    """
    path = Path(path)
    if not path.is_file():
        raise ConfigError(f"no configuration at {path}; start from configs/template.yaml")
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not readable YAML: {error}") from error
    if not isinstance(raw, dict):
        raise ConfigError(f"{path} holds no mapping; start from configs/template.yaml")
    raw |= {} if engine is None else {"engine": engine}
    raw |= {"folder": path.resolve().parent, "home": Path(os.environ.get("RAPPORT_HOME", ".")).resolve()}
    try:
        return Config.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(_explain(path, error)) from error


def _explain(path: Path, error: ValidationError) -> str:
    """One line a fault: where it is, what is wrong there."""
    lines = [f"{path} has {error.error_count()} fault(s):"]
    for fault in error.errors():
        where = ".".join(str(part) for part in fault["loc"] if "Config" not in str(part)) or "(top)"
        what = "unknown key" if fault["type"] == "extra_forbidden" else fault["msg"].removeprefix("Value error, ")
        lines.append(f"  {where}: {what}")
    return "\n".join(lines)
