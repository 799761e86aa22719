"""Does cleaning bring a sensor's maps nearer to the face, and what does it cost? `python benchmarks/cleaning.py`

For each sensor: mean absolute error of depth (mm; a missing pixel counts as 100 mm behind the view's centre) and of
normals, over the pixels of the front view that the cleaned scan shows, before and after; and milliseconds of processor
time a scan.
"""

from __future__ import annotations

import time

import numpy as np

from affectvlm.scan import FACE_RADIUS_MM, FaceScan, face_mask
from affectvlm.scan.clean import clean
from affectvlm.synthesis import FaceSource
from affectvlm.synthesis.generate import Recording, Study
from affectvlm.views import Rig, render

RIG = Rig(size_px=224, yaw_deg={"front": 0.0})


def upright(recording: Recording) -> FaceScan:
    """Bring a face to the camera by what is known of it."""
    nose, turn = recording.landmarks[30], recording.rotation.T
    face = recording.scan.kept(face_mask(recording.scan, nose, FACE_RADIUS_MM))
    return face.moved(turn, -turn @ nose)


def errors(face: FaceScan, truth: FaceScan, cleaned: FaceScan) -> list[float]:
    """Compare a face's maps with the true ones, where the cleaned one shows something."""
    views, true, shown = render(face, RIG), render(truth, RIG), render(cleaned, RIG)
    both = shown.mask & true.mask
    assert views.normals is not None
    assert true.normals is not None
    depth = np.abs(np.nan_to_num(views.depth, nan=-100) - true.depth)[both].mean()
    return [float(depth), float(np.abs(views.normals - true.normals)[both].mean())]


def main() -> None:
    """Print a line for each sensor."""
    print(f"{'sensor':18}{'vertices':>9}{'spikes':>8}{'filled':>8}   depth, normals before -> after{'ms':>8}")
    for sensor in ("structured-light", "depth-camera", "phone"):
        spoiled, perfect = (Study(FaceSource(), subjects=4, sensor=kind, seed=3) for kind in (sensor, "clean"))
        rows = []
        for take, same in list(zip(spoiled.takes(), perfect.takes(), strict=True))[::5]:
            face, truth = upright(spoiled.record(take)), upright(perfect.record(same))
            clean(face, FACE_RADIUS_MM)
            start = time.process_time()
            cleaned, found = clean(face, FACE_RADIUS_MM)
            took = 1000 * (time.process_time() - start)
            old, new = errors(face, truth, cleaned), errors(cleaned, truth, cleaned)
            rows.append([len(face.vertices), found.spikes, found.filled, *old, *new, took])
        vertices, spikes, filled, depth, normals, new_depth, new_normals, took = np.mean(rows, axis=0)
        change = f"{depth:.3f}, {normals:.4f} -> {new_depth:.3f}, {new_normals:.4f}"
        print(f"{sensor:18}{vertices:9.0f}{spikes:8.1f}{filled:8.1f}   {change:>29}{took:8.1f}")


if __name__ == "__main__":
    main()
