"""The plan: its actions, its money and its rules."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from .base import Frozen, Name, PositiveInt, Share

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
    only_if: dict[Column, tuple[float | None, float | None]] = Field(default_factory=dict)
    anniversary: Anniversary | None = None
    follow_up: FollowUp | None = None
    never_with: dict[Name, PositiveInt] = Field(default_factory=dict)
    mandatory: bool = False


class ContactPolicy(Frozen):
    """At most so many contacts of a customer in so many days, those of the past among them; and pauses after each.

    After any contact nobody is contacted for `pause_days` days, nor through a channel named in `pauses` for its days
    after a contact through it.
    """

    most: PositiveInt = 2
    within_days: PositiveInt = 30
    pause_days: Annotated[int, Field(ge=0)] = 0
    pauses: dict[Name, PositiveInt] = Field(default_factory=dict)


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
    budgets: dict[Literal["more", "longer", "deeper"], NotNegative] = Field(default_factory=dict)
    channels: dict[Name, Annotated[int, Field(ge=0)]] = Field(default_factory=dict)
    kept_back: dict[Name, KeptBack] = Field(default_factory=dict)
    least_shares: dict[str, dict[str, Share]] = Field(default_factory=dict)
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
