from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import trimesh

from affectvlm.errors import ScanError
from affectvlm.scan import FaceScan, normalize
from affectvlm.scan.clean import Cleaning
from affectvlm.scan.quality import CELLS, SCALES, front_depth, judge
from affectvlm.synthesis import FaceSource
from affectvlm.synthesis.generate import Study

FAULTLESS = Cleaning(spikes=0, filled=0, left=0, noise_mm=0.1, spacing_mm=1.0)
SENSORS = ("clean", "structured-light", "depth-camera", "phone")


def wall(left: float, right: float, bottom: float, top: float) -> FaceScan:
    """A rectangle that faces +z."""
    return FaceScan([[left, bottom, 0], [right, bottom, 0], [right, top, 0], [left, top, 0]], [[0, 1, 2], [0, 2, 3]])


@cache
def scans(sensor: str) -> list[FaceScan]:
    study = Study(FaceSource(), subjects=3, sensor=sensor, seed=8)
    return [study.record(take).scan for take in study.takes()[::13]]


def test_the_front_view_is_exact_on_a_slope_and_keeps_what_is_nearest() -> None:
    slope = wall(-71, 71, -71, 71)
    slope = replace(
        slope, vertices=slope.vertices + np.column_stack([np.zeros((4, 2)), slope.vertices @ [0.3, -0.2, 0]])
    )
    behind = wall(-300, 300, -300, 300).moved(np.eye(3), np.array([0, 0, -90]))
    both = FaceScan(
        np.concatenate([behind.vertices, slope.vertices]), np.concatenate([behind.triangles, slope.triangles + 4])
    )
    x = (np.arange(CELLS) + 0.5 - CELLS / 2) * 4
    y = -x[:, None]
    expected = np.where((np.abs(x) < 71) & (np.abs(y) < 71), 0.3 * x - 0.2 * y, -90)
    np.testing.assert_allclose(front_depth(both.vertices, both.triangles), expected, atol=1e-3)
    assert np.isnan(front_depth(slope.vertices, slope.triangles)[0]).all()


@pytest.mark.parametrize(
    ("seen", "shares"),
    [
        ((-200, 200, -200, 200), {"left_half": 1, "right_half": 1, "eyes": 1, "nose": 1, "mouth": 1}),
        ((0, 200, -200, 200), {"left_half": 1, "right_half": 0, "eyes": 0.5, "nose": 0.5, "mouth": 0.5}),
        ((-200, 0, -200, 200), {"left_half": 0, "right_half": 1, "eyes": 0.5, "nose": 0.5, "mouth": 0.5}),
        ((-200, 200, -20, 200), {"eyes": 1, "nose": 1, "mouth": 0}),
        ((-200, 200, -200, 16), {"eyes": 0, "mouth": 1}),
    ],
)
def test_shares_are_those_of_what_is_seen(seen, shares) -> None:
    rectangle = wall(*seen)
    measures = judge(rectangle, FAULTLESS, misfit=0.2, other=1.0, reach_mm=0).measures
    for name, share in shares.items():
        assert measures[name] == pytest.approx(share, abs=0.051), name


def test_the_score_is_the_worst_measures_and_every_bad_one_is_a_reason() -> None:
    whole = normalize(scans("clean")[0]).face
    assert judge(whole, FAULTLESS, 0.2, 1.0, 0).score == 1
    assert judge(whole, FAULTLESS, 0.2, 1.0, 0).reasons == ()
    coarse = judge(whole, replace(FAULTLESS, spacing_mm=9.0), 0.2, 1.0, 0)
    worst, best = SCALES["spacing_mm"]
    assert coarse.score == pytest.approx((9 - worst) / (best - worst))
    assert coarse.reasons == ("too coarse: 9.0 mm between vertices",)
    half = judge(whole.kept(whole.vertices[:, 0] < 0), replace(FAULTLESS, spacing_mm=9.0, left=12), 0.2, 1.0, 0)
    assert half.score == 0
    assert half.reasons[0] == "100% of the face is missing on the subject's left"
    assert "too coarse: 9.0 mm between vertices" in half.reasons
    flat = judge(wall(-200, 200, -200, 200), FAULTLESS, 0.2, 1.0, 0)
    assert flat.score == 0
    assert flat.reasons[0] == "flat nose: its tip stands 0 mm before its bridge"


