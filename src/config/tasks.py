"""The tasks of a project, each with its own settings."""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from .base import Frozen, PositiveInt, Share
from .learning import LearnerConfig, TuningConfig
from .splits import SplitConfig


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


class TaskConfig(Frozen):
    """What every task has."""

    ranks_lists: ClassVar[bool] = False

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

    @model_validator(mode="after")
    def _rankers_rank(self) -> TaskConfig:
        if self.learner.ranks and not self.ranks_lists:
            raise ValueError("learner.objective lambdarank orders lists of offers, and this task has none: use binary")
        return self


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

    ranks_lists: ClassVar[bool] = True

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
