"""The small shop with a churn that is quickly learned."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rapport.data.dataset import Dataset


def with_trees(data: Dataset, trees: int, **more: float) -> Dataset:
    """The same data with a learner of at most so many trees over two blocks of features."""
    churn = data.config.tasks.churn
    assert churn is not None
    learner = {"n_estimators": trees, "num_leaves": 5, "learning_rate": 0.05, "early_stopping_rounds": 10, **more}
    settings = {"learner": churn.learner.model_copy(update=learner), "blocks": ("rhythm", "spending"), "bootstrap": 50}
    tasks = data.config.tasks.model_copy(update={"churn": churn.model_copy(update=settings)})
    return replace(data, config=data.config.model_copy(update={"tasks": tasks}))


def renamed(data: Dataset, name: str, home: Path | None = None) -> Dataset:
    """The same data under another project's name, and where given in another home."""
    more = {} if home is None else {"home": home}
    return replace(data, config=data.config.model_copy(update={"name": name, **more}))