@pytest.mark.parametrize(("bridge_mm", "score"), [(9.4, 1.0), (7.0, 0.5), (4.0, 0.0)])
def test_a_flat_nose_is_no_fault_while_there_is_one(bridge_mm: float, score: float) -> None:
    for scan in scans("clean"):
        whole = normalize(scan)
        depth = bridge_mm / whole.quality.measures["bridge_mm"]
        flat = replace(whole.face, vertices=whole.face.vertices * np.float32([1, 1, depth]))
        quality = judge(flat, FAULTLESS, misfit=0.2, other=1.0, reach_mm=0)
        assert quality.score == pytest.approx(score, abs=1e-4), quality
        assert all("flat nose" in reason or "shallow bridge" in reason for reason in quality.reasons)


def test_another_face_is_a_reason_and_shoulders_are_none() -> None:
    whole = normalize(scans("clean")[0]).face
    assert judge(whole, FAULTLESS, 0.2, 0.7, 0).score == 1
    two = judge(whole, FAULTLESS, 0.2, 0.55, 0)
    assert (two.score, two.reasons) == (0, ("another face is in the scan; crop it to one head",))


@pytest.mark.parametrize("sensor", SENSORS)
def test_valid_scans_are_kept(sensor: str) -> None:
    for scan in scans(sensor):
        quality = normalize(scan).quality
        assert quality.score > 0.5, quality


def test_the_same_scan_is_judged_the_same() -> None:
    assert normalize(scans("phone")[0]).quality == normalize(scans("phone")[0]).quality


def refusal(scan: FaceScan) -> str:
    with pytest.raises(ScanError) as caught:
        normalize(replace(scan, source="it"))
    message = str(caught.value)
    assert message.startswith("it: ")
    assert "\n" not in message
    return message


@pytest.mark.parametrize("sensor", SENSORS)
def test_parts_of_a_face_and_two_faces_are_refused(sensor: str) -> None:
    scan, other = scans(sensor)[:2]
    place = normalize(scan).pose
    own = (scan.vertices - place.nose) @ place.rotation
    refusal(scan.kept(own[:, 0] > 0))
    refusal(scan.kept(own[:, 0] < 0))
    assert "of the mouth's region is missing" in refusal(scan.kept(own[:, 1] > -15))
    beside = other.vertices + np.float32([185, 0, 0])
    pair = FaceScan(
        np.concatenate([scan.vertices, beside]), np.concatenate([scan.triangles, other.triangles + len(scan.vertices)])
    )
    assert "another face is in the scan; crop it to one head" in refusal(pair)


def hand() -> trimesh.Trimesh:
    parts = [trimesh.creation.box([85, 95, 28])]
    for finger in range(5):
        tube = trimesh.creation.capsule(86 - 8 * abs(2 - finger), 9)
        tube.apply_transform(trimesh.transformations.rotation_matrix(-np.pi / 2, [1, 0, 0]))
        tube.apply_translation([18 * finger - 36, 50, 0])
        parts.append(tube)
    return trimesh.util.concatenate(parts)


def bodies() -> dict[str, trimesh.Trimesh]:
    torso = trimesh.creation.icosphere(4, 1)
    torso.apply_scale([200, 300, 120])
    tube = trimesh.creation.cylinder(80, 240, sections=48)
    tube.apply_transform(trimesh.transformations.rotation_matrix(np.pi / 2, [1, 0, 0]))
    return {"torso": torso, "cylinder": tube, "hand": hand(), "plane": trimesh.creation.box([200, 240, 1])}


@pytest.mark.parametrize("name", ["torso", "cylinder", "hand", "plane"])
def test_other_things_are_refused(name: str) -> None:
    body = bodies()[name]
    while len(body.vertices) < 3000:
        body = body.subdivide()
    refusal(FaceScan(body.vertices, body.faces))
