"""What docs/nightly.md says of the configuration is so."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from rapport.config import ScoringConfig, ScoringLimits

PAGE = (Path(__file__).parents[2] / "docs" / "nightly.md").read_text(encoding="utf-8")


def test_every_piece_of_configuration_is_valid_and_the_limits_are_the_defaults() -> None:
    pieces = [yaml.safe_load(text)["scoring"] for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]
    assert len(pieces) >= 4
    for piece in pieces:
        ScoringConfig.model_validate(piece)
    (limits,) = (piece["limits"] for piece in pieces if "limits" in piece)
    assert ScoringLimits.model_validate(limits) == ScoringLimits()
    assert set(limits) == set(ScoringLimits.model_fields)
