import html
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from rapport.errors import ModelError
from rapport.explain import review_answers, review_view, review_words
from rapport.explain.page import LIMIT
from rapport.explain.review import (
    CalibrationBin,
    Check,
    Cohort,
    Customer,
    Decision,
    Measure,
    Picture,
    Provenance,
    Reason,
    Review,
    Score,
    Together,
    render,
    spread_rows,
    verdict,
    write,
)
from rapport.explain.review_words import percent

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)> =cmd|' /C calc'!A0 \u202e \x00 😀 {{ 7*7 }} "


class Page(HTMLParser):
    """What a browser would make of the tags: their names and attributes, ids, and whether they close in order."""

    void = frozenset({"meta", "link", "img", "input", "br"})

    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.open = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def all(self, name):
        return [attributes for tag, attributes in self.tags if tag == name]


def words(page):
    text = re.sub(r"<(script|style)\b.*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())


def test_json_gives_an_equal_review(fake_review):
    assert Review.from_json(fake_review.to_json()) == fake_review


def test_numpy_numbers_are_taken_and_nan_is_refused():
    assert Measure("roc_auc", np.float32(0.5), rule=np.float64(0.25)).rule == 0.25
    with pytest.raises(ValidationError):
        Measure("roc_auc", float("nan"))
    with pytest.raises(ValidationError):
        Reason("a", "b", 0.1, 1.5)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"config": "x", "unknown": 1}', "\x00"])
def test_a_text_that_is_no_review_gives_one_plain_message(text):
    with pytest.raises(ModelError, match="saved review cannot be read"):
        Review.from_json(text)


def test_the_page_says_what_a_reviewer_asks(fake_review):
    page = render(fake_review)
    text = words(page)
    assert page.startswith("<!doctype html>")
    for expected in (
        fake_review.question,
        fake_review.population,
        fake_review.target,
        "43.7\u00a0%".replace("\u00a0", " "),
        "+9.8 to +16.2 points",
        "Purity of the list",
        "worse than the rule for 1 (Age group 65+)",
        "Not before review",
        "6 November 2017",
        "5f0c2a9be1d34c7b",
        "rapport approve configs/complete_journey.yaml churn 3 --by",
        "rapport reject configs/complete_journey.yaml churn 3 --by",
        "rapport explain configs/complete_journey.yaml churn --id ID --set FEATURE=VALUE",
        "“typically” speaks of all",
    ):
        assert expected in text, expected
    for customer in fake_review.customers:
        assert customer.entity_id in text
        for reason in customer.scores[0].reasons:
            assert reason.words in text


def test_the_page_is_well_formed_accessible_and_closed_to_the_network(fake_review):
    page = Page(render(fake_review))
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    assert {"header", "main", "nav", "footer", "h1", "label"} <= {tag for tag, _ in page.tags}
    assert page.all("html")[0]["lang"] == "en"
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert all(image["alt"] and image["src"].startswith("data:image/svg+xml;base64,") for image in page.all("img"))
    assert all(header.get("scope") in ("col", "row") for header in page.all("th"))
    policy = next(meta["content"] for meta in page.all("meta") if "http-equiv" in meta)
    assert "default-src 'none'" in policy
    assert not [tag for tag, _ in page.tags if tag in ("iframe", "object", "form", "base")]
    assert not [a for _, a in page.tags for name in a if name.startswith("on")]
    for _, attributes in page.tags:
        for name in ("src", "href"):
            assert attributes.get(name, "#").startswith(("#", "data:"))


def hostile(review):
    text = HOSTILE + "x" * 10_000
    return replace(
        review,
        question=text,
        population=text,
        alarms=(text,),
        limits=(text,),
        calibration_words=text,
        fairness=tuple(replace(group, attribute=text, value=text) for group in review.fairness),
        reason_groups=(text,) * len(review.reason_groups),
        reason_cohorts=tuple(replace(cohort, kind=text, value=text) for cohort in review.reason_cohorts),
        error_words=text,
        stability=tuple(replace(picture, headline=text, alt=text) for picture in review.stability),
        cohorts=(Cohort(text, text, 3, 1, 0.2, 0.3, -0.1, -0.2, -0.05),),
        checklist=(Check(text, None, text),),
        decision=Decision("rejected", text, text, text),
        drivers=tuple(replace(driver, group=text, words=text) for driver in review.drivers),
        pictures=tuple(replace(picture, headline=text, alt=text, words=text) for picture in review.pictures),
        subject=replace(review.subject, entity="household", outcome=text, positives=text),
        customers=tuple(
            Customer(
                f"{i} {text}",
                tuple(
                    replace(s, label=text, reasons=tuple(replace(r, words=text, group=text) for r in s.reasons))
                    for s in customer.scores
                ),
            )
            for i, customer in enumerate(review.customers)
        ),
    )


