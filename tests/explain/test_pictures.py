import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import binom
from sklearn.metrics import roc_auc_score

from rapport.explain import illustrations, pictures
from rapport.explain.picture_quality import chance_band, cumulative, gain_at
from rapport.explain.picture_style import SVG_LIMIT, plain, thin
from rapport.explain.review import Subject
from rapport.language.declarations import FeatureColumn

HOSTILE = "<script>alert(1)</script> $x^2$ \u202e \x00 =cmd|' /C calc'!A0 😀" + "x" * 10_000


@pytest.fixture(scope="module")
def rows():
    random = np.random.default_rng(3)
    x = random.normal(size=(3000, 4)) * [1.2, 0.8, 0.4, 0.1]
    probability = 1 / (1 + np.exp(2 - x.sum(axis=1)))
    target = (random.random(3000) < probability).astype(np.int8)
    return x, probability, target, np.round(x[:, 0])


def figures(rows):
    x, probability, target, rule = rows
    names = ["Spending", HOSTILE, "Rhythm", "$\\frac{1}{2}$"]
    yield pictures.roc(target, probability, rule)
    yield pictures.precision_recall(target, probability, rule)
    yield pictures.gains(target, probability, rule, "households")
    yield pictures.calibration(target, probability)
    yield pictures.score_distribution(target, probability, HOSTILE, "Others")
    yield pictures.reason_bars(names, np.abs(x).mean(axis=0))
    yield pictures.beeswarm(names, x, np.where(x > 2, np.nan, x))
    yield pictures.waterfall(-2.0, [(HOSTILE, 1.5), ("Coupons", -0.3)], -0.5, lambda raw: 1 / (1 + np.exp(-raw)))
    yield pictures.dependence(x[:, 0], x[:, 0], HOSTILE, "days")
    yield pictures.dependence(np.where(x[:, 0] > 0, HOSTILE, "b"), x[:, 0], "Age")
    yield pictures.ranking_curve([1, 5, 10], {"recall": [0.1, 0.2, 0.3], "precision": [0.3, 0.2, 0.1]})
    yield pictures.over_cutoffs(["2017-11-06", "2017-12-04"], [(0.4, 0.3, 0.5)] * 2, [(0.3, 0.2, 0.4)] * 2)


def test_every_picture_becomes_a_bounded_well_formed_svg_and_png(rows):
    for figure in figures(rows):
        svg = pictures.to_svg(figure)
        root = ElementTree.fromstring(svg)
        assert root.tag.endswith("svg")
        assert len(svg) <= SVG_LIMIT
        assert "<script" not in svg
        assert "xxx" * 40 not in svg
        png = pictures.to_png(figure, 600)
        assert png.startswith(b"\x89PNG")
        width = int.from_bytes(png[16:20], "big")
        assert abs(width - 600) <= 1
        assert len(png) < 300_000


def test_svg_is_the_same_every_time(rows):
    _, probability, target, rule = rows
    first, second = (pictures.to_svg(pictures.roc(target, probability, rule)) for _ in range(2))
    assert first == second


def test_pictures_leave_the_callers_settings_alone(rows):
    import matplotlib

    before = dict(matplotlib.rcParams)
    pictures.to_svg(pictures.gains(rows[2], rows[1]))
    assert dict(matplotlib.rcParams) == before


def test_too_many_marks_become_an_image(rows):
    random = np.random.default_rng(0)
    figure = pictures.roc(rows[2], rows[1])
    axes = figure.axes[0]
    for _ in range(60):
        axes.plot(random.random(400), random.random(400), "o", markersize=2)
    svg = pictures.to_svg(figure)
    assert "data:image/png;base64," in svg
    assert len(svg) < 2 * SVG_LIMIT


def test_a_large_beeswarm_stays_small():
    random = np.random.default_rng(0)
    x = random.normal(size=(50_000, 20))
    svg = pictures.to_svg(pictures.beeswarm([f"feature {i}" for i in range(20)], x, x))
    assert len(svg) <= SVG_LIMIT


@settings(deadline=None, max_examples=60)
@given(
    hnp.arrays(np.int8, st.integers(2, 60), elements=st.integers(0, 1)).filter(lambda y: 0 < y.sum() < len(y)),
    st.randoms(use_true_random=False),
)
def test_cumulative_gives_the_area_under_the_roc_curve_with_ties(target, random):
    score = np.array([random.randint(0, 5) for _ in target], dtype=float)
    rows, found = cumulative(target, score)
    area = np.trapezoid(found / found[-1], (rows - found) / (rows - found)[-1])
    assert area == pytest.approx(roc_auc_score(target, score))


def test_a_constant_score_gains_nothing():
    target = np.array([1, 0, 0, 1, 0, 0, 0, 0, 0, 0])
    assert gain_at(target, np.ones(10), 0.2) == pytest.approx(0.2)
    assert gain_at(target, target.astype(float), 0.2) == pytest.approx(1.0)


