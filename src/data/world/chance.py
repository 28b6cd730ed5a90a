"""Random numbers that belong to a person, a stream and a counter, whatever else is drawn.

u(key, stream, n) = mix(mix(key + stream c1 + n c2)) 2^-53 in [0, 1), with mix the finaliser of SplitMix64 (Steele, Lea
and Flood, Fast splittable pseudorandom number generators, OOPSLA 2014). There is no state: the order of the work, the
size of a chunk and the number of threads cannot change a number, and two futures that differ in one decision share all
others (common random numbers).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

F = TypeVar("F", bound=Callable[..., Any])
Uint64 = NDArray[np.uint64]
Floats = NDArray[np.float64]

#: Compiles a function of the step; the entry points alone are kept on disk (see simulation.py).
compiled = cast(Callable[[F], F], numba.njit(nogil=True, error_model="numpy"))

#: compiles an entry point, and keeps the result on disk
compiled_and_kept = cast(Callable[[F], F], numba.njit(cache=True, nogil=True, error_model="numpy"))

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_ODD = np.uint64(0xD1B54A32D192ED03)
_M1 = np.uint64(0xBF58476D1CE4E5B9)
_M2 = np.uint64(0x94D049BB133111EB)
_30, _27, _31, _11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)


@compiled
def mix(z: Any) -> Any:
    """SplitMix64's finaliser, a bijection of 64-bit words."""
    z = (z ^ (z >> _30)) * _M1
    z = (z ^ (z >> _27)) * _M2
    return z ^ (z >> _31)


@compiled
def derive(key: Any, stream: Any, n: Any) -> Any:
    """A new key out of a key: a child's, a future's."""
    return mix(mix(key + np.uint64(stream) * _ODD + np.uint64(n) * _GOLDEN) + _GOLDEN)


@compiled
def uniform(key: Any, stream: Any, n: Any) -> Any:
    """The n-th number of a stream, in [0, 1)."""
    z = mix(mix(key + np.uint64(stream) * _ODD + np.uint64(n) * _GOLDEN) + _GOLDEN)
    return np.float64(z >> _11) * (1.0 / 9007199254740992.0)


@compiled
def exponential(key: Any, stream: Any, n: Any) -> Any:
    """An exponential number of mean 1."""
    return -np.log(1.0 - uniform(key, stream, n))


@compiled
def erlang(key: Any, stream: Any, n: Any, shape: Any) -> Any:
    """A sum of `shape` exponentials, divided by `shape`: mean 1, the n-th of the stream (shape at most 16)."""
    total = 0.0
    for j in range(shape):
        total += exponential(key, stream, np.uint64(n) * np.uint64(16) + np.uint64(j))
    return total / shape


@compiled
def poisson(key: Any, stream: Any, n: Any, mean: Any) -> Any:
    """A Poisson number by inversion, for small means; at most 50."""
    left, u, count = np.exp(-mean), uniform(key, stream, n), 0
    reached = left
    while u > reached and count < 50:
        count += 1
        left *= mean / count
        reached += left
    return count


@compiled
def _fill(keys: Any, stream: Any, counters: Any) -> Any:
    out = np.empty(keys.size, np.float64)
    for i in range(keys.size):
        out[i] = uniform(keys[i], stream, counters[i])
    return out


@compiled
def _derive_all(keys: Any, stream: Any, counters: Any) -> Any:
    out = np.empty(keys.size, np.uint64)
    for i in range(keys.size):
        out[i] = derive(keys[i], stream, counters[i])
    return out


def uniforms(keys: Uint64, stream: int, counters: NDArray[Any] | int = 0) -> Floats:
    """u(key, stream, counter) for arrays of keys and counters, shape (n,)."""
    return cast(Floats, _fill(keys, stream, _counters(keys, counters)))


def derived(keys: Uint64, stream: int, counters: NDArray[Any] | int = 0) -> Uint64:
    """derive(key, stream, counter) for arrays, shape (n,)."""
    return cast(Uint64, _derive_all(keys, stream, _counters(keys, counters)))


def _counters(keys: Uint64, counters: NDArray[Any] | int) -> Uint64:
    return np.ascontiguousarray(np.broadcast_to(np.asarray(counters).astype(np.uint64), keys.shape))


def root_keys(seed: int, first: int, count: int) -> Uint64:
    """Keys of the roots number first to first + count - 1 of a world."""
    base = np.full(count, np.uint64(seed % 2**64), np.uint64)
    return derived(derived(base, 1), 2, np.arange(first, first + count, dtype=np.uint64))
