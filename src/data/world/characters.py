"""What a person is like: latent traits and the attributes that a company may see.

Eight standard normal variables z with correlation matrix CORRELATION carry a person's character. With F the gamma
quantile function, Phi the normal distribution function and s the person's segment:

    rate_i   = F(Phi(z_rate); shape r) x mean_rate / r x rate_s        visits a day
    hazard_i = hazard x exp(spread x z_drop)                           of leaving, a day
    size_i   = exp(size_spread x z_size) x size_s                      of a basket
    trait strengths = Phi(z), for regular, broad, referring, immune, tolerant
    shape of the gaps: k_i = 1 + floor(6 regular^2.5)                  Erlang-k, 1 is Poisson
    v_ic = exp(focus_i profile_sc + segment_noise g_ic), to mean 1     interest, g standard normal

focus_i = 0.5 + 1.2 (1 - broad_i): a narrow customer keeps to the lines of his segment. Attributes are drawn from
distributions that lean by segment, so that they tell something and not everything. In a pure BG/NBD world the
rate is Gamma(r, alpha) and the probability of leaving at a purchase Beta(a, b), independent of one another.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from .chance import Floats, Uint64, uniforms
from .names import REGIONS
from .parameters import WorldConfig
from .products import LINE_OF, N_CATEGORIES, N_LINES, N_MISSIONS

Z_RATE, Z_DROP, Z_SIZE = range(3)
CORRELATION = np.eye(8)
for _i, _j, _r in (
    (0, 1, -0.25),  # who buys often leaves less often
    (0, 2, 0.25),
    (0, 3, 0.25),
    (0, 4, 0.15),
    (1, 6, -0.25),
    (1, 5, -0.15),
    (4, 5, 0.2),
    (5, 7, 0.15),
    (6, 7, 0.2),
):
    CORRELATION[_i, _j] = CORRELATION[_j, _i] = _r
_MIXING = np.linalg.cholesky(CORRELATION)

CHANNELS_OF_ARRIVAL = ("search", "social", "store", "partner", "referral")
DEVICES = ("mobile", "desktop", "tablet")
INCOMES = ("under_20", "20_to_40", "40_to_60", "60_to_90", "over_90")
HOUSEHOLDS = ("single", "couple", "family", "shared")
OCCASIONS = ("none", "school_leaver", "mover")
LIFE_EVENTS = ("move", "child")
REFERRED = CHANNELS_OF_ARRIVAL.index("referral")

PERSON = np.dtype(
    [
        ("key", np.uint64),
        ("root", np.int64),
        ("parent", np.int64),  # place in its block, -1 for a root
        ("generation", np.int64),
        ("founder", np.int64),
        ("arrival", np.float64),  # days from the start of the world; founders: acquired, so negative
        ("segment", np.int64),
        ("age", np.float64),
        ("region", np.int64),
        ("channel", np.int64),
        ("device", np.int64),
        ("income", np.int64),
        ("household", np.int64),
        ("occasion", np.int64),
        ("consent", np.int64),
        ("rate", np.float64),
        ("shape", np.int64),
        ("hazard", np.float64),
        ("p_drop", np.float64),  # probability of leaving at a purchase, in the pure world
        ("size", np.float64),
        ("regular", np.float64),
        ("broad", np.float64),
        ("referring", np.float64),
        ("immune", np.float64),
        ("tolerant", np.float64),
        ("price_sensitive", np.float64),
        ("service_rate", np.float64),
        ("referral_rate", np.float64),
        ("star", np.int64),
        ("response", np.int64),
        ("trouble", np.int64),
        ("tier", np.int64),
        ("readiness", np.float64),
        ("line", np.int64),  # where the main interest lies
        ("interest", np.float64),  # of a prospect, log odds
        ("contract", np.int64),  # takes a paid plan when acquired
        ("invoiced", np.int64),
        ("interests", np.float64, (N_CATEGORIES,)),
        ("missions", np.float64, (N_MISSIONS,)),
    ]
)


def characters(config: WorldConfig, people: NDArray[Any]) -> NDArray[Any]:
    """Fill in everything that depends on the key alone (and, for the referred, on the referrer's segment)."""
    keys = np.ascontiguousarray(people["key"])
    n, buying, dropout = keys.size, config.buying, config.dropout
    u = np.stack([np.clip(uniforms(keys, 20 + j), 1e-12, 1 - 1e-12) for j in range(8)], axis=1)
    z = special.ndtri(u) @ _MIXING.T
    phi = special.ndtr(z)
    segment = _segments(config, people, keys)
    people["segment"] = segment
    if config.dropout.at_purchase:
        phi, z = u, special.ndtri(u)
        people["p_drop"] = special.betaincinv(dropout.a, dropout.b, u[:, Z_DROP])
    several = config.segments > 1
    rate = special.gammaincinv(buying.shape, phi[:, Z_RATE]) * buying.mean_rate / buying.shape
    people["rate"] = rate * (np.array([0.7, 1.5, 0.9, 1.2, 0.6])[segment % 5] if several else 1.0)
    people["hazard"] = dropout.hazard * np.exp(dropout.spread * z[:, Z_DROP]) * (config.switches.defection)
    people["size"] = np.exp(buying.size_spread * z[:, Z_SIZE]) * (
        np.array([1.2, 0.8, 1.0, 0.9, 1.5])[segment % 5] if several else 1.0
    )
    for j, trait in enumerate(("regular", "broad", "referring", "immune", "tolerant"), start=3):
        people[trait] = phi[:, j]
    people["shape"] = 1 + np.floor(6 * phi[:, 3] ** 2.5) * buying.regular
    _attributes(people, keys)
    _behaviours(config, people, keys)
    interests = _interests(config, people, keys)
    missions = interests.reshape(n, N_LINES, N_CATEGORIES // N_LINES).mean(axis=2)[:, :N_MISSIONS]
    people["line"] = missions.argmax(axis=1)
    missions = missions / missions.sum(axis=1, keepdims=True)
    people["interests"], people["missions"] = interests, missions
    return people


def _segments(config: WorldConfig, people: NDArray[Any], keys: Uint64) -> NDArray[np.int64]:
    drawn = (uniforms(keys, 30) * config.segments).astype(np.int64)
    segment = np.where((people["generation"] > 0) & (uniforms(keys, 31) < 0.6), people["segment"], drawn)
    if config.new_segment_day >= 0:
        new = (people["arrival"] >= config.new_segment_day) & (uniforms(keys, 32) < config.new_segment_share)
        segment = np.where(new, config.segments, segment)
    return np.asarray(segment, np.int64)


def _pick(keys: Uint64, stream: int, weights: Floats) -> NDArray[np.int64]:
    """One of the columns of `weights` (n, m) by its share in the row."""
    cumulated = np.cumsum(weights, axis=1)
    u = uniforms(keys, stream) * cumulated[:, -1]
    return np.asarray((u[:, None] >= cumulated).sum(axis=1), np.int64)


def _lean(segment: NDArray[np.int64], base: tuple[float, ...], strength: float, turn: int) -> Floats:
    """Weights (n, m) of a category that lean towards another value in each segment."""
    m = len(base)
    place = np.arange(m)[None, :]
    return np.asarray(np.array(base) * np.exp(strength * (place == ((segment * turn + segment // m) % m)[:, None])))


def _attributes(people: NDArray[Any], keys: Uint64) -> None:
    segment = people["segment"]
    normal = special.ndtri(np.clip(uniforms(keys, 40), 1e-9, 1 - 1e-9))
    age = np.array([34.0, 52.0, 43.0, 28.0, 61.0])[segment % 5] + 10 * normal
    age = np.where(people["occasion"] == 1, 18 + 2 * uniforms(keys, 41), age)
    people["age"] = np.clip(age, 18, 92)
    people["region"] = _pick(keys, 42, np.ones((keys.size, len(REGIONS))))
    people["channel"] = _pick(keys, 43, _lean(segment, (0.35, 0.25, 0.25, 0.15), 1.0, 1))
    people["channel"][people["generation"] > 0] = REFERRED
    young = (people["age"] < 40)[:, None] * np.array([0.9, 0.0, 0.0])
    people["device"] = _pick(keys, 44, np.array([0.5, 0.38, 0.12]) * np.exp(young))
    people["income"] = _pick(keys, 45, _lean(segment, (0.15, 0.25, 0.28, 0.2, 0.12), 1.3, 2))
    people["household"] = _pick(keys, 46, _lean(segment, (0.3, 0.3, 0.3, 0.1), 1.2, 3))
    people["consent"] = uniforms(keys, 47) < 0.85


def _behaviours(config: WorldConfig, people: NDArray[Any], keys: Uint64) -> None:
    income = people["income"]
    noise = special.ndtri(np.clip(uniforms(keys, 50), 1e-9, 1 - 1e-9))
    people["price_sensitive"] = special.ndtr(0.7 * noise + 0.45 * (2 - income))
    people["service_rate"] = config.service.contact_rate * special.gammaincinv(0.6, uniforms(keys, 51)) / 0.6
    people["service_rate"] *= config.switches.service
    references = config.references
    spread = references.spread * special.ndtri(np.clip(people["referring"], 1e-9, 1 - 1e-9))
    people["star"] = uniforms(keys, 52) < references.stars
    factor = np.where(people["star"] == 1, references.star_factor, 1.0)
    people["referral_rate"] = references.rate * np.exp(spread - references.spread**2 / 2) * factor
    if not config.switches.referrals:
        people["referral_rate"] = 0
    phone, young = people["device"] == 0, people["age"] < 40
    often = people["rate"] > config.buying.mean_rate
    weights = np.exp(
        np.stack(
            [
                -0.2 + 1.2 * phone + 0.8 * young,  # persuadable
                -0.6 + 1.6 * often,  # sure thing
                0.5 + 0.8 * (people["age"] > 55) - 1.0 * often,  # lost cause
                -1.4 + 0.9 * (people["channel"] == 2) + 0.6 * ~phone,  # put off
            ],
            axis=1,
        )
    )
    people["response"] = _pick(keys, 53, weights)
    kind = 1 + (3 * uniforms(keys, 55)).astype(np.int64)
    people["trouble"] = np.where(uniforms(keys, 54) < config.trouble.share * config.switches.trouble, kind, 0)
    people["tier"] = _pick(keys, 56, np.array([0.6, 0.3, 0.1]) * np.exp(0.5 * (income - 2)[:, None] * np.arange(3)))
    people["readiness"] = config.buying.step_up * special.gammaincinv(0.4, uniforms(keys, 57)) / 0.4
    people["contract"] = config.switches.subscriptions & (
        uniforms(keys, 58) < 0.08 + 0.15 * (people["segment"] % 3 == 1)
    )
    people["invoiced"] = uniforms(keys, 59) < 0.3
    normal = special.ndtri(np.clip(uniforms(keys, 60), 1e-9, 1 - 1e-9))
    known = 0.9 * (people["channel"] == 3) - 0.8 * (people["channel"] == 1) + 0.3 * (income - 2)
    known += np.array([0.3, -0.2, 0.1, -0.4, 0.2])[people["segment"] % 5] + 0.9 * (people["occasion"] == 2)
    known += config.prospecting.referral_effect * (people["generation"] > 0)
    people["interest"] = known + config.prospecting.interest_spread * normal


def _interests(config: WorldConfig, people: NDArray[Any], keys: Uint64) -> Floats:
    """v_ic, shape (n, categories), mean 1 over the categories."""
    segment = people["segment"][:, None]
    line = LINE_OF[None, :]
    profile = 1.5 * (line == segment % N_LINES) + 0.8 * (line == (segment + 2 + segment // N_LINES) % N_LINES)
    if config.segments == 1:
        profile = np.zeros((1, N_CATEGORIES))
    focus = 0.5 + 1.2 * (1 - people["broad"])
    g = np.stack([uniforms(keys, 70 + c) for c in range(N_CATEGORIES)], axis=1)
    noise = config.segment_noise * special.ndtri(np.clip(g, 1e-9, 1 - 1e-9))
    raw = np.exp(focus[:, None] * profile + noise)
    return np.asarray(raw / raw.mean(axis=1, keepdims=True))
