"""Depth cameras' frames, written in every format for range images, go into a recognizer as meshes do."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from affectvlm.emotions import EMOTIONS
from affectvlm.recognizer import Recognizer
from affectvlm.recognizer.torch_encoder import TorchEncoder
from affectvlm.scan import FaceScan, normalize, read_scan
from affectvlm.scan.pose import Pose
from affectvlm.scan.range_image import RangeImage
from affectvlm.scan.read import JUMP_MM, JUMP_STEPS
from affectvlm.scan.write_bnt import write_bnt
from affectvlm.synthesis import FaceSource
from affectvlm.synthesis.generate import Study
from test_read_depth import camera_of

FORMATS = ("png", "depth.npz", "points.npz", "bnt", "abs")

WIDER = 40
"""Pixels of a room all around the face."""


@dataclass(frozen=True)
class Frame:
    """One take: as a depth camera has it, its mesh, and the face model's own mesh of the same moment."""

    grid: RangeImage
    mesh: FaceScan
    truth: FaceScan


@cache
def frame(number: int) -> Frame:
    seen, clean = (Study(FaceSource(), subjects=1, sensor=sensor, seed=5) for sensor in ("depth-camera", "clean"))
    grid = seen.record(seen.takes()[number]).grid
    assert grid is not None
    mesh = grid.mesh(max(JUMP_MM, JUMP_STEPS * grid.spacing_mm))
    return Frame(grid, mesh, clean.record(clean.takes()[number]).scan)


def write(folder: Path, grid: RangeImage, form: str) -> tuple[Path, np.ndarray]:
    """Write a frame; return the file and (3,) where the file's origin is in the frame, mm."""
    path = folder / f"frame.{form.rpartition('.')[2]}"
    points = np.where(grid.measured[..., None], grid.points, np.nan)
    if form == "bnt":
        write_bnt(path, grid)
    elif form == "abs":
        rows, columns = grid.measured.shape
        values = [grid.measured.astype(int), *np.where(grid.measured, np.moveaxis(grid.points, -1, 0), -999999)]
        lines = [" ".join(f"{value:.6g}" for value in plane.ravel()) for plane in values]
        path.write_text("\n".join([f"{rows} rows", f"{columns} columns", "pixels (flag X Y Z):", *lines, ""]))
    elif form == "points.npz":
        np.savez(path, points=points)
    else:
        camera, place = camera_of(grid)
        depth = np.pad(np.where(grid.measured, place[2] - grid.points[..., 2], 0), WIDER)
        depth[depth == 0] = depth.max() + 500  # a wall
        numbers = {"fx": camera.fx, "fy": camera.fy, "cx": camera.cx + WIDER, "cy": camera.cy + WIDER}
        numbers["depth_unit_mm"] = 0.1
        steps = np.rint(10 * depth).astype(np.uint16)
        if form == "png":
            Image.fromarray(steps).save(path)
            path.with_suffix(".json").write_text(json.dumps(numbers))
        else:
            np.savez(path, depth=steps, **numbers)
        return path, place
    return path, np.zeros(3)


def apart(one: Pose, other: Pose, place: np.ndarray | None = None) -> tuple[float, float]:
    """Degrees between two poses, and mm between their nose tips; the second's origin is at the place given."""
    turn = Rotation.from_matrix(one.rotation.T @ other.rotation)
    nose = other.nose if place is None else other.nose + place
    return float(np.degrees(turn.magnitude())), float(np.linalg.norm(one.nose - nose))


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("number", [0, 16])
def test_the_face_is_that_of_the_mesh_of_the_same_recording(form: str, number: int, tmp_path: Path) -> None:
    made = frame(number)
    path, place = write(tmp_path, made.grid, form)
    found, meshed = normalize(read_scan(path)), normalize(made.mesh)
    degrees, mm = apart(meshed.pose, found.pose, place)
    assert degrees < 0.5
    assert mm < 0.5
    assert found.quality.score == pytest.approx(meshed.quality.score, abs=0.05)
    assert len(found.face.vertices) == pytest.approx(len(meshed.face.vertices), rel=0.01)
    degrees, mm = apart(normalize(made.truth).pose, found.pose, place)
    assert degrees < 4
    assert mm < 4


@pytest.mark.parametrize("form", FORMATS)
def test_a_recognizer_answers_for_it_as_for_the_mesh(form: str, tiny_model, tmp_path: Path) -> None:
    made = frame(16)
    path, _ = write(tmp_path, made.grid, form)
    recognizer = Recognizer(TorchEncoder(tiny_model))
    answer = recognizer.predict(path)
    assert (answer.path, answer.error) == (str(path), None)
    assert tuple(answer.probabilities) == EMOTIONS
    np.testing.assert_allclose(
        list(answer.probabilities.values()), list(recognizer.predict(made.mesh).probabilities.values()), atol=0.01
    )


def test_a_depth_picture_without_its_camera_gets_a_line_and_no_label(tiny_model, tmp_path: Path) -> None:
    path, _ = write(tmp_path, frame(0).grid, "png")
    path.with_suffix(".json").unlink()
    answer = Recognizer(TorchEncoder(tiny_model)).predict(path)
    assert (answer.label, answer.probabilities) == (None, {})
    assert "expected its camera's intrinsics in frame.json or intrinsics.json beside it" in str(answer.error)
