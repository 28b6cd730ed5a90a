"""How declarations meet the data at hand: names that clash, values that are learned, what is said to be left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from rapport.errors import ConfigError
from rapport.features.plan import FeaturePlan, plan_features, values_to_learn
from rapport.language.declarations import (
    Attribute,
    Block,
    Column,
    Count,
    DaysBetween,
    EveryAttribute,
    Feature,
    Fitted,
    ForTopValues,
    Group,
    Ratio,
    Sum,
)
from rapport.language.parts import column_name

CUSTOMER = ("customer_id",)
TABLES = {
    "transactions": {"customer_id": "BIGINT", "at": "TIMESTAMP", "amount": "DECIMAL(18,6)", "line": "VARCHAR"},
    "customers": {"customer_id": "BIGINT", "age": "BIGINT", "visits_90d": "VARCHAR", "Visits": "VARCHAR"},
}
ROWS = dict.fromkeys(("customer_id", "cutoff", "window_end"), "")
VISITS = Feature("visits_{window}", Count(last=(90,)), "visits in {period}", "count", "{value} visits", "visits")
TOP = Feature(
    "spend_on_{value}_{window}",
    ForTopValues(Sum(column="amount", last=(90,)), of="line", top=8),
    "spent on {value} in {period}",
    "currency",
    "spent {{value}} on {value} in {period}; typically {{typical}}",
    "what he buys",
)
EVERY = Feature("{value}", EveryAttribute(), "{value}, as stored", words="{value}: {{value}}", family="who he is")


def plan(
    *blocks: Block,
    attributes: Mapping[str, Sequence[str]] | None = None,
    learned: Mapping[str, tuple[str, ...]] | None = None,
    exclude: Sequence[str] = (),
    tables: Mapping[str, Mapping[str, str]] = TABLES,
) -> FeaturePlan:
    return plan_features(blocks, ROWS, tables, attributes or {}, learned or {}, exclude)


def events(name: str, *features: Feature) -> Block:
    return Block(name, (Group("transactions", CUSTOMER, features),))


def names(found: FeaturePlan) -> list[str]:
    return [column.name for column in found.columns]


# ------------------------------------------------------------------------------------------- names
@pytest.mark.parametrize("other", ["visits_{window}", "visits_90d", "VISITS_90d"])
def test_two_features_of_one_name_are_refused(other: str) -> None:
    twice = Feature(other, Sum(column="amount", last=(90,)), "")
    with pytest.raises(ConfigError, match=r"(?i)two features are called 'visits_90d'"):
        plan(events("a", VISITS), events("b", twice))


def test_several_windows_need_their_place_in_the_name() -> None:
    with pytest.raises(ConfigError, match="two features are called 'visits'"):
        plan(events("a", Feature("visits", Count(last=(30, 90)), "")))


@pytest.mark.parametrize("name", ["cutoff", "customer_id", "window_end", "target"])
def test_features_do_not_take_the_names_of_keys_and_times(name: str) -> None:
    with pytest.raises(ConfigError, match="name of a key or time"):
        plan(events("a", Feature(name, Count(), "")))


def test_attributes_give_way_to_features_of_their_name() -> None:
    """Whatever their capitals, since engines do not tell them apart; and whichever block comes first."""
    profile = Block("profile", (Group("customers", CUSTOMER, (EVERY,)),))
    plain = Feature("visits", Count(), "all visits")
    attributes = {"customers": ("age", "visits_90d", "Visits")}
    for blocks in ((profile, events("a", VISITS, plain)), (events("a", VISITS, plain), profile)):
        found = plan(*blocks, attributes=attributes)
        assert set(names(found)) == {"age", "visits_90d", "visits", "customers_visits_90d", "customers_Visits"}
        (table,) = found.attributes
        assert table.columns == (("age", "age"), ("visits_90d", "customers_visits_90d"), ("Visits", "customers_Visits"))
        described = next(column for column in found.columns if column.name == "customers_visits_90d")
        assert described.words == "visits 90d: {value}, as for {share} of all"


def test_values_that_look_alike_get_names_of_their_own() -> None:
    """Two values of one slug; a value whose name another feature has; values without any letter."""
    taken = Feature("spend_on_tea_90d", Count(), "")
    found = plan(events("a", TOP, taken), learned={TOP.name: ("Tea!", "tea", "茶", "---", "Tea?")})
    assert names(found) == [
        "spend_on_tea_2_90d",
        "spend_on_tea_3_90d",
        "spend_on_value_90d",
        "spend_on_value_2_90d",
        "spend_on_tea_4_90d",
        "spend_on_tea_90d",
    ]


def test_values_of_two_features_whose_names_meet() -> None:
    other = Feature("spend_on_dear_{value}_{window}", TOP.what, "", family="x")
    found = plan(events("a", TOP, other), learned={TOP.name: ("dear tea",), other.name: ("tea",)})
    assert names(found) == ["spend_on_dear_tea_90d", "spend_on_dear_tea_2_90d"]


# ------------------------------------------------------------------------------------------- learned values
def test_a_learned_value_is_compared_as_it_stands_and_told_as_it_stands() -> None:
    (group,) = plan(events("a", TOP), learned={TOP.name: ("it's {odd}",)}).groups
    (feature,) = group.features
    assert feature.what.where == (Column("line") == "it's {odd}")  # type: ignore[union-attr]
    (column,) = plan(events("a", TOP), learned={TOP.name: ("it's {odd}",)}).columns
    assert column.name == "spend_on_it_s_odd_90d"
    assert column.definition == "spent on it's {odd} in the last 90 days"
    filled = column.words.format(value="$ 3", typical="$ 5")
    assert filled == "spent $ 3 on it's {odd} in the last 90 days; typically $ 5"


def test_a_condition_is_kept_beside_the_value() -> None:
    dear = ForTopValues(Count(where=Column("amount") > 5), of="line", top=1)
    (group,) = plan(events("a", Feature("n_{value}", dear, "")), learned={"n_{value}": ("tea",)}).groups
    assert group.features[0].what.where == ((Column("line") == "tea") & (Column("amount") > 5))  # type: ignore[union-attr]


def test_a_top_value_feature_without_values_is_said() -> None:
    found = plan(events("a", TOP, VISITS))
    assert names(found) == ["visits_90d"]
    assert found.left_out == ("a.spend_on_{value}_{window}: no value of line was learned",)


def test_two_top_value_features_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="two features are called 'spend_on_"):
        values_to_learn([events("a", TOP), events("b", TOP)], TABLES)


# ------------------------------------------------------------------------------------------- attributes
@pytest.mark.parametrize(
    ("type_name", "kind", "unit"),
    [
        ("BIGINT", "number", ""),
        ("DOUBLE", "number", ""),
        ("DECIMAL(9,2)", "number", ""),
        ("UTINYINT", "number", ""),
        ("VARCHAR", "category", ""),
        ("BOOLEAN", "category", ""),
        ("TIMESTAMP", "number", "days"),
        ("DATE", "number", "days"),
        ("INTERVAL", "category", ""),
        ("STRUCT(a INTEGER)", "category", ""),
        ("ENUM('INT', 'x')", "category", ""),
    ],
)
def test_kinds_of_attributes(type_name: str, kind: str, unit: str) -> None:
    tables = {"customers": {"customer_id": "BIGINT", "shoe_size": type_name}}
    profile = Block("profile", (Group("customers", CUSTOMER, (EVERY,)),))
    (column,) = plan(profile, attributes={"customers": ("shoe_size",)}, tables=tables).columns
    assert (column.kind, column.unit) == (kind, unit)
    usual = " ago; typically {typical} ago" if unit else "; typically {typical}"
    assert column.words == f"shoe size: {{value}}{usual if kind == 'number' else ', as for {share} of all'}"


# ------------------------------------------------------------------------------------------- what is left out
def test_what_lacks_is_said_once() -> None:
    tables = {"transactions": {"customer_id": "BIGINT", "at": "TIMESTAMP"}}
    derived = (Feature("rate", Ratio("spend", "visits_90d"), ""), Feature("age", DaysBetween("born_at", "cutoff"), ""))
    spend = Feature("spend", Sum(column="amount"), "")
    block = Block(
        "a",
        (
            Group("transactions", CUSTOMER, (VISITS, spend, TOP)),
            Group("returns", CUSTOMER, (Feature("returns", Count(), ""),)),
            Group("returns", CUSTOMER, (Feature("returned", Sum(column="amount"), ""),)),
            Group("transactions", ("prospect_id",), (Feature("never", Count(), ""),)),
        ),
        derived,
        (Fitted(CUSTOMER, (Feature("fitted", None, ""),), (("transactions", ("order_id",)),), lambda v, s: []),),
    )
    found = plan(block, tables=tables)
    assert names(found) == ["visits_90d"]
    assert found.left_out == (
        "a.spend: transactions has no amount",
        "a.spend_on_{value}_{window}: transactions has no line",
        "a: no table returns",
        "a: transactions has no order_id",
        "a.rate: there is no spend",
        "a.age: there is no born_at",
    )


def test_what_the_keys_could_not_have_is_not_missed() -> None:
    prospect = Group("transactions", ("prospect_id",), (Feature("stage_gap", Count(), ""),))
    ratio = Feature("stage_overdue", Ratio("visits_90d", "stage_gap"), "")
    of_ratio = Feature("stage_again", Ratio("stage_overdue", "visits_90d"), "")
    own = Group("transactions", CUSTOMER, (VISITS, Feature("spend", Sum(column="nothing"), "")))
    rate = Feature("rate", Ratio("spend", "visits_90d"), "")
    found = plan(Block("a", (own, prospect), (ratio, of_ratio, rate)))
    assert found.left_out == ("a.spend: transactions has no nothing", "a.rate: there is no spend")


def computed(found: FeaturePlan) -> list[str]:
    groups = [column_name(f, window) for group in found.groups for f in group.features for window in f.what.last]  # type: ignore[union-attr]
    return [*groups, *(feature.name for fitted in found.fitted for feature in fitted.features)]


def test_excluded_features_are_computed_where_a_ratio_needs_them() -> None:
    visits = replace(VISITS, what=Count(last=(30, 90, None)))
    fitted = Fitted(CUSTOMER, (Feature("one", None, ""), Feature("two", None, "")), (), lambda visible, spine: [])
    rate = Feature("rate", Ratio("visits_90d", "visits_life"), "")
    block = Block("a", (Group("transactions", CUSTOMER, (visits,)),), (rate,), (fitted,))
    found = plan(block, exclude=["visits_30d", "visits_90d", "one"])
    assert (names(found), computed(found)) == (
        ["visits_life", "two", "rate"],
        ["visits_90d", "visits_life", "one", "two"],
    )
    found = plan(block, exclude=["visits_30d", "visits_90d", "visits_life", "rate", "one", "two"])
    assert (names(found), computed(found), found.left_out) == ([], [], ())


def test_excluded_features_are_not_shown() -> None:
    rate = Feature("rate", Ratio("visits_90d", "spend"), "")
    block = Block(
        "a", (Group("transactions", CUSTOMER, (VISITS, Feature("spend", Sum(column="amount"), ""))),), (rate,)
    )
    assert names(plan(block, exclude=["visits_90d"])) == ["spend", "rate"]
    assert names(plan(block, exclude=["rate"])) == ["visits_90d", "spend"]


def test_an_exclusion_that_excludes_nothing_is_said() -> None:
    profile = Block("profile", (Group("customers", CUSTOMER, (EVERY,)),))
    found = plan(events("a", VISITS), profile, attributes={"customers": ("age",)}, exclude=["age", "visit_90d"])
    assert names(found) == ["visits_90d"]
    assert found.left_out == ("exclude_features: no feature is called visit_90d",)


def test_a_column_of_the_row_may_be_a_feature_of_its_name() -> None:
    kind = Feature("kind", Attribute("kind"), "kind", kind="category")
    found = plan_features([Block("a", derived=(kind,))], {**ROWS, "kind": "VARCHAR"}, {}, {}, {})
    assert names(found) == ["kind"]


# ------------------------------------------------------------------------------------------- no look ahead
@pytest.mark.parametrize(
    ("group", "complaint"),
    [
        (Group("transactions", CUSTOMER, (Feature("x", Count(ahead=7), ""),)), "'x' of block 'a' looks ahead"),
        (Group("transactions", CUSTOMER, (Feature("x", Count(until="window_end"), ""),)), "looks ahead"),
        (
            Group("transactions", CUSTOMER, (Feature("x", ForTopValues(Count(ahead=7), of="line", top=2), ""),)),
            "looks ahead",
        ),
        (
            Group("transactions", CUSTOMER, (Feature("x", Count(), ""),), planned=True),
            "only campaigns, offers, contacts",
        ),
        (Group("contacts", CUSTOMER, (Feature("x", Count(last=(7,)), ""),), planned=True), "has a window"),
        (
            Group("contacts", CUSTOMER, (Feature("x", Count(where=Column("treated") == 1), ""),), planned=True),
            r"contacts\.treated, which no plan tells",
        ),
    ],
)
def test_what_would_look_ahead_is_refused(group: Group, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        plan(Block("a", (group,)))
