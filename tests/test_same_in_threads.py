"""Scans are brought upright by several threads at a time: what comes out is the same as from one."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from affectvlm.scan import FaceScan, face_mask, normalize
from affectvlm.scan.normalize import SMALLEST_PIECE
from affectvlm.synthesis.embedded import embedded_face


@pytest.fixture(scope="module")
def heads():
    model = embedded_face()
    turns = Rotation.from_euler("yxz", [[0, 0, 0], [25, -10, 5], [-40, 15, -20]], degrees=True).as_matrix()
    return [FaceScan(model.neutral @ turn.T, model.triangles) for turn in turns]


def test_threads_give_bit_for_bit_what_one_gives_and_so_does_a_second_time(heads):
    alone = [normalize(head) for head in heads]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(normalize, heads * 2))
    for one, other in zip(alone * 2, together, strict=True):
        np.testing.assert_array_equal(one.face.vertices, other.face.vertices)
        np.testing.assert_array_equal(one.face.triangles, other.face.triangles)
        assert one.quality == other.quality


def test_what_is_near_counts_without_small_pieces_and_what_no_triangle_uses():
    rows = np.arange(150)
    strip = np.stack([rows // 2, rows % 2, np.zeros(150)], axis=1).astype(np.float32)
    triangles = np.stack([rows[:-2], rows[1:-1], rows[2:]], axis=1)
    loose = np.array([[5, 5, 0], [6, 5, 0], [5, 6, 0]], np.float32)  # 3 of 153 are less than 2 %
    unused, far = np.array([[1, 3, 0]], np.float32), np.array([[500, 0, 0]], np.float32)
    vertices = np.concatenate([strip, loose, unused, far])
    scan = FaceScan(vertices, np.concatenate([triangles, [[150, 151, 152]], [[0, 1, 154]]]))
    assert SMALLEST_PIECE * 153 > 3
    assert face_mask(scan, np.zeros(3), 100.0).tolist() == [True] * 150 + [False] * 5
