"""Lists of numbers in text, read: what VRML files mostly are. Compiled, since Python takes a hundred times as long."""

from __future__ import annotations

import numba
import numpy as np

MOST_EXACT_POWER = 22
"""The largest power of ten that a float64 holds exactly."""

POWERS = 10.0 ** np.arange(MOST_EXACT_POWER + 1)

LARGEST = 2**31 - 1

SPACE, COMMA, HASH, PLUS, MINUS, POINT, ZERO, SMALL_E, LARGE_E = b" ,#+-.0eE"


def read_numbers(content: bytes, start: int, end: int) -> tuple[np.ndarray, int]:
    """Read the numbers between two places of a text, which spaces, line ends and commas separate.

    A ``#`` begins a comment that goes to the line's end. ``1e-3``, ``-.5``, ``+3`` and ``1.`` are numbers; ``nan``,
    ``inf`` and what is too large for a float64 are not.

    Parameters
    ----------
    content : bytes
    start, end : int
        Bytes. At ``end`` stands what is in no number, such as a bracket: so nothing has to be counted on the way.

    Returns
    -------
    numbers : (N,) float64
        Those before the first mistake. Of 17 digits or fewer and a power of ten of 22 or less as Python reads them.
    mistake : int
        Where what is no number begins; -1 when all is well.
    """
    out = np.empty((end - start) // 2 + 1, np.float64)
    count, at = _floats(np.frombuffer(content, np.uint8), start, end, out)
    return out[:count], at


def read_indices(content: bytes, start: int, end: int) -> tuple[np.ndarray, int]:
    """Read whole numbers as :func:`read_numbers` does; what is larger than an int32 is a mistake.

    Returns
    -------
    numbers : (N,) int32
    mistake : int
    """
    out = np.empty((end - start) // 2 + 1, np.int32)
    count, at = _whole(np.frombuffer(content, np.uint8), start, end, out)
    return out[:count], at


def place_of(content: bytes, start: int, end: int, row: int) -> int:
    """Return the byte at which the ``row``-th number of a list of whole numbers begins."""
    _, at = _whole(np.frombuffer(content, np.uint8), start, end, np.empty(row, np.int32))
    return at


@numba.njit(cache=True, nogil=True, inline="always")
def _next(text: np.ndarray, at: int, end: int) -> int:
    """Return where the next number begins; ``end`` when there is none."""
    c = text[at]
    while c <= COMMA:
        if c in (SPACE, COMMA) or 9 <= c <= 13:
            at += 1
        elif c == HASH:
            while at < end and text[at] != 10 and text[at] != 13:
                at += 1
        else:
            break
        c = text[at]
    return at


@numba.njit(cache=True, nogil=True, inline="always")
def _ends(text: np.ndarray, at: int, end: int) -> bool:
    """Whether a number that reaches to ``at`` ends there."""
    c = text[at]
    return c in (COMMA, HASH) or c <= SPACE or at >= end


@numba.njit(cache=True, nogil=True)
def _whole(text: np.ndarray, start: int, end: int, out: np.ndarray) -> tuple[int, int]:
    """Fill ``out`` and tell how many there are, and where a mistake, or what is beyond ``out``, begins."""
    count = 0
    at = start
    while True:
        at = _next(text, at, end)
        if at >= end:
            return count, -1
        if count == len(out):
            return count, at
        begin = at
        negative = text[at] == MINUS
        if negative or text[at] == PLUS:
            at += 1
        first_digit = at
        number = np.int64(0)
        digit = np.int64(text[at]) - ZERO
        while 0 <= digit <= 9:
            number = number * 10 + digit  # may run over, which the count of digits then tells
            at += 1
            digit = np.int64(text[at]) - ZERO
        if not 1 <= at - first_digit <= 10 or number > LARGEST or not _ends(text, at, end):
            return count, begin
        out[count] = -number if negative else number
        count += 1


@numba.njit(cache=True, nogil=True)
def _floats(text: np.ndarray, start: int, end: int, out: np.ndarray) -> tuple[int, int]:
    """Fill ``out`` and tell how many there are, and where a mistake begins."""
    count = 0
    at = start
    while True:
        at = _next(text, at, end)
        if at >= end:
            return count, -1
        begin = at
        negative = text[at] == MINUS
        if negative or text[at] == PLUS:
            at += 1
        number = np.int64(0)
        power = np.int64(0)
        digits = 0
        seen_point = False
        while True:
            c = text[at]
            if ZERO <= c <= ZERO + 9:
                digits += 1
                if number < 100_000_000_000_000_000:
                    number = number * 10 + (np.int64(c) - ZERO)
                    power -= seen_point
                else:
                    power += not seen_point  # a digit beyond the eighteenth changes nothing
            elif c == POINT and not seen_point:
                seen_point = True
            else:
                break
            at += 1
        if digits == 0:
            return count, begin
        if text[at] == SMALL_E or text[at] == LARGE_E:
            at += 1
            below_one = text[at] == MINUS
            if below_one or text[at] == PLUS:
                at += 1
            first_digit = at
            exponent = np.int64(0)
            while ZERO <= text[at] <= ZERO + 9:
                exponent = min(exponent * 10 + (np.int64(text[at]) - ZERO), np.int64(100_000))
                at += 1
            if at == first_digit:
                return count, begin
            power += -exponent if below_one else exponent
        if not _ends(text, at, end):
            return count, begin
        value = np.float64(number)
        if -MOST_EXACT_POWER <= power < 0:
            value /= POWERS[-power]
        elif 0 < power <= MOST_EXACT_POWER:
            value *= POWERS[power]
        elif power != 0 and number != 0:
            value *= 10.0**power
            if not np.isfinite(value):
                return count, begin
        out[count] = -value if negative else value
        count += 1
