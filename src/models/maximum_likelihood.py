"""What models fitted by maximum likelihood share: a config, an estimate, and one JSON file on disk."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from ..config import Frozen, PositiveInt
from ..errors import ModelError
from ..estimation.maximum_likelihood import Estimate, Likelihood, maximise
from .base import Floats, read_json, write_json


class LikelihoodConfig(Frozen):
    """How long the search for the maximum may take."""

    max_iterations: PositiveInt = 500


class FittedModel:
    """A model whose few positive parameters are found by maximum likelihood."""

    name: ClassVar[str]
    start: ClassVar[dict[str, float]]

    def __init__(self, config: LikelihoodConfig | None = None) -> None:
        self.config = config or LikelihoodConfig()
        self._estimate: Estimate | None = None

    @property
    def estimate(self) -> Estimate:
        """Parameters with standard errors and the log-likelihood; ModelError before `fit`."""
        if self._estimate is None:
            raise ModelError(f"this {self.name} model is not fitted yet; call fit first")
        return self._estimate

    @property
    def parameters(self) -> dict[str, float]:
        """The fitted parameters by name, in the order of `start`."""
        return self.estimate.values

    def keep(self, estimate: Estimate) -> None:
        """Make an estimate the model's own."""
        self._estimate = estimate

    def maximise(self, likelihood: Likelihood, weight: Floats) -> Estimate:
        """Search from `start`; see the function of the same name."""
        return maximise(likelihood, weight, self.start, iterations=self.config.max_iterations, what=self.name)

    def save(self, folder: Path) -> None:
        """Write the model as one JSON file into an existing folder."""
        found = self.estimate
        content = asdict(found) | {
            "model": self.name,
            "config": self.config.model_dump(),
            "errors": {name: error if np.isfinite(error) else None for name, error in found.errors.items()},
        }
        write_json(folder / f"{self.name}.json", content)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a saved model; ModelError where it is absent or damaged."""
        file = f"{cls.name}.json"
        content = read_json(folder / file)
        try:
            model = cls(LikelihoodConfig(**content["config"]))
            values = {name: float(content["values"][name]) for name in cls.start}
            errors = {
                name: float("nan" if content["errors"][name] is None else content["errors"][name]) for name in values
            }
            model.keep(Estimate(values, errors, float(content["log_likelihood"]), float(content["rows"])))
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"{file} of the model is damaged: {error!r}; export or train it again") from error
        return model
