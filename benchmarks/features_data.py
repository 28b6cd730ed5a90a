"""Made-up purchases and interactions for benchmarks/features.py: three years, in order of time, as a log grows.

Customers differ in how often they buy (heavy-tailed), come and leave within the three years, and have a category that
they prefer. Times are whole seconds, amounts whole cents.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

CATEGORIES, PRODUCTS, DAYS = 20, 500, 1096
CHANNELS = ("web", "store", "app", "phone", "partner")
KINDS = ("complaint", "service", "visit", "email_open", "call")
START = np.datetime64("2022-01-01T00:00:00", "us")
BATCH, ROW_GROUP = 1_000_000, 250_000
Numbers = np.ndarray[Any, np.dtype[Any]]


class Maker:
    """The customers and products of a made-up company, and the events that they make."""

    def __init__(self, customers: int, seed: int = 7) -> None:
        self.random = random = np.random.default_rng(seed)
        self.born = random.integers(-200, 900, customers).clip(0)
        life = np.where(random.random(customers) < 0.35, random.integers(60, 900, customers), 5000)
        self.gone = np.minimum(self.born + life, DAYS)
        activity = random.pareto(1.3, customers) + 0.15
        activity = np.minimum(activity, np.quantile(activity, 0.9999)) * (self.gone - self.born) / DAYS
        self.reach = np.cumsum(activity) / activity.sum()
        self.preferred = random.integers(0, CATEGORIES, customers)
        self.category_of = random.integers(0, CATEGORIES, PRODUCTS)
        self.by_category = np.argsort(self.category_of, kind="stable")
        self.starts = np.searchsorted(self.category_of[self.by_category], np.arange(CATEGORIES + 1))
        self.price = np.round(np.exp(random.normal(3, 0.8, PRODUCTS)), 2)

    def purchases(self, count: int) -> Iterator[pa.Table]:
        """Purchase lines in order of time, in pieces."""
        customers = np.searchsorted(self.reach, self.random.random(count)).astype(np.int32)
        for customer, at in self._in_time(customers):
            n = len(customer)
            liked = self.random.random(n) < 0.45
            category = np.where(liked, self.preferred[customer], self.random.integers(0, CATEGORIES, n))
            first, last = self.starts[category], self.starts[category + 1]
            product = self.by_category[first + (self.random.random(n) * np.maximum(last - first, 1)).astype(int)]
            quantity = 1 + self.random.poisson(0.6, n)
            amount = np.round(self.price[product] * quantity * np.exp(self.random.normal(0, 0.15, n)), 2)
            yield pa.table(
                {
                    "customer_id": customer.astype(np.int64),
                    "at": at,
                    "amount": amount,
                    "quantity": quantity.astype(np.int64),
                    "product_id": product.astype(np.int64),
                    "category": self.category_of[product].astype(np.int64),
                    "channel": self._words(CHANNELS, n, (0.4, 0.3, 0.2, 0.07, 0.03)),
                }
            )

    def interactions(self, count: int) -> Iterator[pa.Table]:
        """Interactions in order of time, in pieces."""
        customers = self.random.integers(0, len(self.born), count).astype(np.int32)
        for customer, at in self._in_time(customers):
            kind = self._words(KINDS, len(customer), (0.06, 0.14, 0.3, 0.4, 0.1))
            yield pa.table({"customer_id": customer.astype(np.int64), "at": at, "kind": kind})

    def _in_time(self, customers: Numbers) -> Iterator[tuple[Numbers, Numbers]]:
        days = self.random.random(len(customers), dtype=np.float32) * (self.gone[customers] - self.born[customers])
        second = ((self.born[customers] + days) * 86_400).astype(np.int32)
        order = np.argsort(second, kind="stable").astype(np.int32)
        for start in range(0, len(order), BATCH):
            some = order[start : start + BATCH]
            yield customers[some], START + second[some].astype("timedelta64[s]").astype("timedelta64[us]")

    def _words(self, words: tuple[str, ...], count: int, shares: tuple[float, ...]) -> pa.Array:
        codes = self.random.choice(len(words), count, p=shares).astype(np.int8)
        return pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(words)).cast(pa.string())


def make(folder: Path, purchases: int, customers: int, interactions: int) -> None:
    """Write `transactions.parquet` and `interactions.parquet` into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    maker = Maker(customers)
    _write(folder / "transactions.parquet", maker.purchases(purchases))
    _write(folder / "interactions.parquet", maker.interactions(interactions))


def _write(file: Path, tables: Iterator[pa.Table]) -> None:
    writer = None
    for table in tables:
        writer = writer or pq.ParquetWriter(file, table.schema, compression="zstd")
        writer.write_table(table, row_group_size=ROW_GROUP)
    if writer is not None:
        writer.close()
