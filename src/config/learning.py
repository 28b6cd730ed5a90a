"""The learner's parameters, the space in which they are searched, and how long."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from .base import Frozen, PositiveInt


class LearnerConfig(Frozen):
    """Hyperparameters of the boosted trees; the names are LightGBM's.

    With `linear_penalty` boosting starts from a logistic regression with this L2 penalty (see `models.linear_start`):
    worth a try where positives are few, then some 1,000 to 2,000. Without, it starts from the share of positives.

    The `objective` is LightGBM's: binary, the log loss of probabilities, or lambdarank, the order inside each list of
    offers (Burges, "From RankNet to LambdaRank to LambdaMART", 2010), for tasks that rank lists only.
    """

    objective: Literal["binary", "lambdarank"] = "binary"
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

    @model_validator(mode="after")
    def _starts_from_log_odds(self) -> LearnerConfig:
        if self.objective == "lambdarank" and self.linear_penalty is not None:
            raise ValueError("a ranker has no log-odds to start from: leave out linear_penalty, or the objective")
        return self

    @property
    def ranks(self) -> bool:
        """True for a ranker: its raw scores order the rows of a list and are no log-odds."""
        return self.objective == "lambdarank"


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
    The smaller the sample, the more it finds learners that suit few rows. Where offers are ranked, a ranker with the
    settings that were found is tried beside the classifier, unless `try_ranker` is false; learner.objective stays then.
    """

    trials: Annotated[int, Field(ge=0)] = 8
    seconds: Annotated[float, Field(gt=0)] | None = None
    rows: PositiveInt = 120_000
    max_bin: Annotated[int, Field(ge=15, le=255)] = 63
    try_ranker: bool = True
    space: SearchSpace = SearchSpace()
