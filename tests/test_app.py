"""The page: the same answers as the library, uploads that stay in their place, a face the right way up."""

import io
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.spatial import cKDTree

pytest.importorskip("streamlit", reason="the app's extra is not installed")
from streamlit import config as streamlit_config
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from affectvlm.app import launch as launching
from affectvlm.app import readiness
from affectvlm.app.face.bars import BAR_PX, INK, LINE_PX, OTHER, TOP, bars
from affectvlm.app.face.display_mesh import DisplayMesh, display_mesh, in_clay, lit, lit_colours
from affectvlm.app.face.mesh_figure import mesh_figure
from affectvlm.app.face.reading import read_face
from affectvlm.app.face.samples import GALLERY, SampleFace
from affectvlm.app.face.thumbnails import SIZE_PX, thumbnail, thumbnails
from affectvlm.app.face.uploads import MAX_FILES, read_upload, safe_name
from affectvlm.app.launch import PAGE, SERVER, SETTINGS, command, launch
from affectvlm.app.models import load_recognizer
from affectvlm.app.read.why import painted_by_importance
from affectvlm.app.settings import FOLDERS, AppSettings
from affectvlm.app.work import Work
from affectvlm.cli import entry
from affectvlm.emotions import EMOTIONS
from affectvlm.errors import ConfigError, ModelError, ScanError
from affectvlm.model import AffectVLM
from affectvlm.model.config import ModelConfig
from affectvlm.recognizer import Recognizer
from affectvlm.recognizer.explanation import view_weights
from affectvlm.recognizer.source import BUNDLED
from affectvlm.scan import FaceScan, normalize
from affectvlm.views import Rig
from app_fixtures import chart, open_page

TINY = ModelConfig(
    image_widths=(8, 8), image_blocks=1, text_width=16, text_layers=1, text_heads=2, embedding_dim=16
)  # fmt: skip


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("app") / "model"
    torch.manual_seed(3)
    AffectVLM.build(TINY, classes=EMOTIONS, rig=Rig(size_px=16)).save(folder)
    return folder


@pytest.fixture(scope="module")
def recognizer(model_folder) -> Recognizer:
    return Recognizer.from_pretrained(model_folder)


@pytest.fixture(scope="module")
def settings(model_folder) -> AppSettings:
    return AppSettings(model=model_folder)


@pytest.fixture
def temporary(tmp_path, monkeypatch) -> Path:
    """The folder in which temporary ones are made, so that a left one is seen."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def textured_obj(scan: FaceScan, picture: Image.Image) -> list[tuple[str, bytes]]:
    """A scan as three files, as a scanner's software writes them."""
    lines = ["mtllib face.obj.mtl", "usemtl skin"]
    lines += [f"v {x:.9g} {y:.9g} {z:.9g}" for x, y, z in scan.vertices]
    lines += [f"vt {u:.5f} {v:.5f}" for u, v in scan.uv]
    corners = zip(scan.triangles + 1, scan.uv_triangles + 1, strict=True)
    lines += ["f " + " ".join(f"{v}/{vt}" for v, vt in zip(*corner, strict=True)) for corner in corners]
    png = io.BytesIO()
    picture.save(png, "PNG")
    return [
        ("face.obj", "\n".join(lines).encode()),
        ("face.obj.mtl", b"newmtl skin\nmap_Kd skin.png\n"),
        ("skin.png", png.getvalue()),
    ]


def square(side: float = 2.0) -> FaceScan:
    """Two triangles in the plane z = 0 under a picture: red left, blue right, green above the middle on the left."""
    corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], np.float32)
    texture = np.array([[[0, 255, 0], [0, 0, 255]], [[255, 0, 0], [0, 0, 255]]], np.uint8)
    triangles = np.array([[0, 1, 2], [0, 2, 3]])
    return FaceScan(corners * side / 2, triangles, (corners[:, :2] + 1) / 2, triangles, texture)


def headings(page: AppTest) -> list[str]:
    return [heading.value for heading in page.subheader]


# The page


