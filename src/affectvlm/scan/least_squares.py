"""Weighted least squares for some fifty unknowns, in compiled code of our own.

A BLAS library would spread products of this size over all cores, and stop at a lock when several threads call it at
once, as several scans' threads do.
"""

from __future__ import annotations

import math

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)
def normal_equations(
    jacobian: np.ndarray, weights: np.ndarray, gaps: np.ndarray, matrix: np.ndarray, pull: np.ndarray
) -> None:
    """Write the lower half of J' W J into ``matrix`` ((n, n) float64), and J' W g into ``pull`` ((n,) float64).

    Parameters
    ----------
    jacobian : (R, n) float64
    weights, gaps : (at least R,) float64
    """
    rows, size = jacobian.shape
    matrix[:] = 0
    pull[:] = 0
    for row in range(0, rows - 3, 4):  # four at a time, so that the sums are fetched and stored a quarter as often
        j0, j1, j2, j3 = jacobian[row], jacobian[row + 1], jacobian[row + 2], jacobian[row + 3]
        for a in range(size):
            w0, w1 = weights[row] * j0[a], weights[row + 1] * j1[a]
            w2, w3 = weights[row + 2] * j2[a], weights[row + 3] * j3[a]
            pull[a] += w0 * gaps[row] + w1 * gaps[row + 1] + w2 * gaps[row + 2] + w3 * gaps[row + 3]
            sums = matrix[a]
            for b in range(a + 1):
                sums[b] += w0 * j0[b] + w1 * j1[b] + w2 * j2[b] + w3 * j3[b]
    for row in range(rows - rows % 4, rows):
        j0 = jacobian[row]
        for a in range(size):
            w0 = weights[row] * j0[a]
            pull[a] += w0 * gaps[row]
            sums = matrix[a]
            for b in range(a + 1):
                sums[b] += w0 * j0[b]


@numba.njit(cache=True, nogil=True)
def solve(matrix: np.ndarray, right: np.ndarray) -> None:
    """Turn ``right`` ((n,) float64) into the solution of ``matrix @ x = right``, in place, by Cholesky's method.

    Parameters
    ----------
    matrix : (n, n) float64
        Symmetric and positive definite; only its lower half is read, and it is overwritten.
    """
    size = right.shape[0]
    for i in range(size):
        for j in range(i):
            total = matrix[i, j]
            for c in range(j):
                total -= matrix[i, c] * matrix[j, c]
            matrix[i, j] = total / matrix[j, j]
        total = matrix[i, i]
        for c in range(i):
            total -= matrix[i, c] ** 2
        matrix[i, i] = math.sqrt(total)
        total = right[i]
        for c in range(i):
            total -= matrix[i, c] * right[c]
        right[i] = total / matrix[i, i]
    for i in range(size - 1, -1, -1):
        total = right[i]
        for c in range(i + 1, size):
            total -= matrix[c, i] * right[c]
        right[i] = total / matrix[i, i]
