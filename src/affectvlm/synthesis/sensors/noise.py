"""Smooth surfaces, random fields and errors of depth."""

from __future__ import annotations

import math

import numba
import numpy as np

from affectvlm.synthesis.sensors.presets import Sensor


def random_field(shape: tuple[int, int], sigma_px: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
    """Draw a random field: normal at each pixel, with a spread of exactly 1, alike in its neighbourhood.

    Parameters
    ----------
    shape : (R, C)
    sigma_px : (float, float)
        Standard deviations, down and along, of the Gaussian with which white noise is smoothed.

    Returns
    -------
    (R, C) float32
    """
    down, along = (_gaussian(sigma) for sigma in sigma_px)
    # Drawn beyond the borders, and each kernel of unit length: the spread is 1 everywhere.
    white = rng.standard_normal((shape[0] + len(down) - 1, shape[1] + len(along) - 1), np.float32)
    return _convolved(white, down / np.sqrt((down**2).sum()), along / np.sqrt((along**2).sum()))


def footprint(depth: np.ndarray, sigma_px: float, jump_mm: float) -> np.ndarray:
    """Average depth as a sensor does within one measurement, though never over a jump from surface to surface.

    Parameters
    ----------
    depth : (R, C) float32, mm
        NaN where nothing is seen; stays so.
    sigma_px : float
    jump_mm : float
        What is farther away in depth is another surface.
    """
    kernel = _gaussian(sigma_px)
    if len(kernel) == 1:
        return depth
    once = _averaged(depth, kernel, jump_mm)
    return np.ascontiguousarray(_averaged(np.ascontiguousarray(once.T), kernel, jump_mm).T)


def depth_noise(
    sensor: Sensor, depth: np.ndarray, slant_deg: np.ndarray, trouble: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draw the error of every pixel's depth.

    Parameters
    ----------
    sensor : Sensor
    depth : (R, C) float32, mm
    slant_deg : (R, C) float32
    trouble : (R, C) float32
        0 on bare skin; the noise is 1 + this times as much.

    Returns
    -------
    (R, C) float32, mm
    """
    pixels = sensor.correlation_mm / sensor.spacing_mm
    noise = math.sqrt(sensor.white) * random_field(depth.shape, (0, 0), rng)
    noise += math.sqrt(1 - sensor.white) * random_field(depth.shape, (pixels, pixels), rng)
    # Beyond 85 degrees next to nothing is measured, and the formula has a pole at 90.
    slant = np.minimum(slant_deg, np.float32(85))
    noise *= sensor.noise_mm * (depth / sensor.reference_mm) ** 2
    noise *= (1 + sensor.slant_noise * (slant / (90 - slant)) ** 2) * (1 + trouble)
    return noise


def spikes(sensor: Sensor, shape: tuple[int, int], trouble: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(R, C) float32, mm: errors of single pixels that are far off; (1 + 20 x ``trouble``) times as many there."""
    error = np.zeros(shape, np.float32)
    if sensor.spikes:
        hit = rng.random(shape, np.float32) < sensor.spikes * (1 + 20 * trouble)
        count = int(hit.sum())
        error[hit] = rng.exponential(sensor.spike_mm, count) * rng.choice([-1.0, 1.0], count)
    return error


def fly(sensor: Sensor, depth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Drag some pixels at the edge of a surface backwards: they measure a mixture of it and what lies behind."""
    if not sensor.flying_mm:
        return depth
    behind = _behind(depth, sensor.flying_mm)
    edge = behind > sensor.jump_mm
    count = int(edge.sum())
    # Most mixtures are mostly of the nearer surface, and half of the edge is sharp.
    share = rng.random(count, np.float32) ** 2 * (rng.random(count, np.float32) < 0.5)
    flown = depth.copy()
    flown[edge] += share * behind[edge]
    return flown


def quantised(sensor: Sensor, depth: np.ndarray) -> np.ndarray:
    """Bring depth ((R, C) float32, mm) to whole steps of disparity, which grow with the square of the depth."""
    if not sensor.step_mm:
        return depth
    disparity = np.float32(sensor.reference_mm**2 / sensor.step_mm)
    return disparity / np.rint(disparity / depth)


def _gaussian(sigma: float) -> np.ndarray:
    """(2 n + 1,) float32 with a sum of 1, to 2.5 sigma on each side."""
    reach = math.ceil(2.5 * sigma)
    if sigma < 0.2:
        return np.ones(1, np.float32)  # less than a pixel in all
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return (kernel / kernel.sum()).astype(np.float32)


@numba.njit(cache=True, nogil=True)
def _convolved(values: np.ndarray, down: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Convolve with the product of two symmetric kernels, only where they fit wholly."""
    rows, columns = values.shape[0], values.shape[1] - len(along) + 1
    wide = np.zeros((rows, columns), np.float32)
    for row in range(rows):
        for tap in range(len(along)):
            for column in range(columns):
                wide[row, column] += along[tap] * values[row, column + tap]
    out = np.zeros((rows - len(down) + 1, columns), np.float32)
    for row in range(out.shape[0]):
        for tap in range(len(down)):
            for column in range(columns):
                out[row, column] += down[tap] * wide[row + tap, column]
    return out


@numba.njit(cache=True, nogil=True)
def _averaged(depth: np.ndarray, kernel: np.ndarray, jump: float) -> np.ndarray:
    """Average along rows over the pixels that are measured, and not beyond a jump."""
    rows, columns = depth.shape
    reach = len(kernel) // 2
    limit = np.float32(jump)
    out = np.empty_like(depth)
    total = np.empty(columns, np.float32)
    weight = np.empty(columns, np.float32)
    for row in range(rows):
        line = depth[row]
        total[:] = 0
        weight[:] = 0
        for tap in range(-reach, reach + 1):
            share = kernel[tap + reach]
            for column in range(max(0, -tap), min(columns, columns - tap)):
                difference = line[column + tap] - line[column]
                # NaN compares false.
                near = abs(difference) < limit
                total[column] += share * difference if near else np.float32(0)
                weight[column] += share if near else np.float32(0)
        for column in range(columns):
            out[row, column] = line[column] + total[column] / weight[column] if weight[column] > 0 else np.nan
    return out


@numba.njit(cache=True, nogil=True)
def _behind(depth: np.ndarray, most: float) -> np.ndarray:
    """(R, C) float32: how far the farthest of the four neighbours lies behind, at most ``most``; that much for none."""
    rows, columns = depth.shape
    behind = np.zeros((rows, columns), np.float32)
    for row in range(1, rows - 1):
        for column in range(1, columns - 1):
            here = depth[row, column]
            if np.isnan(here):
                continue
            for there in (
                depth[row - 1, column],
                depth[row + 1, column],
                depth[row, column - 1],
                depth[row, column + 1],
            ):
                gap = most if np.isnan(there) else min(there - here, most)
                behind[row, column] = max(behind[row, column], gap)
    return behind