def test_a_sample_face_gets_the_library_s_answer(settings, recognizer, monkeypatch):
    page = open_page(settings, monkeypatch)
    assert not page.exception
    assert not page.error
    for emotion, intensity, person in (("happiness", 4, 1), ("anger", 2, 7)):
        page.selectbox(key="read_emotion").set_value(emotion)
        page.select_slider(key="read_intensity").set_value(intensity)
        page.number_input(key="read_person").set_value(person).run()
        views = recognizer.views(SampleFace(emotion, intensity, person).scan())
        expected = recognizer.predict_proba(views)
        shown = chart(page, "answer")
        np.testing.assert_allclose(shown["x"], expected, rtol=0, atol=1e-7)
        assert shown["x"].sum() == pytest.approx(1, abs=1e-12)
        best = int(expected.argmax())
        assert shown["marker"]["color"] == [TOP if row == best else OTHER for row in range(len(EMOTIONS))]
        assert f"Apparent expression: {EMOTIONS[best]}, {100 * expected[best]:.0f} %" in headings(page)
        weights = view_weights(recognizer.encoder, views)
        told = [caption.value for caption in page.caption if "of the answer" in caption.value]
        assert [float(text.split("**")[1].removesuffix(" %")) for text in told] == np.round(100 * weights).tolist()
    assert not page.exception


def test_a_click_in_the_gallery_chooses_a_face(settings, recognizer, monkeypatch):
    page = open_page(settings, monkeypatch)
    assert page.pills(key="read_gallery").value == GALLERY[0]
    assert len(page.pills(key="read_gallery").options) == len(GALLERY)
    fear = next(sample for sample in GALLERY if sample.emotion == "fear")
    page.pills(key="read_gallery").set_value(fear).run()
    np.testing.assert_allclose(chart(page, "answer")["x"], recognizer.predict_proba(fear.scan()), atol=1e-7)
    # The choosers of any other face stand where the gallery does.
    assert page.selectbox(key="read_emotion").value == "fear"
    assert page.number_input(key="read_person").value == fear.person
    # A face that is not in the gallery leaves none of it chosen; one that is let go stays.
    page.number_input(key="read_person").set_value(99).run()
    assert page.pills(key="read_gallery").value is None
    page.pills(key="read_gallery").set_value(fear).run()
    page.pills(key="read_gallery").set_value(None).run()
    assert page.pills(key="read_gallery").value == fear
    assert not page.exception


def test_a_face_that_the_model_is_unsure_of_is_not_named(settings, recognizer, monkeypatch, tmp_path):
    model = AffectVLM.load(settings.model)
    model.unsure_below.fill_(0.97)
    model.save(tmp_path / "model")
    page = open_page(AppSettings(model=tmp_path / "model"), monkeypatch)
    assert not page.exception
    assert "Apparent expression: unsure" in headings(page)
    expected = recognizer.predict_proba(GALLERY[0].scan())
    best = int(expected.argmax())
    (reason,) = [caption.value for caption in page.caption if "not probable enough" in caption.value]
    assert f"{EMOTIONS[best]}, {100 * expected[best]:.0f} %" in reason
    assert reason.endswith("that takes 97 %.")
    np.testing.assert_allclose(chart(page, "answer")["x"], expected, rtol=0, atol=1e-7)


def test_the_views_of_each_map_can_be_seen(settings, monkeypatch):
    page = open_page(settings, monkeypatch)
    for name in ("depth", "normals"):
        page.segmented_control(key="map").set_value(name).run()
        assert not page.exception
        assert [image.proto.imgs[0].alt for image in page.image] == [
            f"{name} of the face, {view}" for view in ("front", "left cheek, +30°", "right cheek, -30°")
        ]


def test_the_face_is_painted_as_asked(settings, recognizer, monkeypatch):
    page = open_page(settings, monkeypatch)
    reading = read_face(recognizer, GALLERY[0].scan)
    explanation = recognizer.explain(reading.views)
    for paint, mesh in (
        ("Shape", in_clay(reading.mesh)),
        ("Importance", painted_by_importance(reading.mesh, reading.views, explanation)),
        ("Colours", lit(reading.mesh)),
    ):
        page.segmented_control(key="read_paint").set_value(paint).run()
        assert not page.exception
        assert chart(page, "face")["vertexcolor"] == list(mesh_figure(mesh).data[0].vertexcolor)