def test_hostile_values_stay_text(fake_review):
    page = render(hostile(fake_review))
    plain = Page(page)
    assert plain.open == []
    assert len(plain.all("script")) == 2
    assert [tag for tag, _ in plain.tags].count("img") == len(plain.all("img"))
    assert all(image["src"].startswith("data:") for image in plain.all("img"))
    assert "\x00" not in page
    assert "49" not in words(page).split("=cmd")[1][:40]
    assert "x" * 1100 not in page
    assert len(page.encode()) < LIMIT
    data = re.search(r'<script type="application/json" id="index">(.*?)</script>', page, re.DOTALL).group(1)
    assert len(json.loads(data)) == len(fake_review.customers)


def test_the_page_stays_small_however_many_customers(fake_review):
    score = fake_review.customers[0].scores[0]
    offers = tuple(replace(score, label=f"offer {i}") for i in range(20))
    many = tuple(Customer(str(i), offers) for i in range(2000))
    review = replace(fake_review, customers=many).with_customers([Customer("mine", offers)])
    page = render(review)
    assert len(page.encode()) < LIMIT
    assert "mine" in words(page)
    assert page.count('<details class="customer"') == review_view.SHOWN_CUSTOMERS


def test_pictures_beyond_the_limit_are_refused(fake_review):
    picture = Picture("huge", f"<svg>{'x' * 4_000_000}</svg>", "headline", "alt")
    with pytest.raises(ValueError, match="5 MB"):
        render(replace(fake_review, pictures=(picture,)))


@pytest.mark.parametrize(
    ("noun", "several"), [("category", "categories"), ("day", "days"), ("campaign", "campaigns"), ("y", "ys")]
)
def test_plural(noun, several):
    assert review_words.plural(noun) == several


def test_several_scores_are_counted_and_a_single_one_says_of_what_it_is(fake_review):
    score = fake_review.customers[0].scores[0]
    both = (replace(score, label="SOUP"), replace(score, label="TEA"))
    review = replace(fake_review, scored_per="category", customers=())
    assert "2 categories, first SOUP" in words(render(review.with_customers([Customer("9", both)])))
    assert "Category SOUP" in words(render(review.with_customers([Customer("9", both[:1])])))


def test_an_asked_for_customer_comes_first_and_replaces_his_sample(fake_review):
    known = fake_review.customers[3]
    review = fake_review.with_customers([known, Customer("new", known.scores)])
    assert len(review.customers) == len(fake_review.customers) + 1
    assert {c.entity_id for c in review_view.shown_customers(review)[:2]} == {known.entity_id, "new"}
    assert Review.from_json(review.to_json()) == review


def test_a_bare_review_renders():
    bare = Review("shop", "churn", "Who leaves?", "All.", "No purchase.", "28 days", "D")
    text = words(render(bare))
    assert "Not compared" in text
    assert "Nobody has decided yet" in text


def test_write_leaves_the_old_page_when_it_fails(fake_review, tmp_path):
    path = write(fake_review, tmp_path / "new" / "churn.html")
    before = path.read_bytes()
    with pytest.raises(ValueError, match="5 MB"):
        write(replace(fake_review, pictures=(Picture("p", "x" * 6_000_000, "h", "a"),)), path)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["churn.html"]
    assert before == render(fake_review).encode()


@pytest.mark.parametrize(
    ("changes", "state", "said"),
    [
        ({}, "wait", "a person must still decide"),
        ({"grade": "D"}, "no", "not shown to be better"),
        ({"alarms": ("leak?",)}, "wait", "1 alarm raised"),
        ({"checklist": (Check("a", False), Check("b", False))}, "wait", "2 checks failed"),
        ({"decision": Decision("approved", "Ann", "3 May", "fine")}, "yes", "Note: fine"),
        ({"decision": Decision("approved", "Ann", "3 May"), "alarms": ("x",)}, "yes", "Mind: 1 alarm"),
        (
            {
                "decision": Decision("approved", "Ann", "3 May"),
                "provenance": Provenance(role="challenger, approved"),
            },
            "yes",
            "the champion goes on scoring",
        ),
        (
            {"provenance": Provenance(trained_at="2026-12-01 04:46 UTC", observed_until="2018-01-01 00:00")},
            "wait",
            "The data ended 8 years before it was trained",
        ),
        ({"decision": Decision("rejected", "Ann", "3 May"), "grade": "A"}, "no", "Ann rejected"),
    ],
)
def test_verdict(fake_review, changes, state, said):
    found = verdict(replace(fake_review, **changes))
    assert found.state == state
    assert said in " ".join(found.sentences)


