"""The rule of retention groups, on rows that a reader can follow."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from rapport.config import RetentionConfig
from rapport.decisions.retention import groups_of

RULE = RetentionConfig(least_worth=5, troubles_from=2, loyal_from=0.5)
NAN = np.nan


def test_everybody_stands_in_one_group_and_knows_why() -> None:
    """In order: too dear, no worth, troubled, loyal, of unknown loyalty, disloyal without trouble, nothing known."""
    worth = np.array([20.0, 1.0, 50.0, 50.0, 50.0, 50.0, NAN])
    cost = np.array([16.0, 0.0, 9.0, 9.0, NAN, 9.0, NAN])
    troubles = np.array([5.0, 0.0, 2.0, 1.0, 0.0, 1.0, NAN])
    loyalty = np.array([0.9, 0.9, 0.9, 0.5, NAN, 0.3, NAN])
    found = groups_of(RULE, worth, cost, troubles, loyalty).to_pydict()
    assert found["group"] == [
        *("let_go", "let_go", "in_danger", "worth_keeping", "worth_keeping", "let_go", "worth_keeping")
    ]
    assert found["treatment"][:4] == [None, None, "a service rescue", "an offer of higher value"]
    assert found["potential"][:2] == [4.0, 1.0]
    assert found["potential"][6] is None
    assert found["why"][0] == "would bring 4.00 after the cost of serving him, less than 5.00"
    assert found["why"][2] == "2 complaints and failures in the last 90 days"
    assert found["why"][3] == "loyalty 50 of 100, and nothing went wrong lately"
    assert found["why"][5] == "loyalty 30 of 100, less than 50, and nothing went wrong that could be mended"
    assert found["why"][6].startswith("how loyal is not known")


def test_unknown_keys_are_refused() -> None:
    with pytest.raises(ValidationError, match="colour"):
        RetentionConfig.model_validate({"colour": "red"})