def test_an_upload_gets_the_library_s_answer(settings, recognizer, monkeypatch, temporary):
    face = SampleFace("surprise", 4, 2).scan()
    page = open_page(settings, monkeypatch)
    files = textured_obj(replace(face, vertices=face.vertices / 1000), Image.new("RGB", (4, 4), "#336699"))
    page.file_uploader(key="read_files").set_value([(name, content, "") for name, content in files]).run()
    assert not page.exception
    assert not page.error
    assert "taken to be in metres" in page.info[0].value
    assert str(temporary) not in page.info[0].value
    expected = recognizer.predict_proba(recognizer.views(face))
    np.testing.assert_allclose(chart(page, "answer")["x"], expected, atol=1e-3)
    assert set(chart(page, "face")["vertexcolor"]) == {"#336699"}
    assert list(temporary.iterdir()) == []
    # A sample looked at in between, the visitor goes back to his own scan without dropping it again.
    page.pills(key="read_gallery").set_value(GALLERY[1]).run()
    assert chart(page, "face")["vertexcolor"] != ["#336699"]
    page.button(key="read_back").click().run()
    np.testing.assert_allclose(chart(page, "answer")["x"], expected, atol=1e-3)
    page.file_uploader(key="read_files").set_value([]).run()
    assert page.pills(key="read_gallery").value == GALLERY[0]
    assert not page.exception


def test_a_damaged_upload_gets_one_line(settings, monkeypatch, temporary):
    page = open_page(settings, monkeypatch)
    page.file_uploader(key="read_files").upload("*broken*.obj", b"not a mesh").run()
    assert not page.exception
    (error,) = page.error
    assert error.value.startswith(r"\*broken\*.obj\: expected a mesh with triangles, found none")
    assert list(temporary.iterdir()) == []
    # The way back is still there.
    page.pills(key="read_gallery").set_value(GALLERY[0]).run()
    assert not page.error
    assert chart(page, "answer")


def test_three_visitors_have_one_model_and_each_his_own_face(settings, recognizer, monkeypatch):
    load_recognizer.clear()
    loaded = []
    load = Recognizer.from_pretrained
    monkeypatch.setattr(Recognizer, "from_pretrained", lambda *given: loaded.append(given) or load(*given))
    faces = [GALLERY[1], GALLERY[2], SampleFace("sadness", 2, 12)]
    pages = [open_page(settings, monkeypatch) for _ in faces]
    for page, face in zip(pages[:2], faces[:2], strict=True):
        page.pills(key="read_gallery").set_value(face).run()
    obj = textured_obj(faces[2].scan(), Image.new("RGB", (2, 2)))
    pages[2].file_uploader(key="read_files").set_value([(name, content, "") for name, content in obj]).run()
    for page in reversed(pages):
        page.run()
    for page, face in zip(pages, faces, strict=True):
        assert not page.exception
        np.testing.assert_allclose(chart(page, "answer")["x"], recognizer.predict_proba(face.scan()), atol=1e-3)
        assert ("face.obj" in " ".join(caption.value for caption in page.caption)) == (page is pages[2])
    assert loaded == [(settings.model,)]


def test_the_notice_is_shown_until_it_is_accepted_and_when_asked_for(settings, monkeypatch):
    page = open_page(settings, monkeypatch)
    said = " ".join(warning.value for warning in page.warning)
    for use in ("hiring", "work", "school", "policing", "diagnosis", "lie detection"):
        assert use in said
    page.segmented_control(key="map").set_value("normals").run()
    assert page.warning
    page.button(key="notice_accept").click().run()
    page.run()
    assert not page.warning
    page.button(key="about").click().run()
    assert page.warning
    assert not page.exception


def test_who_comes_before_the_page_is_ready_reads_the_notice_meanwhile(settings, recognizer, monkeypatch):
    reading = threading.Event()

    def read(recognizer, load):
        assert reading.wait(60)
        return read_face(recognizer, load)

    def wait(work, seconds=None):
        reading.set()
        Work.wait(work, seconds)

    monkeypatch.setattr(readiness, "read_face", read)
    readiness.getting_ready.clear()
    page = open_page(settings, monkeypatch, wait=False)
    work = readiness.getting_ready(settings.model)
    monkeypatch.setattr(work, "wait", partial(wait, work))
    assert page.warning
    assert headings(page) == []  # nothing behind the notice that would keep it open
    page.button(key="notice_accept").click().run()
    assert not page.warning
    assert headings(page)
    assert readiness.HINT not in [caption.value for caption in page.caption]
    assert (work.running, work.error, work.failure) == (False, None, None)


