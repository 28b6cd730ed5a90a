"""Measured values beside the rows that they belong to."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc


def aligned(measured: pa.Table, name: str, spine: pa.Table, key: str = "customer_id") -> npt.NDArray[np.float64]:
    """The value measured for the key of each row of the spine (n,); NaN for a key that was not measured."""
    row = pc.index_in(spine[key], measured[key].combine_chunks())
    values = pc.take(measured[name].combine_chunks().cast(pa.float64()), row)
    return np.asarray(values.to_numpy(zero_copy_only=False), np.float64)
