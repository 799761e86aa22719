"""Face models by name: what is refused, what is parsed once, and what comes back from the cache."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from affectvlm.errors import ConfigError, DataError
from affectvlm.synthesis import library
from affectvlm.synthesis.embedded import embedded_face
from affectvlm.synthesis.face_model import FaceModel
from affectvlm.synthesis.library import FaceSource, load_face_model

TURNED = np.array([[0.96, 0.0, 0.28], [0.0, 1.0, 0.0], [-0.28, 0.0, 0.96]], np.float32)
"""16 degrees of yaw."""


def turned_face() -> FaceModel:
    """The embedded face, looking aside, with a change of shape."""
    face = embedded_face()
    return FaceModel(
        "ict-facekit",
        neutral=np.ascontiguousarray(face.neutral @ TURNED.T),
        triangles=face.triangles,
        regions=face.regions,
        landmarks=face.landmarks,
        axes=face.axes[:2] @ TURNED.T,
        axis_names=face.axis_names[:2],
        shapes=face.shapes[:3] @ TURNED.T,
        shape_names=face.shape_names[:3],
        shape_changes={face.axis_names[0]: 0.1 * face.shapes[:3] @ TURNED.T},
        uv=face.uv,
        uv_triangles=face.uv_triangles,
    )


@pytest.fixture
def kit(tmp_path, monkeypatch):
    """A folder of one file that stands for a whole face model, and the list of readings."""
    readings = []

    def read(folder):
        readings.append(folder)
        return turned_face()

    folder = tmp_path / "kit"
    folder.mkdir()
    (folder / "face.obj").write_text("v 0 0 0")
    monkeypatch.setitem(library._READERS, "ict-facekit", (lambda folder: sorted(folder.iterdir()), read))
    monkeypatch.setattr(library, "user_cache_path", lambda name: tmp_path / "cache" / name)
    return folder, readings


def test_the_embedded_face_takes_no_folder():
    assert load_face_model(FaceSource.find("embedded")) is load_face_model(FaceSource())
    with pytest.raises(ConfigError, match="needs no folder, but /kit was given"):
        FaceSource.find("embedded", Path("/kit"))


@pytest.mark.parametrize("name", ["ict-facekit", "makehuman"])
def test_other_face_models_need_their_folder(name, tmp_path):
    with pytest.raises(ConfigError, match=f"{name} is read from its own folder: name it with --from DIR"):
        FaceSource.find(name)
    with pytest.raises(DataError, match=str(tmp_path)):
        FaceSource.find(name, tmp_path)


def test_what_is_loaded_is_what_was_read_turned_upright(kit):
    folder, _ = kit
    model = load_face_model(FaceSource.find("ict-facekit", folder))
    read = turned_face()
    turn = TURNED.T
    for name in ("neutral", "axes", "shapes"):
        np.testing.assert_allclose(getattr(model, name), getattr(read, name) @ turn.T, atol=1e-3)
    (axis,) = read.shape_changes
    np.testing.assert_allclose(model.shape_changes[axis], read.shape_changes[axis] @ turn.T, atol=1e-3)
    for name in ("triangles", "regions", "landmarks", "uv", "uv_triangles"):
        np.testing.assert_array_equal(getattr(model, name), getattr(read, name))
        assert getattr(model, name).dtype == getattr(read, name).dtype
    assert (model.axis_names, model.shape_names, model.name) == (read.axis_names, read.shape_names, "ict-facekit")


def test_the_same_content_is_parsed_once_wherever_it_lies(kit, tmp_path):
    folder, readings = kit
    source = FaceSource.find("ict-facekit", folder)
    assert FaceSource.find("ict-facekit", folder) == source
    folder.rename(tmp_path / "elsewhere")
    assert FaceSource.find("ict-facekit", tmp_path / "elsewhere") == source
    assert len(readings) == 1
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["face.obj"]


def test_other_content_is_parsed_anew(kit):
    folder, readings = kit
    source = FaceSource.find("ict-facekit", folder)
    (folder / "face.obj").write_text("v 0 0 1")
    assert FaceSource.find("ict-facekit", folder) != source
    assert len(readings) == 2


def test_a_source_travels_to_another_process(kit):
    source = FaceSource.find("ict-facekit", kit[0])
    assert pickle.loads(pickle.dumps(source)) == source


def test_nothing_half_parsed_is_kept(kit, monkeypatch, tmp_path):
    folder, _ = kit

    def interrupted(path, **arrays):
        Path(path).write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(library.np, "savez", interrupted)
    with pytest.raises(KeyboardInterrupt):
        FaceSource.find("ict-facekit", folder)
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