def test_a_missing_model_gets_one_line_in_terminal_and_page(tmp_path, monkeypatch):
    with pytest.raises(ModelError, match=r"expected a trained model, found no config\.json") as raised:
        launch(AppSettings(model=tmp_path / "nothing"))
    page = open_page(AppSettings(model=tmp_path / "nothing"), monkeypatch)
    assert not page.exception
    assert page.error[0].value.replace("\\", "") == str(raised.value)


def test_the_page_says_how_it_is_started(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["page.py"])
    page = AppTest.from_file(str(PAGE), default_timeout=60).run()
    assert "affectvlm app" in page.error[0].value
    assert not page.exception


def test_without_a_model_named_the_page_has_the_one_that_comes_along(monkeypatch):
    started = []

    def start(line):
        started.append(line)
        return Server(line)

    monkeypatch.setattr(launching.subprocess, "Popen", start)
    assert CliRunner().invoke(entry.app, ["app"]).exit_code == 0
    (line,) = started
    settings = AppSettings(model=BUNDLED)
    assert line == command(settings, None, browser=True)
    page = open_page(settings, monkeypatch)
    assert any(caption.value.startswith("Model: the one that comes along") for caption in page.caption)
    assert "Apparent expression: happiness" in headings(page)[0]


# Uploads


@pytest.mark.parametrize(
    ("given", "safe"),
    [
        ("james.obj", "james.obj"),
        ("../../x.obj", "x.obj"),
        ("/etc/passwd", "passwd"),
        ("C:\\scans\\Gesicht ä.obj", "Gesicht ä.obj"),
        ("C:x.obj", "Cx.obj"),
        ("..", "unnamed"),
        ("", "unnamed"),
        ("a\x00b\n.ply", "ab.ply"),
        ("\ud800.obj", "obj"),
        ("e" * 300 + ".obj", "e" * 40 + ".obj"),
    ],
)
def test_names_are_reduced_to_safe_ones(given, safe, tmp_path):
    assert safe_name(given) == safe
    (tmp_path / safe).write_bytes(b"")  # can be written, and lies in its folder
    assert [path.name for path in tmp_path.iterdir()] == [safe]


def test_an_upload_never_leaves_its_folder(temporary, tmp_path):
    face = SampleFace("fear", 2, 1).scan()
    files = textured_obj(face, Image.new("RGB", (2, 2), "red"))
    before = sorted(tmp_path.rglob("*"))
    scan = read_upload([(f"../../{name}", content) for name, content in files])
    assert scan.source == "face.obj"
    assert len(scan.triangles) == len(face.triangles)
    assert scan.texture is not None
    assert (scan.texture == [255, 0, 0]).all()
    assert sorted(tmp_path.rglob("*")) == before