def test_calibration_band_holds_honest_scores_and_excludes_inflated_ones():
    random = np.random.default_rng(5)
    inside, lied = 0, 0
    for _ in range(20):
        probability = random.beta(1, 6, size=2000)
        target = random.random(2000) < probability
        honest = pictures.calibration_bins(target, probability)
        inside += int(((honest[:, 2] >= honest[:, 3]) & (honest[:, 2] <= honest[:, 4])).sum())
        inflated = pictures.calibration_bins(target, np.minimum(1.5 * probability, 1))
        lied += int((inflated[:, 2] < inflated[:, 3]).sum())
    assert 0.92 <= inside / 200 <= 1.0
    assert lied / 200 > 0.5
    assert honest[:, 0].sum() == 2000


def test_chance_band_is_exact_for_few_rows_and_near_it_for_many():
    assert chance_band(np.full(400, 0.1)) == tuple(binom.ppf([0.025, 0.975], 400, 0.1) / 400)
    probability = np.random.default_rng(2).beta(1, 3, 900)
    drawn = (np.random.default_rng(3).random((20_000, 900)) < probability).mean(axis=1)
    assert chance_band(probability) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=1.5 / 900)
    few, many = chance_band(probability), chance_band(np.repeat(probability, 2))
    assert many[1] - many[0] == pytest.approx((few[1] - few[0]) / np.sqrt(2), rel=0.1)
    assert chance_band(np.zeros(5)) == (0, 0)
    assert chance_band(np.ones(5)) == (1, 1)


def test_waterfall_draws_what_the_reasons_leave():
    figure = pictures.waterfall(-1.0, [("a", 0.5), ("b", -0.2)], 0.0, lambda raw: 1 / (1 + np.exp(-raw)))
    bars = figure.axes[0].patches
    assert [round(bar.get_width(), 9) for bar in bars] == [0.5, -0.2, 0.7]
    assert bars[-1].get_x() + bars[-1].get_width() == pytest.approx(0.0)


def test_dependence_shows_the_commonest_categories_and_survives_missing_values():
    random = np.random.default_rng(0)
    words = random.choice([f"c{i}" for i in range(40)], 4000)
    ticks = pictures.dependence(words, random.normal(size=4000), "Age", most=5).axes[1].get_xticklabels()
    assert len(ticks) == 5
    empty = np.full(10, np.nan)
    assert pictures.to_svg(pictures.dependence(empty, np.zeros(10), "nothing"))


@given(st.text(max_size=300))
def test_plain_is_short_and_printable(text):
    kept = plain(text, 40)
    assert len(kept.replace("\\$", "$")) <= 40
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", kept)


def test_thin_keeps_the_ends_and_the_shape():
    x = np.linspace(0, 1, 5000)
    a, b = thin(x, x**2, 100)
    assert len(a) <= 101
    assert (a[0], a[-1], b[-1]) == (0, 1, 1)
    assert np.abs(np.interp(x, a, b) - x**2).max() < 1e-3


def test_headlines_state_the_numbers(rows):
    _, probability, target, rule = rows
    subject = Subject("shop", "shops", "closed", "shops that close", "shops that stay open")
    found = illustrations.quality_pictures(target, probability, rule, subject)
    gains = next(picture for picture in found if picture.name == "gains")
    assert f"{100 * gain_at(target, probability, 0.2):.0f}\u00a0%" in gains.headline
    assert f"{100 * gain_at(target, rule, 0.2):.0f}\u00a0%" in gains.headline
    assert "shops that close" in gains.headline
    assert all(picture.alt and picture.svg.startswith("<svg") for picture in found)
    # A window without a single positive must not break the page.
    assert illustrations.quality_pictures(np.zeros(50), np.linspace(0.1, 0.2, 50))


def test_drivers_sum_the_features_of_a_family_before_they_are_sized():
    columns = tuple(
        FeatureColumn(name, "block", family, definition=f"{name}")
        for name, family in (("spend_30d", "Spending"), ("spend_90d", "Spending"), ("gap", "Rhythm"))
    )
    random = np.random.default_rng(1)
    values = random.normal(size=(500, 3))
    contributions = np.column_stack([values[:, 0], -values[:, 0], 0.5 * values[:, 2], np.full(500, -2.0)])
    shares, sums = illustrations.drivers(columns, contributions, values)
    assert [driver.group for driver in shares] == ["Rhythm", "Spending"]
    assert shares[0].share == pytest.approx(1.0)
    assert np.allclose(sums["Spending"], 0)
    assert shares[0].words == "Gap: higher values raise the score."
    found = illustrations.driver_pictures(columns, contributions, values, {"gap": ["a", "b"]})
    assert [p.name for p in found][:2] == ["reason_bars", "beeswarm"]
    read = {p.name: p.words for p in found}
    assert "the line is the mean" in read["dependence_spend_30d"]
    assert "nine of ten" in read["dependence_gap"]
