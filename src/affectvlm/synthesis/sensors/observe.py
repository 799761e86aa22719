"""One scan by one sensor: from the perfect surface to what the sensor's software hands out."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from affectvlm.scan import FaceScan
from affectvlm.scan.range_image import RangeImage
from affectvlm.synthesis.sensors.camera import Camera, Sight, extent, look
from affectvlm.synthesis.sensors.crop import FaceAxes, draw_crop
from affectvlm.synthesis.sensors.gaps import (
    below_share,
    fill,
    near_lines,
    shadowed,
    slant_and_normals,
    without_islands,
)
from affectvlm.synthesis.sensors.hair import Hair, grow_hair
from affectvlm.synthesis.sensors.noise import depth_noise, fly, footprint, quantised, random_field, spikes
from affectvlm.synthesis.sensors.presets import Sensor

ASIDE_DEG = 2.0
"""Spread of the camera's place, sideways and up, as seen from the face."""

CLUMP_MM = 1.2
"""Missing points come in clumps: standard deviation of the Gaussian that they have in common."""

BROWS = (*pairwise(range(17, 22)), *pairwise(range(22, 27)))
NOSTRILS = ((31, 33), (33, 35))
BEARD = (*pairwise(range(3, 14)), (48, 33), (33, 54))
"""Lines between landmarks: along the jaw, and under the nose."""

# How wide hair grows on both sides of these lines (a standard deviation, mm).
_BROW_MM, _NOSTRIL_MM, _BEARD_MM = 2.5, 1.5, 9.0


def observe(
    sensor: Sensor,
    scan: FaceScan,
    landmarks: np.ndarray,
    eyes: np.ndarray,
    rng: np.random.Generator,
    at_rest: np.ndarray | None = None,
    noise: np.random.Generator | None = None,
) -> RangeImage:
    """Scan a head as a sensor would.

    Parameters
    ----------
    sensor : Sensor
        One with a camera.
    scan : FaceScan
        The head in the pose in which it is scanned, mm, nose tip near the origin; the camera is on the +z side and
        looks along -z. With a texture, it is photographed under a light from somewhere in front.
    landmarks : (68, 3) float, mm
        The points of iBUG on this very scan.
    eyes : (V,) bool
        Which vertices are the eyeballs'.
    rng : numpy.random.Generator
        Of the scene: where the camera stands, crop, hair, light. The same for all frames of a sequence.
    at_rest : (68, 3) float, mm, optional
        The same points of the same head in the same pose without its expression: crop and hair go by them, so that
        raised brows raise no hairline. By default ``landmarks``.
    noise : numpy.random.Generator, optional
        Of what differs from frame to frame; by default ``rng``.

    Returns
    -------
    RangeImage
        In the scan's own frame.

    Raises
    ------
    ValueError
        The sensor is none.
    ScanError
        The head reaches behind the camera.
    """
    if sensor.distance_mm is None:
        raise ValueError(f"the sensor {sensor.name} has no camera: use the mesh as it is")
    # Each part of the scene has its own draws: how many hair takes depends on the frame.
    placing, growing, lighting, losing = rng.spawn(4)
    noise = rng if noise is None else noise
    axes = FaceAxes.of(landmarks if at_rest is None else at_rest)
    crop = draw_crop(sensor, axes, placing)
    camera = place_camera(sensor, placing)
    side = placing.choice([-1.0, 1.0])
    pixel_mm = float(camera.position[2]) / camera.focal_px
    sight = look(camera, scan, crop.middle_point, crop.side_mm)
    points = sight.points
    inside = crop.keeps(points)
    used = extent(inside)
    sight, points, inside = sight.cut(*used), points[used], inside[used]

    eye = _eye_pixels(sight, scan, eyes)
    hair = grow_hair(points, axes, pixel_mm, growing) if growing.random() < sensor.hair else None
    surface = sight.depth + np.float32(placing.uniform(0, sensor.eye_dent_mm)) * eye
    if hair is not None:
        surface -= hair.rise
    surface = footprint(surface, sensor.footprint_mm / pixel_mm, sensor.jump_mm)
    slant_deg, normals = slant_and_normals(surface, sight.right, sight.up, camera.focal_px)
    colours = _photograph(sight, scan, normals, hair, lighting)

    hairy, lost = _losses(sensor, sight, points, np.asarray(landmarks, np.float64), eye, hair, losing)
    first, last = sensor.fading_deg
    lost = 1 - (1 - lost) * (1 - np.clip((slant_deg - first) / (last - first), 0, 1))
    clump = CLUMP_MM / pixel_mm
    kept = inside & ~below_share(random_field(lost.shape, (clump, clump), noise), lost)
    kept &= ~shadowed(surface, sight.right, side * sensor.baseline_mm * camera.focal_px)

    depth = fly(sensor, surface, noise)
    depth = depth + depth_noise(sensor, surface, slant_deg, 2 * hairy, noise)
    depth += spikes(sensor, depth.shape, hairy, noise)
    depth = quantised(sensor, depth)

    kept = without_islands(kept, sensor.island_mm2 / pixel_mm**2)
    depth = fill(depth, kept, noise.uniform(0, sensor.filled_mm2) / pixel_mm**2)
    return RangeImage(sight.points_at(depth), colours, f"{scan.source}, {sensor.name}")