def test_a_missing_picture_is_named_without_the_folder(temporary):
    mesh, material, _ = textured_obj(SampleFace("fear", 2, 1).scan(), Image.new("RGB", (2, 2)))
    with pytest.warns(UserWarning, match=r"^face\.obj: skin\.png is not in the scan's folder"):
        assert read_upload([material, mesh]).texture is None


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([("a.png", b"x"), ("b.mtl", b"")], r"found only a\.png, b\.mtl"),
        ([("a.obj", b"x"), ("b.ply", b"y")], r"expected one scan, found 2: a\.obj, b\.ply"),
        ([("1/a.obj", b"x"), ("2/a.obj", b"y")], r"^a\.obj: two different files"),
        ([("a.obj", b"")], r"^a\.obj: the file is empty"),
        ([("a.glb", b"glTF garbage")], r"^a\.glb: expected a GLB mesh"),
    ],
)
def test_what_cannot_be_read_is_said(files, message, temporary):
    with pytest.raises(ScanError, match=message) as raised:
        read_upload(files)
    assert str(temporary) not in str(raised.value)
    assert "\n" not in str(raised.value)
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.obj", b""),
        ("a.obj", b"not a mesh"),
        ("a.ply", b"ply\nformat ascii 1.0\nend_header\n"),
        ("a.stl", b"solid x\nendsolid x\n"),
        ("a.off", b"OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 7\n"),
        ("a.glb", b"glTF garbage"),
        ("a.wrl", b"#VRML V2.0 utf8\n"),
        ("a.bnt", b"\x00\x01"),
        ("a.abs", b"2 rows\n2 columns\n"),
        ("a.npz", b"PK"),
        ("a.obj", b"v 0 0 0\nv 100 0 0\nv 0 100 0\nf 1 2 3\n"),
    ],
)
def test_a_bad_file_gets_the_words_of_the_command_line(
    name, content, settings, recognizer, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(content)
    monkeypatch.setattr(sys, "argv", ["affectvlm", "predict", name, "--model", str(settings.model), "--format", "json"])
    with pytest.raises(SystemExit) as ended:
        entry.main()
    assert ended.value.code == 1
    with pytest.raises(ScanError) as raised:
        read_face(recognizer, lambda: read_upload([(name, content)]))
    assert f"error: {raised.value}" in capsys.readouterr().err.splitlines()


def test_too_much_at_once_is_refused(monkeypatch):
    with pytest.raises(ScanError, match=f"at most {MAX_FILES} files, found {MAX_FILES + 1}; drop one scan at a time"):
        read_upload([(f"{number}.png", b"") for number in range(MAX_FILES + 1)])
    monkeypatch.setattr("affectvlm.app.face.uploads.MAX_UPLOAD_MB", 2)
    with pytest.raises(ScanError, match="at most 2 MB in all, found 3 MB"):
        read_upload([("a.obj", bytes(2 * 2**20)), ("a.png", bytes(2**20))])


def test_notes_are_what_the_user_can_use(recognizer):
    face = SampleFace("sadness", 3, 4).scan()
    assert read_face(recognizer, lambda: face).notes == ()
    (note,) = read_face(recognizer, lambda: replace(face, vertices=face.vertices / 10)).notes
    assert "centimetres" in note


def test_a_sample_is_the_same_each_time():
    first, again = SampleFace("disgust", 2, 5).scan(), SampleFace("disgust", 2, 5).scan()
    assert np.array_equal(first.vertices, again.vertices)
    assert not np.array_equal(first.vertices, SampleFace("disgust", 2, 6).scan().vertices)


# The face in 3D


def test_a_coarse_mesh_is_divided_for_its_picture():
    mesh = display_mesh(square(), most=2 * 4**3)
    assert len(mesh.triangles) == 128
    assert len(mesh.vertices) == 81  # a grid of 9 x 9: middles are shared
    a, b, c = mesh.vertices[mesh.triangles].transpose(1, 0, 2)
    normals = np.cross(b - a, c - a) / 2
    np.testing.assert_allclose(normals, [[0, 0, 4 / 128]] * 128, atol=1e-7)
    for place, colour in {(-0.5, -0.5): (255, 0, 0), (0.5, 0.25): (0, 0, 255), (-0.5, 0.75): (0, 255, 0)}.items():
        (vertex,) = np.flatnonzero((mesh.vertices[:, :2] == place).all(axis=1))
        assert tuple(mesh.colours[vertex]) == colour


@pytest.mark.parametrize("most", [1000, 5000])
def test_a_dense_mesh_is_thinned(most):
    face = normalize(SampleFace("happiness", 4, 1).scan()).face
    mesh = display_mesh(face, most)
    assert most / 2 < len(mesh.triangles) <= most
    assert mesh.triangles.max() < len(mesh.vertices)
    distance, _ = cKDTree(mesh.vertices).query(face.vertices)
    assert distance.max() < 2.5 * np.sqrt(60_000 / most)  # about the grid's step on a face of 600 cm²
    corners = mesh.vertices[mesh.triangles]
    assert np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2].sum() > 0


def test_a_mesh_within_the_limit_keeps_its_triangles():
    face = normalize(SampleFace("happiness", 4, 1).scan()).face
    mesh = display_mesh(face)
    assert np.array_equal(mesh.triangles, face.triangles)
    assert np.array_equal(mesh.vertices, face.vertices)


def test_clay_is_lit_from_above_even_inside_out():
    plate = np.array([[-1, 0, -1], [1, 0, -1], [1, 1, -2], [-1, 1, -2], [1, -1, -2], [-1, -1, -2]], np.float32)
    up, down = [[0, 1, 2], [0, 2, 3]], [[1, 0, 5], [1, 5, 4]]
    roof = FaceScan(plate, np.array(up + down))
    above, below = display_mesh(roof).colours[2].sum(), display_mesh(roof).colours[5].sum()
    assert above > below + 60
    turned = replace(roof, triangles=roof.triangles[:, ::-1])
    assert np.array_equal(display_mesh(turned).colours, display_mesh(roof).colours)


