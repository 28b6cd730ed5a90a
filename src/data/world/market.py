"""What happens to everybody: seasons, prices, competitors' campaigns and the company's own calendar of campaigns.

season(t)   = 1 + A cos(2 pi (d(t) - 345) / 365.25), d the day of the year: the peak lies in December;
week(t)     = a factor by weekday, of mean 1;
price(t, l) = (1 + inflation)^(t / 365) x product of the rises of line l so far;
memory(t,l) = sum over rises of line l of size x exp(-(t - day) / 60): how much a rise still hurts;
value(t, r), cheap(t, r): strength in region r of competitors' campaigns that offer better value, or lower prices.

The calendar is drawn from the seed. The truth takes it as known, also past a cutoff: it moves everybody alike.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from .chance import root_keys, uniforms
from .names import REGIONS
from .parameters import WorldConfig
from .products import CATEGORIES, LINES, N_CATEGORIES, N_LINES

Floats = NDArray[np.float64]

CAMPAIGN_KINDS = (
    "cross_sell",
    "up_sell",
    "retention",
    "winback",
    "acquisition",
    "referral",
    "competitor",
    "service_rescue",
)
CROSS_SELL, UP_SELL, RETENTION, WINBACK, ACQUISITION, REFERRAL, COMPETITOR, RESCUE = range(8)
#: day of the month on which a campaign of the kind starts, every so many months, from this month on
_RHYTHM = {CROSS_SELL: (3, 1, 0), UP_SELL: (17, 3, 1), RETENTION: (10, 2, 0), WINBACK: (24, 2, 1)}
_RHYTHM |= {ACQUISITION: (6, 1, 0), REFERRAL: (20, 6, 2), RESCUE: (13, 1, 0)}
OFFERS_EACH = 3
#: discounts of a campaign's three offers; a win-back's first offer is a friendly word alone
DISCOUNTS = {CROSS_SELL: (0.1, 0.15, 0.2), UP_SELL: (0.1, 0.1, 0.15), RETENTION: (0.1, 0.15, 0.2)}
DISCOUNTS |= {WINBACK: (0.0, 0.15, 0.3), ACQUISITION: (0.0, 0.1, 0.2), REFERRAL: (0.0, 0.05, 0.1)}
DISCOUNTS |= {RESCUE: (0.0, 0.05, 0.1)}
WEEK = np.array([0.9, 0.85, 0.9, 0.95, 1.15, 1.35, 0.9])


#: one day, as the compiled step reads it
DAY = np.dtype(
    [
        ("season", np.float64),  # with weekday
        ("category_season", np.float64, (N_CATEGORIES,)),
        ("price", np.float64, (N_LINES,)),
        ("memory", np.float64, (N_LINES,)),
        ("value", np.float64, (len(REGIONS),)),
        ("cheap", np.float64, (len(REGIONS),)),
        ("failure", np.float64, (len(REGIONS),)),  # factor on the probability of a failure
        ("campaign", np.int64),  # the company's campaign that starts on the day, -1 for none
        ("kind", np.int64),
        ("offer_category", np.int64, (OFFERS_EACH,)),  # -1 for none
        ("offer_discount", np.float64, (OFFERS_EACH,)),
    ]
)


class Campaigns(NamedTuple):
    """The calendar of campaigns as the company writes it down."""

    kind: list[int]
    first: list[int]
    last: list[int]


def build_market(config: WorldConfig, seed: int, beyond: int = 0) -> tuple[NDArray[Any], Campaigns]:
    """The market of a world, one DAY record a day, and its calendar of campaigns.

    `beyond` days more than the world lasts are for futures that reach past its end; they change none before.
    """
    config = config.model_copy(update={"end": config.end + timedelta(days=beyond)})
    keys = root_keys(seed, 2**62, 16)
    market = np.zeros(config.days, DAY)
    market["season"], market["category_season"] = 1, 1
    if config.switches.seasons:
        dates = [config.start + timedelta(days=t) for t in range(config.days)]
        of_year = np.array([day.timetuple().tm_yday for day in dates])
        weekday = np.array([day.weekday() for day in dates])
        height = config.buying.season_height
        market["season"] = (1 + height * np.cos(2 * np.pi * (of_year - 345) / 365.25)) * WEEK[weekday]
        phase = np.arange(N_CATEGORIES) * 365.25 * 5 / N_CATEGORIES
        market["category_season"] = 1 + 0.4 * np.cos(2 * np.pi * (of_year[:, None] - phase) / 365.25)
    market["price"], market["memory"] = _prices(config, keys[0:1])
    market["value"], market["cheap"], rivals = _competitors(config, keys[1:2])
    market["failure"] = 1
    if config.service.fall_day >= 0:
        market["failure"][config.service.fall_day :, config.service.fall_region] = config.service.fall_factor
    market["campaign"] = -1
    campaigns = _calendar(config)
    for number, (kind, first) in enumerate(zip(campaigns.kind, campaigns.first, strict=True)):
        market["campaign"][first], market["kind"][first] = number, kind
        market["offer_discount"][first] = DISCOUNTS[kind]
        start = int(uniforms(keys[2:3], 3, number)[0] * N_CATEGORIES)
        own = kind in (CROSS_SELL, UP_SELL)
        market["offer_category"][first] = [(start + 7 * k) % N_CATEGORIES if own else -1 for k in range(OFFERS_EACH)]
    return market, Campaigns(*(own + theirs for own, theirs in zip(campaigns, rivals, strict=True)))


def _prices(config: WorldConfig, key: NDArray[np.uint64]) -> tuple[Floats, Floats]:
    days = np.arange(config.days)
    price, memory = np.ones((config.days, N_LINES)), np.zeros((config.days, N_LINES))
    if not config.switches.inflation:
        return price, memory
    price *= (1 + config.growth.inflation_per_year) ** (days[:, None] / 365)
    for line in range(len(LINES)):
        for year in range(config.days // 365 + 1):
            u, size = uniforms(np.repeat(key, 2), 4, np.array([line * 100 + year, 50 + line * 100 + year]))
            day, rise = int(365 * (year + u)), config.growth.price_rise * (0.5 + size)
            after = days >= day
            price[after, line] *= 1 + rise
            memory[after, line] += rise * np.exp(-(days[after] - day) / 60)
    return price, memory


def _competitors(config: WorldConfig, key: NDArray[np.uint64]) -> tuple[Floats, Floats, Campaigns]:
    value, cheap = np.zeros((config.days, len(REGIONS))), np.zeros((config.days, len(REGIONS)))
    rivals = Campaigns([], [], [])
    if not config.switches.competitors or config.growth.competitor_campaigns_per_year == 0:
        return value, cheap, rivals
    gap = 365 / config.growth.competitor_campaigns_per_year
    for number in range(int(config.days / gap)):
        u = uniforms(np.repeat(key, 4 + len(REGIONS)), 5, 32 * number + np.arange(4 + len(REGIONS)))
        first = int(gap * (number + 0.6 * u[0]))
        last = min(config.days, first + 14 + int(21 * u[1]))
        reach = (0.3 + 0.7 * u[2]) * np.where(u[4:] < 0.7, 1.0, 0.3)
        (value if u[3] < 0.5 else cheap)[first:last] += reach
        if last > first:
            rivals.kind.append(COMPETITOR)
            rivals.first.append(first)
            rivals.last.append(last)
    return value, cheap, rivals


def _calendar(config: WorldConfig) -> Campaigns:
    calendar = Campaigns([], [], [])
    if not config.switches.campaigns:
        return calendar
    for t in range(config.days - 1):
        day = config.start + timedelta(days=t)
        month = 12 * (day.year - config.start.year) + day.month - config.start.month
        for kind, (of_month, every, since) in _RHYTHM.items():
            if day.day == of_month and month >= since and (month - since) % every == 0:
                calendar.kind.append(kind)
                calendar.first.append(t)
                calendar.last.append(t + config.contacting.window_days)
    return calendar


def campaign_tables(config: WorldConfig, market: NDArray[Any], campaigns: Campaigns) -> tuple[pa.Table, pa.Table]:
    """The contract's tables `campaigns` (competitors' among them, by market watch) and `offers`."""
    midnight = datetime.combine(config.start, time())
    own = [number for number, kind in enumerate(campaigns.kind) if kind != COMPETITOR]
    starts = [midnight + timedelta(days=first) for first in campaigns.first]
    ends = [midnight + timedelta(days=last, microseconds=-1) for last in campaigns.last]
    rival = [kind == COMPETITOR for kind in campaigns.kind]
    known = [start if theirs else start - timedelta(days=14) for start, theirs in zip(starts, rival, strict=True)]
    stamp = pa.timestamp("us")
    table = pa.table(
        {
            "campaign_id": pa.array(range(1, len(starts) + 1), pa.int64()),
            "starts_at": pa.array(starts, stamp),
            "ends_at": pa.array(ends, stamp),
            "kind": pa.array([CAMPAIGN_KINDS[kind] for kind in campaigns.kind], pa.string()),
            "known_at": pa.array(known, stamp),
        }
    )
    rows = [(number, k) for number in own for k in range(OFFERS_EACH)]
    offers = pa.table(
        {
            "offer_id": pa.array([offer_id(number, k) for number, k in rows], pa.int64()),
            "campaign_id": pa.array([number + 1 for number, _ in rows], pa.int64()),
            "category": pa.array([_category(market, campaigns.first[number], k) for number, k in rows], pa.string()),
            "discount": pa.array(
                [float(market["offer_discount"][campaigns.first[number], k]) for number, k in rows], pa.float64()
            ),
        }
    )
    return table, offers


def offer_id(campaign: Any, k: Any) -> Any:
    """The id of a campaign's k-th offer (numbers or arrays)."""
    return (campaign + 1) * 10 + k


def _category(market: NDArray[Any], day: int, k: int) -> str | None:
    number = int(market["offer_category"][day, k])
    return CATEGORIES[number] if number >= 0 else None