def place_camera(sensor: Sensor, rng: np.random.Generator) -> Camera:
    """Draw where the camera stands; it looks along -z from any place."""
    assert sensor.distance_mm is not None
    distance = rng.uniform(*sensor.distance_mm)
    aside = distance * np.tan(np.radians(rng.normal(0, ASIDE_DEG, 2)))
    return Camera(np.array([*aside, distance]), sensor.reference_mm / sensor.spacing_mm)


def _eye_pixels(sight: Sight, scan: FaceScan, eyes: np.ndarray) -> np.ndarray:
    """(R, C) float32: 1 where an eyeball is seen, 0 elsewhere."""
    of_eye = np.append(np.asarray(eyes, bool)[scan.triangles[:, 0]], False)  # the last stands for no triangle
    return of_eye[sight.triangle].astype(np.float32)


def _photograph(
    sight: Sight, scan: FaceScan, normals: np.ndarray, hair: Hair | None, rng: np.random.Generator
) -> np.ndarray | None:
    """Take a picture by a light from somewhere in front; (R, C, 3) uint8, or None for a scan without texture."""
    albedo = sight.photograph(scan)
    if albedo is None:
        return None
    light = np.array([rng.normal(0, 0.4), rng.normal(0.2, 0.3), 1.0])
    light = (light / np.linalg.norm(light)).astype(np.float32)
    ambient = np.float32(rng.uniform(0.2, 0.6))
    cosine = normals[..., 0] * light[0] + normals[..., 1] * light[1] + normals[..., 2] * light[2]
    brightness = ambient + (1 - ambient) * np.maximum(cosine, 0)
    colours = albedo.astype(np.float32)
    if hair is not None:
        colours += hair.cover[..., None] * (hair.colour - colours)
    return np.clip(colours * brightness[..., None] + 0.5, 0, 255).astype(np.uint8)


def _losses(
    sensor: Sensor,
    sight: Sight,
    points: np.ndarray,
    landmarks: np.ndarray,
    eye: np.ndarray,
    hair: Hair | None,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Tell how badly light comes back from each pixel.

    Returns
    -------
    hairy : (R, C) float32
        0 on skin, 1 in the middle of brows and in hair, less in a beard.
    lost : (R, C) float32
        Share of the points that are missing.
    """
    lines = {name: landmarks[np.array(pairs)] for name, pairs in (("brow", BROWS), ("nose", NOSTRILS), ("jaw", BEARD))}
    brow = near_lines(sight, points, lines["brow"], _BROW_MM)
    nostril = near_lines(sight, points, lines["nose"], _NOSTRIL_MM)
    # How dark the brows are and how wet the eyes differs from scan to scan: from not at all to twice the average.
    brow_loss, eye_loss = (min(loss * rng.uniform(0, 2), 1) for loss in (sensor.brow_loss, sensor.eye_loss))
    hairy = brow
    present = (1 - brow_loss * brow) * (1 - sensor.nostril_loss * nostril) * (1 - eye_loss * eye)
    if rng.random() < sensor.beard:
        beard = near_lines(sight, points, lines["jaw"], _BEARD_MM)
        hairy = np.maximum(hairy, np.float32(0.4) * beard)
        present *= 1 - min(sensor.brow_loss * rng.uniform(0, 1), 1) * beard
    if hair is not None:
        hairy = np.maximum(hairy, hair.cover)
        present *= 1 - hair.loss * hair.cover
    return hairy, 1 - present