@pytest.mark.parametrize(
    ("gain", "answer"), [((0.1, 0.05, 0.2), "Yes"), ((0.1, -0.05, 0.2), "Not shown"), ((-0.1, -0.2, -0.05), "No")]
)
def test_better_than_the_rule_follows_the_interval_of_the_gain(fake_review, gain, answer):
    measure = Measure("roc_auc", 0.7, rule=0.6, gain=gain[0], gain_low=gain[1], gain_high=gain[2], primary=True)
    assert review_answers.better_than_rule(replace(fake_review, measures=(measure,)))[0] == answer


def test_cohorts_are_named_where_the_model_is_worse():
    cohorts = (
        Cohort("Age", "65+", 10, 5, 0.2, 0.3, -0.1, -0.2, -0.05),
        Cohort("Age", "20", 10, 5, 0.2, 0.3, -0.1, -0.2, 0.05),
        Cohort("Age", "30", 10, 5, 0.4, 0.3, 0.1, -0.2, 0.3),
        Cohort("Age", "40", 10, 5, 0.4, 0.3, 0.1, 0.05, 0.3),
        Cohort("Age", "50", 10, 0),
    )
    assert [review_answers.cohort_state(c) for c in cohorts] == ["worse", "maybe worse", "unclear", "better", "too few"]
    said = review_answers.cohorts_in_words(cohorts)
    assert "worse than the rule for 1 (Age 65+)" in said
    assert "perhaps worse for 1 (Age 20)" in said
    assert "shown to be worse for none" not in said
    said = review_answers.cohorts_in_words(cohorts[3:])
    assert said.endswith("better than the rule for 1; too few to tell for 1; it is shown to be worse for none.")
    assert review_answers.cohorts_in_words(()) == ""
    assert review_view.sorted_cohorts(cohorts)[0].value == "65+"


def test_a_challenger_is_not_said_to_be_better_than_the_champion(fake_review):
    said = "With the champion, which scores today"
    assert said not in render(fake_review)
    waits = replace(fake_review, provenance=replace(fake_review.provenance, role="challenger, not reviewed yet"))
    assert said in render(waits)


def test_young_data_and_unknown_dates_are_not_remarked():
    young = Provenance(trained_at="2026-12-01 04:46 UTC", observed_until="2026-01-01 00:00")
    assert review_answers.age_in_words(young) == []
    assert review_answers.age_in_words(Provenance()) == []


def test_the_spread_of_the_scores_is_told(fake_review):
    scores = [score.probability for customer in fake_review.customers for score in customer.scores]
    said = review_answers.spread_in_words(fake_review.customers)
    assert said.endswith(f"from {percent(min(scores))} to {percent(max(scores))}")
    assert review_answers.spread_in_words(()) == "without a score"


numbers = st.floats(-6, 6)


@settings(max_examples=200)
@given(numbers, st.lists(numbers, max_size=5), numbers)
def test_a_waterfall_leads_from_the_start_to_the_score(base, contributions, raw):
    reasons = tuple(Reason("g", "w", c, 0.5) for c in contributions)
    review = Review("c", "t", "q", "p", "t", "h", "C")
    drawn = review_view.waterfall(review, Score(0.5, 50, base, raw, reasons))
    assert len(drawn.bars) == len(contributions) + 1
    at = drawn.start
    for bar in drawn.bars:
        assert -0.01 <= bar.left <= bar.left + bar.width <= 100.02
        if bar.effect == "raises":
            assert bar.left == pytest.approx(at, abs=0.05)
            at = bar.left + bar.width
        else:
            assert bar.left + bar.width == pytest.approx(at, abs=0.05)
            at = bar.left
    assert at == pytest.approx(drawn.end, abs=0.05)
    places = [place for place, _ in drawn.ticks]
    assert all(b - a >= 13 for a, b in pairwise(places))


def test_ticks_stand_where_the_calibrator_has_its_percentages(fake_review):
    score = fake_review.customers[0].scores[0]
    drawn = review_view.waterfall(fake_review, score)
    assert drawn.ticks
    per_unit = (drawn.end - drawn.start) / (score.raw - score.base)
    for place, text in drawn.ticks:
        raw = score.base + (place - drawn.start) / per_unit
        assert 100 * fake_review.probability(raw) == pytest.approx(float(text.split("\u00a0")[0]), rel=0.05)


