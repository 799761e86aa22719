"""What is no face, half a face or two: a reason in words that help, and never a scan that goes on to a model."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from affectvlm.errors import ScanError
from affectvlm.recognizer import Recognizer
from affectvlm.recognizer.torch_encoder import TorchEncoder
from affectvlm.scan import FaceScan, normalize, read_scan
from affectvlm.scan.around import Around
from affectvlm.scan.body import reach_below
from affectvlm.synthesis.embedded import embedded_face
from affectvlm.synthesis.generate import Study
from affectvlm.synthesis.library import FaceSource

NO_FACE = "expected a scan of a face, found none in it, or not enough of one"


@cache
def recorded(sensor: str, number: int = 0) -> FaceScan:
    """A person, hardly turned, nose tip near the origin."""
    study = Study(FaceSource(), subjects=2, sensor=sensor, seed=5)
    return study.record(study.takes()[25 * number]).scan


def joined(*parts: FaceScan | trimesh.Trimesh) -> FaceScan:
    meshes = [(part.vertices, part.triangles if isinstance(part, FaceScan) else part.faces) for part in parts]
    first = np.cumsum([0, *(len(vertices) for vertices, _ in meshes)])
    triangles = [rows + start for (_, rows), start in zip(meshes, first, strict=False)]
    return FaceScan(np.concatenate([vertices for vertices, _ in meshes]), np.concatenate(triangles), source="joined")


def away(scan: FaceScan, *mm: float) -> FaceScan:
    return scan.moved(np.eye(3), np.array(mm))


def limb(start: list[float], end: list[float], radius: float) -> trimesh.Trimesh:
    along = np.subtract(end, start).astype(float)
    tube = trimesh.creation.capsule(np.linalg.norm(along), radius, count=[24, 24]).subdivide_to_size(60.0)
    turn = np.eye(4)
    turn[:3, :3] = Rotation.align_vectors([along / np.linalg.norm(along)], [[0, 0, 1]])[0].as_matrix()
    return tube.apply_transform(turn).apply_translation(start)


def doll() -> FaceScan:
    """A body of 1.7 m with a ball for a head."""
    head = trimesh.creation.icosphere(4, 110).apply_translation([0, 1560, 0])
    limbs = [limb([x * 150, 1350, 0], [x * 350, 900, 50], 45) for x in (-1, 1)]
    limbs += [limb([x * 90, 850, 0], [x * 130, 60, 0], 65) for x in (-1, 1)]
    return joined(head, limb([0, 850, 0], [0, 1350, 0], 150), *limbs)


def sheet() -> FaceScan:
    """A rough wall."""
    x, y = np.meshgrid(np.arange(-110, 110, 4.0), np.arange(110, -110, -4.0))
    height = 2 * np.sin(x / 9) * np.cos(y / 13)
    grid = np.arange(x.size).reshape(x.shape)
    a, b, c, d = (part.ravel() for part in (grid[:-1, :-1], grid[1:, :-1], grid[1:, 1:], grid[:-1, 1:]))
    triangles = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    return FaceScan(np.stack([x, y, height], axis=-1).reshape(-1, 3), triangles)


def noise() -> FaceScan:
    """Triangles without order."""
    rng = np.random.default_rng(0)
    return FaceScan(rng.normal(0, 60, (3000, 3)), rng.integers(0, 3000, (3000, 3)))


def box() -> FaceScan:
    cube = trimesh.creation.box([160, 200, 180]).subdivide_to_size(10.0)
    return FaceScan(cube.vertices, cube.faces)


def ball() -> FaceScan:
    sphere = trimesh.creation.icosphere(4, 95)
    return FaceScan(sphere.vertices, sphere.faces)


@pytest.mark.parametrize("make", [box, ball, sheet, doll])
def test_things_are_told_to_be_no_face(make) -> None:
    with pytest.raises(ScanError, match=rf"^thing: {NO_FACE} .* crop the scan to the head$"):
        normalize(replace(make(), source="thing"))


def test_triangles_without_order_are_refused() -> None:
    with pytest.raises(ScanError, match=r"^it: expected a "):
        normalize(replace(noise(), source="it"))


@pytest.mark.parametrize("sensor", ["clean", "depth-camera"])
@pytest.mark.parametrize("side", [-1, 1])
def test_half_a_face_is_refused(sensor: str, side: int) -> None:
    scan = recorded(sensor)
    with pytest.raises(ScanError, match=rf"{NO_FACE}|of the face is missing on the subject's"):
        normalize(scan.kept(side * scan.vertices[:, 0] > 2))


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        ("above the lip", "of the mouth's region is missing"),
        ("below the eyes", "of the eyes' region is missing"),
        ("above the eyes", NO_FACE),
    ],
)
def test_parts_are_refused_for_what_they_lack(part: str, reason: str) -> None:
    scan = recorded("structured-light")
    y = scan.vertices[:, 1]
    kept = {"above the lip": y > -16, "below the eyes": y < 22, "above the eyes": y > 42}[part]
    with pytest.raises(ScanError, match=reason):
        normalize(scan.kept(kept))


@pytest.mark.parametrize("place", [(165, 20, -30), (330, -120, 60), (60, 280, -80), (-40, -300, 0)])
@pytest.mark.parametrize("sensor", ["clean", "phone"])
def test_two_faces_are_refused(sensor: str, place: tuple[float, float, float]) -> None:
    turned = recorded(sensor, 1).moved(Rotation.from_euler("y", 25, degrees=True).as_matrix(), np.zeros(3))
    with pytest.raises(ScanError, match="another face is in the scan; crop it to one head"):
        normalize(joined(recorded(sensor), away(turned, *place)))


def test_shoulders_are_no_other_face_and_cost_no_answer() -> None:
    shoulders = limb([-190, -230, -110], [190, -230, -110], 70)
    bust = joined(recorded("clean"), shoulders)
    assert normalize(bust).quality.score > 0.6
    assert normalize(bust).quality.measures["other_face"] > 0.66
    assert normalize(recorded("clean")).quality.measures["other_face"] == 1


def body() -> FaceScan:
    """A head on a torso, arms and legs: 1.6 m below its nose, and 0.6 m without the legs."""
    arms = [limb([x * 170, -260, -110], [x * 280, -580, -60], 45) for x in (-1, 1)]
    legs = [limb([x * 90, -800, -110], [x * 120, -1540, -110], 65) for x in (-1, 1)]
    return joined(recorded("clean"), limb([0, -740, -110], [0, -330, -110], 140), *arms, *legs)


@pytest.mark.filterwarnings("ignore:.*brought to millimetres")
@pytest.mark.parametrize("unit_mm", [1, 10, 100, 1000])
def test_a_body_is_refused_and_its_bust_is_not(unit_mm: float) -> None:
    turn = Rotation.from_euler("yxz", [30, 20, 100], degrees=True).as_matrix()
    whole = body()
    bust = whole.kept(whole.vertices[:, 1] > -600)
    with pytest.raises(ScanError, match=r"goes on 1\d\d\d mm below the nose, as a body does; crop it to the head"):
        normalize(whole.moved(turn, np.array([3.0, 4, 5]), 1 / unit_mm))
    assert normalize(bust.moved(turn, np.array([3.0, 4, 5]), 1 / unit_mm)).quality.score > 0.6


def test_a_wall_behind_and_stray_points_below_are_no_body() -> None:
    wall = trimesh.creation.box([2000, 1500, 2]).subdivide_to_size(60.0).apply_translation([0, 0, -1200])
    stray = trimesh.creation.box([20, 20, 20]).apply_translation([0, -3000, 0])
    quality = normalize(joined(recorded("clean"), wall, stray)).quality
    assert quality.score > 0.6
    assert quality.measures["reach_mm"] < 300


def test_the_reach_is_where_the_lowest_tenth_begins() -> None:
    """Triangles below each other, 100 mm apart, the last of half their area, and a large one off the line."""
    corner = np.array([[0.0, 0, 0], [3, 0, 0], [0, 3, 0]])
    places = [[0, -100 * n, 0] for n in range(1, 11)] + [[900, -1000, 0]]
    corners = np.stack([corner - corner.mean(axis=0) + place for place in places])
    assert reach_below(Around(corners, np.array([1.0] * 9 + [0.5, 10]))) == pytest.approx(900)
    assert reach_below(Around(-corners, np.ones(11))) == 0


@pytest.mark.filterwarnings("ignore:.*brought to millimetres")
def test_the_second_face_is_seen_in_any_unit_and_pose() -> None:
    two = joined(recorded("clean"), away(recorded("clean", 1), 240, 0, 0))
    turn = Rotation.from_euler("yxz", [40, 20, 100], degrees=True).as_matrix()
    for scale in (0.1, 0.001):
        with pytest.raises(ScanError, match="another face is in the scan"):
            normalize(two.moved(turn, np.array([3.0, 4, 5]), scale))


def test_a_camera_that_sees_little_of_one_side_sees_a_face() -> None:
    """Turned by 45 degrees a head hides most of its far half: no half face."""
    study = Study(FaceSource(), subjects=1, sensor="clean", seed=5)
    head = study.record(study.takes()[0]).scan
    turned = head.moved(Rotation.from_euler("y", 45, degrees=True).as_matrix(), np.zeros(3))
    x = recorded("clean").vertices[:, 0]
    assert normalize(turned).quality.score > 0.6
    for left_mm in (-15, -20):
        assert normalize(head.kept(x > left_mm)).quality.measures["right_half"] < 0.45


def test_a_face_of_few_triangles_is_told_to_be_too_coarse() -> None:
    few = trimesh.creation.icosphere(1, 90)
    with pytest.raises(ScanError, match="expected a face of at least 100 vertices, found 42; give a finer scan"):
        normalize(FaceScan(few.vertices, few.faces))


def points() -> str:
    return "\n".join(" ".join(f"{x:.2f}" for x in vertex) for vertex in embedded_face().neutral[::20])


FILES = {
    "points.ply": (
        "ply\nformat ascii 1.0\nelement vertex {n}\nproperty float x\nproperty float y\nproperty float z\n"
        "end_header\n{points}\n",
        "points without a surface; export the scan as a mesh",
    ),
    "empty.obj": ("", "the file is empty; export or copy the scan again"),
    "nan.obj": ("v nan nan nan\n" * 3 + "f 1 2 3\n", "not finite"),
    "text.obj": ("What is this?\n", ""),
}


@pytest.mark.parametrize("name", FILES)
def test_files_without_a_surface_get_a_line_and_no_label(name: str, tiny_model, tmp_path: Path) -> None:
    content, reason = FILES[name]
    cloud = points()
    path = tmp_path / name
    path.write_text(content.format(n=cloud.count("\n") + 1, points=cloud))
    with pytest.raises(ScanError) as caught:
        read_scan(path)
    answer = Recognizer(TorchEncoder(tiny_model)).predict(path)
    assert (answer.label, answer.probabilities, answer.error) == (None, {}, str(caught.value))
    assert answer.error.startswith(str(path))
    assert reason in answer.error
    assert "\n" not in answer.error
