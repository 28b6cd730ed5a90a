"""A config's own reason groups: what they are, and every slip of the pen that is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_project import good_tables, write_project

from rapport.errors import ConfigError
from rapport.features.groups import check_groups, in_groups
from rapport.language.declarations import FeatureColumn

COLUMNS = (
    FeatureColumn("visits_30d", "spending", "how often he comes"),
    FeatureColumn("visits_90d", "spending", "how often he comes"),
    FeatureColumn("spend_90d", "spending", "how much he spends"),
)


def test_listed_features_take_the_name_of_their_group() -> None:
    found = in_groups(COLUMNS, {"what he does": ("visits_90d", "spend_90d"), "none": ("gone",)})
    assert [column.family for column in found] == ["how often he comes", "what he does", "what he does"]
    assert [column.name for column in found] == [column.name for column in COLUMNS]


@pytest.mark.parametrize(
    "groups",
    [{}, {"what he does": ("visits_90d", "spend_90d")}, {"how often he comes": ("visits_30d", "visits_90d")}],
)
def test_sound_groups_pass(groups: dict[str, tuple[str, ...]]) -> None:
    check_groups(in_groups(COLUMNS, groups), groups, "churn")


def test_every_fault_is_named_at_once() -> None:
    groups = {"habits": ("visit_90d",), "how often he comes": ("spend_90d", "visits_30d")}
    with pytest.raises(ConfigError) as error:
        check_groups(in_groups(COLUMNS, groups), groups, "churn")
    said = str(error.value)
    assert "groups of churn have 2 fault(s)" in said
    assert "'habits' lists 'visit_90d', which is no feature of it; close to it: visits_90d, visits_30d" in said
    assert "'how often he comes' is also what visits_90d go by" in said


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        ({"habits": []}, "tasks.churn.groups: the group 'habits' is empty"),
        ({"habits": ["a", "a"]}, "the feature 'a' is twice in 'habits'"),
        ({"habits": ["a"], "money": ["b", "a"]}, "the feature 'a' is in 'habits' and in 'money'"),
        ({" ": ["a"]}, "one line of text"),
        ({"two\nlines": ["a"]}, "one line of text"),
        ({"x" * 61: ["a"]}, "at most 60 characters"),
    ],
)
def test_groups_that_make_no_sense_are_refused_with_the_config(
    tmp_path: Path, groups: dict[str, list[str]], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        write_project(tmp_path, good_tables("transactions"), tasks={"churn": {"groups": groups}})