def test_words_under_a_score(fake_review):
    score = Score(
        0.83, 97, -2, 1.6, (Reason("g", "Last visit 41 days ago.", 2, 0.4), Reason("h", "Spent 90", -0.5, 0.9))
    )
    assert review_answers.why(score) == (
        "What raises it most: Last visit 41 days ago. Without that it would be 40\u00a0%. "
        "What lowers it most: Spent 90. Without that it would be 90\u00a0%."
    )
    bins = (CalibrationBin(10, 0.1, 0.12, 0, 0.3), CalibrationBin(10, 0.6, 0.58, 0.3, 0.8))
    review = replace(fake_review, calibration=bins)
    assert "the highest scores (60\u00a0% on average), 58\u00a0% bought nothing" in review_answers.like_this(
        review, score
    )
    none = replace(review, calibration=(CalibrationBin(10, 0.6, 0, 0.3, 0.8),))
    assert "on average), 0\u00a0% bought nothing" in review_answers.like_this(none, score)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "< 0.1 %"),
        (0.0004, "< 0.1 %"),
        (0.042, "4.2 %"),
        (0.834, "83 %"),
        (0.9951, "99.5 %"),
        (1, "> 99.9 %"),
    ],
)
def test_percent(value, text):
    assert review_words.percent(value).replace("\u00a0", " ") == text


def test_numbers_and_intervals():
    spaces = str.maketrans("\u00a0", " ")
    assert review_words.number(-0.05, "share", signed=True).translate(spaces) == "−5.0 points"
    assert review_words.number(None) == "–"
    assert review_words.interval(0.38, 0.45).translate(spaces) == "38.0 to 45.0 %"
    assert review_words.interval(-0.01, 0.02, "number", True) == "−0.010 to +0.020"
    assert review_words.interval(None, 0.4) == ""


def test_sample_rows_cover_ranks_and_values():
    probability = np.concatenate([np.random.default_rng(0).beta(1, 20, 5000), [0.95, 0.9, 0.7]])
    rows = spread_rows(probability, 30)
    assert len(rows) == len(set(rows.tolist())) == 30
    chosen = probability[rows]
    assert (np.diff(chosen) <= 0).all()
    assert chosen[0] == 0.95
    assert chosen[-1] == probability.min()
    assert (chosen > 0.3).sum() >= 3
    assert (chosen < np.median(probability)).sum() >= 5
    assert len(spread_rows(np.full(100, 0.2), 30)) == 30
    assert spread_rows(np.array([0.1, 0.3]), 30).tolist() == [1, 0]
    assert len(spread_rows(np.array([]), 30)) == 0


def test_fairness_says_what_lies_beyond_chance_and_who_are_too_few(fake_review):
    said = words(render(fake_review))
    assert "By age, the share in the top fifth goes from 2.0 % (45-54) to 31 % (65+)." in said
    assert "Of 12 comparisons of a group with all others, 8 lie beyond chance" in said
    assert said.count("lower than for the others") == 4
    assert said.count("higher than for the others") == 4
    assert "too few to tell (fewer than 20" in said


def test_reasons_by_cohort_are_shown_with_what_was_counted(fake_review):
    said = words(render(fake_review))
    for text in ("By score", "By what happened", "By age", "False alarms", "+1.40", "\u22121.20"):
        assert text in said
    assert "100 %" in said, "all misses are positives"
    assert fake_review.error_words in said


def test_a_forecast_of_the_test_says_its_date_and_what_became_of_it() -> None:
    scores = (Score(0.8, 100.0, 0.0, 1.4, happened=True), Score(0.1, 0.0, 0.0, -2.0, happened=False))
    customers = tuple(Customer(f"C{i}", (score,), as_of="2023-05-01") for i, score in enumerate(scores))
    review = Review(
        config="shop",
        task="churn",
        question="Who?",
        population="",
        target="",
        horizon="",
        grade="C",
        customers=customers,
    )
    page = render(review)
    assert "These are forecasts of the test" in page
    assert page.count("Forecast as of 2023-05-01. What became of it:") == 2
    assert page.count("<b>it happened</b>") == page.count("<b>it did not happen</b>") == 1
    assert "higher than 99.9\u00a0% of all scores" in page
    assert "higher than 0.1\u00a0% of all scores" in page


def test_what_goes_together_stands_on_the_page_escaped():
    pairs = (Together(HOSTILE, "jam", 12, 2.5, 1.4, 4.4),)
    review = Review("shop", "next_offer", "What next?", "All.", "Bought.", "28 days", "C")
    assert 'id="together"' not in render(review)
    text = render(replace(review, together=pairs, together_words="1 of 3 pairs go together."))
    page = Page(text)
    assert "together" in page.ids
    assert not page.open
    assert "<script>alert(1)" not in text
    assert "1.40 to 4.40" in text
    assert "1 of 3 pairs go together." in text


def test_effects_are_called_log_odds_only_where_they_are(fake_review):
    shown = replace(fake_review, driver_pictures=fake_review.driver_pictures or fake_review.pictures[:1])
    assert "+0.7 doubles the odds" in render(shown)
    assert "Mean effects on the score, in log-odds" in render(shown)
    of_a_ranker = render(replace(shown, in_log_odds=False))
    assert "effects are on the raw score, by which the offers of a list are ordered" in of_a_ranker
    assert "Mean effects on the score, the raw one" in of_a_ranker
    assert "doubles the odds" not in of_a_ranker
