"""How the files differ from what happened: rows known late, values missing, values that are wrong.

Each flaw belongs to a person (and an order), not to a place in a file, and each can be switched off. What a careful
check refuses (duplicates, negative quantities, unknown ids) comes only with `dirt.breaking` above zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from .chance import uniforms
from .characters import CHANNELS_OF_ARRIVAL, DEVICES, HOUSEHOLDS, INCOMES, OCCASIONS
from .names import REGIONS
from .parameters import WorldConfig

if TYPE_CHECKING:
    from .blocks import World

_NO_DATE = np.datetime64("1900-01-01", "D")


def late(
    world: World, keys: NDArray[Any], order: NDArray[Any], product: NDArray[Any], at: NDArray[Any], end: Any
) -> tuple[NDArray[Any], NDArray[np.bool_], NDArray[np.bool_]]:
    """When each transaction became known, whether that was before the end, and whether its quantity reads zero."""
    dirt, switches = world.config.dirt, world.config.switches
    keys, counter = np.ascontiguousarray(keys), order.astype(np.int64) * 1000 + product.astype(np.int64)
    known = at.copy()
    if switches.late_rows and keys.size:
        delay = -dirt.late_days * np.log1p(-uniforms(keys, 311, order.astype(np.int64)))
        delayed = uniforms(keys, 310, order.astype(np.int64)) < dirt.late
        known = np.where(delayed, at + (delay * 86_400_000_000).astype("timedelta64[us]"), at)
    zero = np.zeros(keys.size, bool)
    if switches.dirty_values and keys.size:
        zero = uniforms(keys, 312, counter) < dirt.zero_quantity
    return known, np.asarray(known < end), zero


def spoil(config: WorldConfig, name: str, table: pa.Table) -> pa.Table:
    """Break the contract in a share `dirt.breaking` of the customers (twice there) and purchases.

    A third each of the spoilt purchases has a negative quantity, an unknown customer, an unknown product.
    """
    share = config.dirt.breaking
    if share == 0 or name not in ("customers", "transactions") or len(table) == 0:
        return table
    if name == "customers":
        keys = table["customer_id"].to_numpy().astype(np.uint64)
        return pa.concat_tables([table, table.filter(pa.array(uniforms(keys, 330) < share))])
    keys = table["order_id"].to_numpy().astype(np.uint64) * np.uint64(1000) + table["product_id"].to_numpy().astype(
        np.uint64
    )
    kind = np.floor(uniforms(keys, 331) * 3 / share)
    for fault, column, value in ((0, "quantity", -1), (1, "customer_id", 99), (2, "product_id", 99_999)):
        values = np.where(kind == fault, value, table[column].to_numpy())
        table = table.set_column(table.column_names.index(column), column, pa.array(values, pa.int64()))
    return table


def attribute_columns(
    world: World, people: NDArray[Any], start: Any, age: NDArray[Any], *, of: str
) -> dict[str, pa.Array]:
    """Attributes of customers (date of birth; `age` in days on the first day) or of prospects (age in years)."""
    config, keys = world.config, np.ascontiguousarray(people["key"])
    columns: dict[str, pa.Array] = {}
    first = 320 if of == "customers" else 340
    gap = _missing(config, keys, first, 1.0)
    if of == "customers":
        births = start.astype("datetime64[D]") - np.round(age).astype("timedelta64[D]")
        if config.switches.dirty_values:
            births = np.where(uniforms(keys, first + 12) < config.dirt.default_birth_date, _NO_DATE, births)
        columns["birth_date"] = pa.array(births, pa.date32(), mask=gap)
    else:
        columns["age"] = pa.array(np.floor(age).astype(np.int64), pa.int64(), mask=gap)
    # those who come by a phone leave more out
    phone = np.where(people["device"] == 0, 1.4, 0.7)
    columns["region"] = _text(config, keys, people["region"], REGIONS, first + 1, 0.3)
    columns["acquisition_channel"] = _text(config, keys, people["channel"], CHANNELS_OF_ARRIVAL, first + 2, 0.2)
    columns["device"] = _text(config, keys, people["device"], DEVICES, first + 3, 0.2)
    columns["income_band"] = _text(config, keys, people["income"], INCOMES, first + 4, 2.0 * phone)
    columns["household"] = _text(config, keys, people["household"], HOUSEHOLDS, first + 5, 1.5 * phone)
    if of == "prospects":
        columns["occasion"] = _text(config, keys, people["occasion"], OCCASIONS, first + 6, 0.5)
    return columns


def _missing(config: WorldConfig, keys: NDArray[Any], stream: int, factor: Any) -> NDArray[np.bool_]:
    if not config.switches.missing_values:
        return np.zeros(keys.size, bool)
    return np.asarray(uniforms(keys, stream) < np.minimum(0.9, config.dirt.missing * factor))


def _text(
    config: WorldConfig, keys: NDArray[Any], codes: NDArray[Any], names: tuple[str, ...], stream: int, factor: Any
) -> pa.Array:
    """Codes as words, some of them missing, some written oddly (capitals, or a space behind)."""
    codes = codes.astype(np.int32)
    written = list(names)
    if config.switches.dirty_values:
        odd = uniforms(keys, stream + 200)
        written += [name.upper() for name in names] + [name + " " for name in names]
        half = config.dirt.odd_text / 2
        codes = codes + len(names) * np.where(odd < half, 1, np.where(odd < 2 * half, 2, 0)).astype(np.int32)
    gap = _missing(config, keys, stream, factor)
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32(), mask=gap), written)