def test_the_figure_faces_the_front_with_y_up():
    mesh = DisplayMesh(square(50).vertices, square().triangles, np.array([[1, 2, 255]] * 4, np.uint8))
    figure = mesh_figure(mesh)
    (surface,), scene = figure.data, figure.layout.scene
    assert scene.camera.up.to_plotly_json() == {"x": 0, "y": 1, "z": 0}
    assert (scene.camera.eye.x, scene.camera.eye.y) == (0, 0)
    assert scene.camera.eye.z > 0
    spans = {axis.range[1] - axis.range[0] for axis in (scene.xaxis, scene.yaxis, scene.zaxis)}
    aspect = scene.aspectratio
    assert spans == {200}
    assert aspect.x == aspect.y == aspect.z  # one millimetre is as long on each axis
    assert np.array_equal(np.c_[surface.x, surface.y, surface.z], mesh.vertices)
    assert np.array_equal(np.c_[surface.i, surface.j, surface.k], mesh.triangles)
    assert set(surface.vertexcolor) == {"#0102ff"}


def test_light_darkens_what_the_clay_turns_away():
    skin = np.array([[200, 100, 50]], np.uint8)
    assert lit_colours(skin, np.full((1, 3), 255, np.uint8)).tolist() == [[250, 125, 62]]
    assert lit_colours(skin, np.full((1, 3), 51, np.uint8)).tolist() == [[50, 25, 12]]
    face = normalize(GALLERY[0].scan()).face
    mesh = display_mesh(face)
    clay = in_clay(mesh)
    assert np.array_equal(clay.colours, display_mesh(replace(face, texture=None)).colours)
    assert np.array_equal(lit(mesh).colours, lit_colours(mesh.colours, clay.colours))


