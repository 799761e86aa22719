"""A face that is followed: where it was tells where to look for it, and no more than that."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from affectvlm.errors import ScanError
from affectvlm.recognizer.following import ANEW, Following
from affectvlm.scan import FaceScan, Pose, normalize
from affectvlm.synthesis.generate import Study
from affectvlm.synthesis.library import FaceSource

POSES = [Pose(np.eye(3), np.full(3, float(number))) for number in range(4 * ANEW)]


def known_before(frames: list[int | None]) -> list[int | None]:
    """Follow frames, None for one without a face: give each frame's number that it was said to be near to."""
    told: list[int | None] = []

    def look(frame, near):
        told.append(None if near is None else int(near.nose[0]))
        if frame is None:
            raise ScanError("no face")
        return f"views {frame}", POSES[frame]

    follow = Following(look)
    for frame in frames:
        if frame is None:
            with pytest.raises(ScanError):
                follow(frame)
        else:
            assert follow(frame) == f"views {frame}"
    return told


def test_each_frame_is_near_to_the_one_before() -> None:
    assert known_before([0, 1, 2, 3]) == [None, 0, 1, 2]


def test_after_a_frame_without_a_face_it_is_looked_for_everywhere() -> None:
    assert known_before([0, 1, None, 3, 4]) == [None, 0, 1, None, 3]


def test_no_pose_is_followed_for_ever() -> None:
    told = known_before(list(range(3 * ANEW)))
    assert [number for number, near in enumerate(told) if near is None] == [0, ANEW, 2 * ANEW]
    told = known_before([0, 1, None, *range(3, 3 + 2 * ANEW)])
    assert [number for number, near in enumerate(told) if near is None] == [0, 3, 3 + ANEW]


@pytest.fixture(scope="module")
def scan() -> FaceScan:
    study = Study(FaceSource(), subjects=1, sensor="depth-camera", seed=3)
    return study.record(study.takes()[3]).scan


def test_the_face_is_found_where_it_was_as_well_as_by_search(scan: FaceScan) -> None:
    """A head that turns by 8 degrees and moves by 8 mm from frame to frame."""
    before = None
    for step in range(5):
        turn = Rotation.from_euler("yxz", [8 * step, -4 * step, 3 * step], degrees=True).as_matrix()
        frame = scan.moved(turn, np.array([6.0, -4, 4]) * step)
        searched = normalize(frame).pose
        if before is not None:
            followed = normalize(frame, near=before).pose
            assert np.degrees(Rotation.from_matrix(searched.rotation.T @ followed.rotation).magnitude()) < 0.5
            assert np.linalg.norm(searched.nose - followed.nose) < 0.5
            assert followed.misfit == pytest.approx(searched.misfit, abs=0.01)
        before = searched


@pytest.mark.parametrize(
    "wrong",
    [
        Pose(np.diag([-1.0, -1, 1]), np.zeros(3), misfit=0.3),  # upside down
        Pose(np.eye(3), np.array([0.0, 300, 0]), misfit=0.3),
        Pose(np.eye(3), np.zeros(3), "metres", misfit=0.3),
    ],
)
def test_where_it_is_not_it_is_searched_for_as_without(scan: FaceScan, wrong: Pose) -> None:
    alone, told = normalize(scan).pose, normalize(scan, near=wrong).pose
    np.testing.assert_array_equal(told.rotation, alone.rotation)
    np.testing.assert_array_equal(told.nose, alone.nose)
