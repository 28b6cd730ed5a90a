"""Stages: how far a prospect will come on his way to becoming a customer."""

from __future__ import annotations

from ..config import StagesConfig
from ..language.declarations import Column, Count, Population, Requirement, Seen
from .base import Outcome, Task, Wording

PROSPECT = ("prospect_id",)
TABLE = "prospect_stages"
STAYS = "stays"
"""The outcome of who enters no further stage."""


def stages(config: StagesConfig) -> Task:
    """Population: as that of conversion. Outcomes: the furthest stage entered within the horizon, or none.

    From their probabilities follow those of entering each stage or a later one (`reach_<stage>`), which fall along the
    way: the chance of each step given the one before is the ratio of two of them, and the product of the steps is the
    probability of conversion (a continuation ratio model: Tutz, "Sequential models in categorical regression", 1991).
    """
    stage, ahead = Column("stage"), config.order[1:]

    def entered(*names: str) -> Count:
        return Count(ahead=config.horizon, where=stage.is_in(*names))

    return Task(
        name="stages",
        question=f"How far will each prospect come in the next {config.horizon} days?",
        population_text=f"prospects who arrived in the {config.horizon} days up to the cutoff and have not converted",
        target_text=f"a further stage entered in the {config.horizon} days after the cutoff",
        keys=PROSPECT,
        population=Population(
            Seen("arrivals", PROSPECT),
            (
                Requirement("arrivals", PROSPECT, Count(last=(config.horizon,)) > 0),
                Requirement(TABLE, PROSPECT, Count(where=stage == config.converted) == 0),
            ),
        ),
        target=Requirement(TABLE, PROSPECT, entered(*ahead) > 0),
        outcomes=(
            *(Outcome(name, Requirement(TABLE, PROSPECT, entered(name) > 0)) for name in reversed(ahead)),
            Outcome(STAYS, Requirement(TABLE, PROSPECT, entered(*ahead) == 0)),
        ),
        ordered=True,
        horizon=config.horizon,
        blocks=("prospects", "lifecycle", "profile"),
        primary_metric="macro_roc_auc",
        rules=(),
        wording=Wording(
            entity="prospect",
            entities="prospects",
            outcome="came further",
            positives="prospects who come further",
            negatives="prospects who stay where they are",
            purpose="To see at which step prospects are lost, and to help each one over the next.",
        ),
    )
