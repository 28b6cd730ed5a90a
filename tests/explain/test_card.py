import re
from dataclasses import replace

from rapport.explain.card import model_card
from rapport.explain.review import Decision, Review


def test_the_card_has_every_section_and_its_numbers(fake_review):
    card = model_card(fake_review).replace("\u00a0", " ")
    titles = re.findall(r"^## (.+)$", card, re.MULTILINE)
    assert titles == [
        "Purpose",
        "Population",
        "Target",
        "Data",
        "Quality against the rule",
        "Calibration",
        "Stability over time",
        "What drives it",
        "Where it is weak",
        "Decision",
        "Provenance",
    ]
    assert "43.7 % (40.1 to 47.2 %)" in card
    assert "+13.1 points (+9.8 to +16.2 points)" in card
    assert "`5f0c2a9be1d34c7b`" in card
    assert "worse than the rule for 1 (Age group 65+)" in card


def test_tables_keep_their_columns_whatever_stands_in_them(fake_review):
    text = "a | b\n\n# head <script> [x](http://y) `code` \x00 \\"
    hostile = replace(
        fake_review,
        question=text,
        limits=(text,),
        drivers=tuple(replace(driver, group=text, words=text) for driver in fake_review.drivers),
    )
    card = model_card(hostile)
    assert "<script" not in card
    assert not re.search(r"(?<!\\)\]\(", card)
    assert "http://" not in card
    assert "\x00" not in card
    assert re.findall(r"^# .+$", card, re.MULTILINE) == [card.splitlines()[0]]
    for block in re.findall(r"(?:^\|.*\n)+", card, re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(widths) == 1


def test_the_card_carries_the_decision(fake_review):
    decided = fake_review.with_decision(Decision("rejected", "Ann", "3 May 2018", "unfair to the old"))
    card = model_card(decided)
    assert "**No: rejected.** Ann rejected this version on 3 May 2018. Note: unfair to the old" in card


def test_a_bare_review_gives_a_card_without_empty_sections():
    card = model_card(Review("shop", "churn", "Who leaves?", "All.", "No purchase.", "28 days", "D"))
    assert "## Calibration" not in card
    assert "Do not use it." in card
    assert "\n\n\n" not in card