def test_thumbnails_show_each_sample_on_a_clear_ground():
    picture = thumbnail(GALLERY[0].scan())
    assert (picture.mode, picture.size) == ("RGBA", (SIZE_PX, SIZE_PX))
    clear = np.asarray(picture)[..., 3]
    assert set(np.unique(clear)) == {0, 255}
    assert clear[SIZE_PX // 2, SIZE_PX // 2] == 255  # the face fills the middle, and no corner
    assert clear[0, 0] == clear[0, -1] == 0
    first, second = thumbnails(GALLERY[:2])
    assert first != second
    assert first.startswith("data:image/webp;base64,")
    assert len({sample.person for sample in GALLERY}) == len(GALLERY)


# The bars


def test_bars_keep_order_and_text():
    figure = bars(["a", "<b>same</b>", "<b>same</b>", "w " * 30], np.array([0.1, 0.2, 0.6, 0.1]), INK["dark"])
    ground, bar = figure.data
    top, bottom = figure.layout.yaxis.range[1], figure.layout.yaxis.range[0]
    assert (top, bottom) == (0, figure.layout.height)  # a unit is a pixel, and the first bar is on top
    assert (np.diff(bar.y) > 0).all()
    assert np.array_equal(ground.y, bar.y)
    assert figure.layout.font.color == INK["dark"]
    assert bar.marker.color == (OTHER, OTHER, TOP, OTHER)
    words, numbers = figure.layout.annotations[::2], figure.layout.annotations[1::2]
    assert [note.text for note in numbers] == ["10 %", "20 %", "60 %", "10 %"]
    assert words[1].text == "&lt;b&gt;same&lt;/b&gt;"
    assert words[3].text.count("<br>") == 1
    # A label of two lines does not reach the bar above it.
    assert words[3].y - 2 * LINE_PX >= bar.y[2] + BAR_PX / 2


# The start


def test_the_server_is_private_and_offline(tmp_path):
    settings = AppSettings(model=tmp_path, runs=tmp_path / "runs")
    line = command(settings, 8765, browser=False)
    assert line[:5] == [sys.executable, "-m", "streamlit", "run", str(SERVER)]
    assert line[-2] == "--"
    assert AppSettings.model_validate_json(line[-1]) == settings
    flags = dict(zip(line[5:-2:2], line[6:-2:2], strict=True))
    assert flags["--server.address"] == "127.0.0.1"
    assert flags["--server.port"] == "8765"
    assert flags["--browser.gatherUsageStats"] == "false"
    assert flags["--server.headless"] == "true"
    assert "--server.headless" not in command(settings, None, browser=True)
    for name in SETTINGS:
        streamlit_config.get_option(name)  # raises where Streamlit has no such setting


def test_behind_a_web_server_the_page_knows_its_address(settings):
    line = command(settings, 8765, browser=False, public_url="https://lab.example.org/faces/")
    flags = list(zip(line[5:-2:2], line[6:-2:2], strict=True))
    assert [value for name, value in flags if name == "--server.allowedHosts"] == [
        "127.0.0.1",
        "localhost",
        "lab.example.org",
    ]
    told = dict(flags)
    assert told["--server.address"] == "127.0.0.1"
    assert told["--server.baseUrlPath"] == "faces"
    assert told["--browser.serverAddress"] == "lab.example.org"
    assert told["--browser.serverPort"] == "443"
    for address in (
        "lab.example.org",
        "ftp://lab.example.org",
        "https://",
        "https://a/?b",
        "https://a:b",
        "https://u@a",
    ):
        with pytest.raises(ConfigError, match="--public-url: expected an address such as https://lab"):
            command(settings, 8765, browser=False, public_url=address)


@pytest.mark.parametrize("name", FOLDERS)
def test_a_missing_folder_is_said_before_the_server_starts(name, settings, tmp_path, monkeypatch):
    monkeypatch.setattr(launching.subprocess, "Popen", None)
    line = f"--{name}: expected a folder, found nothing at {tmp_path}/none; name one that is there"
    result = CliRunner().invoke(entry.app, ["app", "--model", str(settings.model), f"--{name}", str(tmp_path / "none")])
    assert isinstance(result.exception, ConfigError)
    assert str(result.exception) == line
    (tmp_path / "none").write_text("")
    with pytest.raises(ConfigError, match=f"--{name}: expected a folder, found a file at"):
        launch(settings.model_copy(update={name: tmp_path / "none"}))


def test_a_taken_port_is_said(model_folder, monkeypatch):
    def taken(self, address):
        raise OSError("Address already in use")

    monkeypatch.setattr(launching.socket.socket, "bind", taken)
    with pytest.raises(ConfigError, match=r"port 8765 \(Address already in use\); choose another with --port"):
        launch(AppSettings(model=model_folder), port=8765)


def test_a_missing_extra_is_said(model_folder, monkeypatch):
    monkeypatch.setattr(launching.importlib.util, "find_spec", lambda name: None if name == "plotly" else object())
    with pytest.raises(ConfigError, match=r"needs plotly; install with `pip install 'affectvlm\[app\]'`"):
        launch(AppSettings(model=model_folder))


class Server:
    """Stands for the server's process."""

    def __init__(self, line: list[str], stubborn: bool = False) -> None:
        self.line, self.stubborn = line, stubborn
        self.status: int | None = None
        self.calls: list[str] = []

    def wait(self, timeout: float | None = None) -> int:
        if timeout is None and self.status is None:
            raise KeyboardInterrupt
        if self.status is None:
            raise subprocess.TimeoutExpired(self.line, timeout or 0)
        return self.status

    def poll(self) -> int | None:
        return self.status

    def terminate(self) -> None:
        self.calls.append("terminate")
        self.status = None if self.stubborn else -15

    def kill(self) -> None:
        self.calls.append("kill")
        self.status = -9


@pytest.mark.parametrize(("stubborn", "calls"), [(False, ["terminate"]), (True, ["terminate", "kill"])])
def test_ctrl_c_ends_the_server(model_folder, monkeypatch, stubborn, calls):
    started = []

    def start(line):
        started.append(Server(line, stubborn))
        return started[0]

    monkeypatch.setattr(launching.subprocess, "Popen", start)
    before = signal.getsignal(signal.SIGTERM)
    assert launch(AppSettings(model=model_folder)) == 0
    assert signal.getsignal(signal.SIGTERM) is before
    assert started[0].calls == calls
    assert started[0].line == command(AppSettings(model=model_folder), None, browser=True)
