"""A picture of each frame of a sequence: the face as it was recorded, in clay, small enough to be sent by hundreds.

All frames are seen from one place, the one from which the first face looks into the camera: the head moves as it did.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from affectvlm.app.face.display_mesh import display_mesh
from affectvlm.errors import ScanError
from affectvlm.scan import FaceScan, read_scan
from affectvlm.scan.pose import UNITS, Pose, turned_out
from affectvlm.views import Rig, render

SIZE_PX = 320

FINER = 2
"""So many times finer are they drawn, and then reduced: smooth edges."""

RADIUS_MM = 106.0
"""Around the first frame's nose tip: what is farther is hair, shoulders or the room."""

SPARE_MM = 8.0
"""The mesh is cut so much farther away, and the picture at the radius: a cut through pixels is smooth."""

RIG = Rig(
    yaw_deg={"front": 0.0},
    size_px=FINER * SIZE_PX,
    field_mm=2 * RADIUS_MM,
    centre_mm=(0.0, 0.0, 0.0),
    maps=("texture",),
)

_ALONG_MM = (np.arange(RIG.size_px) + 0.5) * RIG.pixel_mm - RADIUS_MM
_ACROSS_MM2 = _ALONG_MM[:, None] ** 2 + _ALONG_MM**2
"""(H, W): the square of each pixel's distance from the middle."""

QUALITY = 82
"""Of WebP, lossy: about 6 kB a picture."""


def draw_frames(
    frames: Sequence[FaceScan | Path], pose: Pose, workers: int, on_frame: Callable[[float], None]
) -> tuple[bytes | None, ...]:
    """Draw the frames of a sequence.

    Parameters
    ----------
    frames : sequence of FaceScan or Path
    pose : Pose
        Of a face among them, which looks straight out of its picture.
    workers : int
        Pictures that are drawn at a time.
    on_frame : callable
        Called with the share that is drawn; what it raises ends the drawing.

    Returns
    -------
    tuple of bytes or None
        WebP, :data:`SIZE_PX` square, transparent around the face; None where there is nothing to be seen.
    """
    pictures: list[bytes | None] = []
    with ThreadPoolExecutor(workers) as pool:
        # A few at a time: who stops the drawing need not wait for frames that were already handed out.
        for start in range(0, len(frames), 2 * workers):
            on_frame(start / len(frames))
            pictures += pool.map(partial(_drawn, pose=pose), frames[start : start + 2 * workers])
    return tuple(pictures)


def _drawn(frame: FaceScan | Path, pose: Pose) -> bytes | None:
    try:
        scan = frame if isinstance(frame, FaceScan) else read_scan(frame)
        if pose.inside_out:
            scan = turned_out(scan)
        scan = scan.moved(pose.rotation.T, -pose.rotation.T @ pose.nose, UNITS[pose.unit])
        scan = scan.kept((scan.vertices**2).sum(axis=1) < (RADIUS_MM + SPARE_MM) ** 2)
    except ScanError:
        return None
    if len(scan.triangles) == 0:
        return None
    bare = replace(scan, uv=None, uv_triangles=None, texture=None, colours=None)
    clay = display_mesh(bare, most=len(bare.triangles)).colours
    views = render(replace(bare, colours=clay), RIG)
    assert views.texture is not None
    near = _ACROSS_MM2 + views.depth[0] ** 2 < RADIUS_MM**2  # never where nothing is seen: that is NaN
    seen = np.where(near, np.uint8(255), np.uint8(0))
    # Premultiplied while it is reduced: else the black around the face would darken its edge.
    rgba = Image.fromarray(np.dstack([views.texture[0], seen]), "RGBA").convert("RGBa").reduce(FINER).convert("RGBA")
    packed = io.BytesIO()
    rgba.save(packed, "WEBP", quality=QUALITY, method=2)
    return packed.getvalue()
