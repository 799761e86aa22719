"""Scans are read and brought upright by several threads at a time: what comes out, and is warned of, is as from one."""

import shutil
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from affectvlm.recognizer import Recognizer, recognizer
from affectvlm.recognizer.torch_encoder import TorchEncoder
from affectvlm.scan import FaceScan, face_mask, normalize, read_scan, write_scan
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


def test_threads_read_what_one_reads(heads, tmp_path):
    files = [
        tmp_path / f"{number}.{kind}" for number in range(3) for kind in ("obj", "stl", "off", "glb", "ply", "wrl")
    ]
    for file in files:
        head = heads[int(file.stem)]
        if file.suffix in (".obj", ".ply", ".wrl"):
            write_scan(file, head)
        else:
            trimesh.Trimesh(head.vertices, head.triangles, process=False).export(file)
    alone = [read_scan(file) for file in files]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(read_scan, files * 2))
    for one, other in zip(alone * 2, together, strict=True):
        np.testing.assert_array_equal(one.vertices, other.vertices)
        np.testing.assert_array_equal(one.triangles, other.triangles)
        assert one.source == other.source


def test_a_warning_of_each_scan_gets_out_of_the_threads_and_nothing_stays_switched(
    heads, tiny_model, tmp_path, monkeypatch
):
    files = [tmp_path / f"{number}.obj" for number in range(12)]
    write_scan(files[0], FaceScan(heads[0].vertices / 1000, heads[0].triangles))
    for file in files[1:]:
        shutil.copy(files[0], file)
    monkeypatch.setattr(recognizer, "WORKERS", 4)
    log = trimesh.util.log
    with warnings.catch_warnings(record=True) as told:  # by this thread, before the others start and after they end
        warnings.simplefilter("always")
        before = list(warnings.filters), warnings.showwarning, log.disabled, log.level, list(log.filters), np.geterr()
        answers = Recognizer(TorchEncoder(tiny_model)).predict(files)
        after = list(warnings.filters), warnings.showwarning, log.disabled, log.level, list(log.filters), np.geterr()
    assert after == before
    assert not any(answer.error for answer in answers)
    expected = [f"{file}: taken to be in metres, and brought to millimetres" for file in files]
    assert sorted(str(warning.message) for warning in told) == sorted(expected)


@pytest.mark.filterwarnings("error")
def test_trimesh_is_kept_quiet_where_we_call_it_and_nowhere_else(heads, tmp_path, monkeypatch, caplog):
    file = tmp_path / "head.obj"
    write_scan(file, heads[0])
    load, log = trimesh.load_scene, trimesh.util.log

    def noisy(*given, **named):
        log.error("of ours")
        np.float64(1) / np.float64(0)
        other = threading.Thread(target=log.error, args=["of another's"])
        other.start()
        other.join()
        return load(*given, **named)

    monkeypatch.setattr(trimesh, "load_scene", noisy)
    read_scan(file)
    log.error("afterwards")
    assert caplog.messages == ["of another's", "afterwards"]


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
