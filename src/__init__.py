"""Rapport: customer-relationship modelling.

From a company's own tables to features as they were known, models, reasons and scores.

The rooms of the house, from the ground up; imports go downward only:

- `config`, `errors`    the YAML file of a project; every fault in one plain message
- `data`                the contract, sources, checks, ingest, the engine, the simulated world
- `language`            what a feature, a population and a target are, and their SQL
- `tasks`               the questions: `churn`, `conversion`, `next_offer`, `value`, `winback`, `defection`,
                        `loyalty`, `segments`, `risk`, `unusual`, `uplift`, `up_sell`
- `features`            feature blocks, and snapshots: what was known of each key at each cutoff
- `models`              the learners, calibration, baselines, and the bundle that is saved
- `explain`             exact contributions, reasons in words, the review page
- `registry`            runs and versions in MLflow
- `training`            splits, search, metrics, grades, alarms, the experiment
- `scoring`             batch jobs
- `cli`                 the command line
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .scoring.look import look

__all__ = ["look"]


def __getattr__(name: str) -> Any:
    if name == "look":
        from .scoring.look import look

        return look
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
