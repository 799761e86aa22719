"""Tables of numbers as text: what mesh files in text mostly are, and what takes the time to write them."""

from __future__ import annotations

from collections.abc import Sequence

import numba
import numpy as np


def number_text(rows: np.ndarray, around: Sequence[bytes], decimals: int = 0) -> bytes:
    """Write a table of numbers.

    Parameters
    ----------
    rows : (N, k) int or float
        Finite.
    around : k + 1 of bytes
        What stands before, between and after the numbers of a row, such as ``(b"v ", b" ", b" ", b"\\n")``.
    decimals : int
        Digits after the point; with 0 there is no point either.
    """
    scaled = np.rint(np.asarray(rows, np.float64) * 10.0**decimals).astype(np.int64)
    most_digits = len(str(int(np.abs(scaled).max(initial=0))))
    longest = max(most_digits, decimals + 1) + 2  # a sign and a point
    out = np.empty(scaled.size * longest + len(scaled) * sum(map(len, around)), np.uint8)
    ends = np.cumsum([0, *map(len, around)])
    length = _write(scaled, np.frombuffer(b"".join(around), np.uint8), ends, decimals, out)
    return out[:length].tobytes()


@numba.njit(cache=True, nogil=True)
def _write(scaled: np.ndarray, around: np.ndarray, ends: np.ndarray, decimals: int, out: np.ndarray) -> int:
    """Write the bytes to ``out`` and tell how many; compiled, since Python's own formatting takes ten times as long."""
    at = 0
    for row in range(scaled.shape[0]):
        for i in range(ends[0], ends[1]):
            out[at] = around[i]
            at += 1
        for column in range(scaled.shape[1]):
            number = scaled[row, column]
            if number < 0:
                out[at] = 45  # minus
                at += 1
                number = -number
            digits = 1
            rest = number // 10
            while rest > 0:
                digits += 1
                rest //= 10
            length = max(digits, decimals + 1) + (1 if decimals > 0 else 0)
            for place in range(length - 1, -1, -1):
                if decimals > 0 and place == length - 1 - decimals:
                    out[at + place] = 46  # point
                else:
                    out[at + place] = 48 + number % 10
                    number //= 10
            at += length
            for i in range(ends[column + 1], ends[column + 2]):
                out[at] = around[i]
                at += 1
    return at
