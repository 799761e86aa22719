"""A made-up study on disk: named and numbered as the data sets are, labelled, resumable, the same for the same seed."""

import hashlib
import json
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import affectvlm
from affectvlm.emotions import EMOTIONS
from affectvlm.errors import DataError
from affectvlm.scan import read_scan
from affectvlm.scan.range_image import RangeImage
from affectvlm.synthesis import tree
from affectvlm.synthesis.action_units import ACTION_UNITS, UNIT_INDEX, action_strengths
from affectvlm.synthesis.face_model import FaceModel
from affectvlm.synthesis.generate import BU4DFE_FOLDERS, Recording, Study, Subject, Take
from affectvlm.synthesis.labels import facs_grades
from affectvlm.synthesis.library import FaceSource, load_face_model
from affectvlm.synthesis.sensors import ideal_grid
from affectvlm.synthesis.tree import write_tree

UNITS = [f"{unit}_{side}" for unit in ACTION_UNITS for side in "LR"]


@dataclass
class SmallStudy:
    """What a study gives, on a sheet of 900 vertices instead of a face: four frames of each emotion."""

    source: FaceSource = field(default_factory=FaceSource)
    protocol: str = "bu4dfe"
    subjects: int = 2
    sensor: str = "phone"
    seed: int = 0
    variety: float = 1.0
    fps: float = 25.0
    textured: bool = True
    capture: Path | None = None
    lenders: tuple[FaceSource, ...] = ()
    fails_at: int | None = None
    recorded: list[str] = field(default_factory=list)

    @property
    def people(self):
        known = ({"sex": "female", "age": "young"}, {"sex": "male", "ancestry": "asian"})
        return [Subject(n, f"{'FM'[n % 2]}{n // 2 + 1:03d}", known[n % 2]) for n in range(self.subjects)]

    def takes(self):
        return [
            Take(f"{person.name}/{BU4DFE_FOLDERS[emotion]}/{frame:03d}", person, emotion, frame=frame)
            for person in self.people
            for emotion in EMOTIONS
            for frame in range(4)
        ]

    def record(self, take):
        if len(self.recorded) == self.fails_at:
            raise KeyboardInterrupt
        self.recorded.append(take.key)
        number = int.from_bytes(hashlib.sha256(take.key.encode()).digest()[:4], "little")
        rng = np.random.default_rng([self.seed, number])
        column, row = np.meshgrid(np.arange(30.0), np.arange(30.0))
        z = rng.normal(0, 1, column.shape)
        points = np.stack([4 * column - 58, 58 - 4 * row, z], axis=-1).astype(np.float32)
        points[0, 0] = np.nan
        grid = RangeImage(points, rng.integers(0, 255, (30, 30, 3)).astype(np.uint8))
        landmarks = np.float32(rng.uniform(-50, 50, (68, 3)) * [1, 1, 0])
        return Recording(grid.mesh(20), landmarks, self.strengths(take), np.eye(3), grid)

    def strengths(self, take):
        return action_strengths({"AU12": (0.5, 0.1 * take.frame)})


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def read_wrl(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and triangles, by formats.md alone."""
    text = path.read_text()
    points = re.search(r"Coordinate\s*{\s*point\s*\[([^\]]*)", text)[1].replace(",", " ").split()
    faces = re.search(r"\bcoordIndex\s*\[([^\]]*)", text)[1].replace(",", " ").split()
    return np.array(points, float).reshape(-1, 3), np.array(faces, int).reshape(-1, 4)[:, :3]


def read_bnd(path: Path) -> tuple[np.ndarray, np.ndarray]:
    rows = np.array([line.split() for line in path.read_text().splitlines()], float)
    assert rows.shape == (83, 4)
    return rows[:, 0].astype(int), rows[:, 1:]


def distance_to_curve(points: np.ndarray, curve: np.ndarray) -> np.ndarray:
    """(N,) from each point to the nearest point of a curve of straight pieces, both (n, 3)."""
    start, step = curve[:-1], np.diff(curve, axis=0)
    along = np.einsum("npx,px->np", points[:, None] - start, step) / np.einsum("px,px->p", step, step)
    foot = start + along.clip(0, 1)[..., None] * step
    return np.linalg.norm(points[:, None] - foot, axis=-1).min(axis=1)


# A study of the embedded face as BU-3DFE.

STUDY = Study(FaceSource(), "bu3dfe", subjects=1, seed=3, textured=True)


@pytest.fixture(scope="module")
def bu3dfe(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("my trees") / "made up"
    write_tree(STUDY, folder, "wrl")
    return folder


def test_a_subject_has_the_25_scans_of_bu3dfe_in_its_names(bu3dfe):
    (name,) = [person.name for person in STUDY.people]
    assert re.fullmatch(r"[FM]0001", name)
    stems = sorted(file.name.removesuffix("_F3D.wrl") for file in (bu3dfe / name).glob("*_F3D.wrl"))
    levels = [code[len(name) + 1 : len(name) + 5] for code in stems]
    assert levels == sorted(
        ["NE00", *(f"{e}{n:02d}" for e in ("AN", "DI", "FE", "HA", "SA", "SU") for n in range(1, 5))]
    )
    assert all(re.fullmatch(rf"{name}_[A-Z]{{2}}0[0-4][A-Z]{{2}}", stem) for stem in stems)
    kinds = [f"{stem}_F3D.{kind}" for stem in stems for kind in ("bmp", "bnd", "wrl")]
    assert sorted(file.name for file in (bu3dfe / name).iterdir()) == sorted(kinds)
    assert sorted(file.name for file in bu3dfe.iterdir()) == sorted(
        ["README.txt", "action_units.parquet", "plan.json", "subjects.parquet", name]
    )


def test_the_mesh_is_what_the_study_recorded(bu3dfe):
    take = STUDY.takes()[13]
    made = STUDY.record(take).scan
    vertices, triangles = read_wrl(bu3dfe / f"{take.key}_F3D.wrl")
    np.testing.assert_allclose(vertices, made.vertices, rtol=0, atol=6e-5)
    np.testing.assert_array_equal(triangles, made.triangles)
    with Image.open(bu3dfe / f"{take.key}_F3D.bmp") as picture:
        np.testing.assert_array_equal(np.asarray(picture), made.texture)


def test_landmarks_are_vertices_near_the_curves_of_the_68(bu3dfe):
    for take in STUDY.takes()[::8]:
        vertices, _ = read_wrl(bu3dfe / f"{take.key}_F3D.wrl")
        index, places = read_bnd(bu3dfe / f"{take.key}_F3D.bnd")
        np.testing.assert_allclose(places, vertices[index], rtol=0, atol=1e-9)
        # formats.md: left eye, right eye, left brow, right brow, nose, mouth, contour; "left" is the viewer's.
        points = STUDY.record(take).landmarks
        saddles = [(points[28] + points[corner]) / 2 for corner in (39, 42)]
        curves = {
            (0, 8): points[[36, 37, 38, 39, 40, 41, 36]],
            (8, 16): points[[42, 43, 44, 45, 46, 47, 42]],
            (16, 26): points[17:22],
            (26, 36): points[22:27],
            (36, 39): np.stack([saddles[0], points[31]]),
            (39, 42): np.stack([saddles[1], points[35]]),
            (42, 48): points[31:36],
            (48, 60): points[[*range(48, 60), 48]],
            (60, 68): points[[*range(60, 68), 60]],
            (68, 83): points[:17],
        }
        for (first, end), curve in curves.items():
            # A straight line from the nose's saddle to its wing runs inside the nose, the vertices outside.
            assert distance_to_curve(places[first:end], curve).max() < (10 if 36 <= first < 42 else 6)
        # Those that both sets have are the same points.
        np.testing.assert_allclose(places[[0, 4, 8, 12]], points[[36, 39, 42, 45]], atol=1e-3)
        np.testing.assert_allclose(places[48:68], points[48:68], atol=1e-3)
        assert (places[:8, 0] < places[36, 0]).all()  # the first eye is on the viewer's left
        assert (places[8:16, 0] > places[39, 0]).all()


def test_action_units_are_those_that_the_faces_show(bu3dfe):
    table = pd.read_parquet(bu3dfe / "action_units.parquet")
    takes = STUDY.takes()
    assert table.columns.tolist() == ["key", "subject", "emotion", "intensity", "frame", *UNITS]
    assert table["key"].tolist() == [take.key for take in takes]
    assert table["emotion"].tolist() == [take.emotion for take in takes]
    assert table["subject"].unique().tolist() == [STUDY.people[0].name]
    assert table["intensity"].isna().tolist() == [take.emotion == "neutral" for take in takes]
    assert table["intensity"].dropna().tolist() == [1, 2, 3, 4] * 6
    assert table["frame"].isna().all()
    grades = table[UNITS].to_numpy()
    assert grades.min() >= 0
    assert grades.max() <= 5
    model = load_face_model(STUDY.source)
    for row in (0, 7, 24):
        expected = facs_grades(model, STUDY.record(takes[row]).strengths)
        np.testing.assert_array_equal(grades[row], expected.ravel())
    smiles = table.loc[table["emotion"] == "happiness", ["AU12_L", "AU12_R"]].to_numpy()
    assert (smiles[3] > smiles[0]).all()


def test_subjects_are_named_with_what_is_known_of_them(bu3dfe):
    table = pd.read_parquet(bu3dfe / "subjects.parquet")
    (person,) = STUDY.people
    (row,) = table.to_dict("records")
    assert {key: value for key, value in row.items() if not pd.isna(value)} == {
        "subject": person.name,
        **person.attributes,
    }
    assert {"sex", "age", "ancestry"} < set(table.columns)


def test_the_readme_says_that_nobody_is_real_and_how_it_was_made(bu3dfe):
    text = (bu3dfe / "README.txt").read_text()
    assert text.startswith("Synthetic faces: nobody here is real")
    for said in (affectvlm.__version__, "embedded", "bu3dfe", "clean", "Seed:       3", "wrl", "BU-3DFE"):
        assert said in text
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.slow
def test_two_workers_write_the_same_bytes_as_one(tmp_path):
    study = Study(FaceSource(), "bu3dfe", subjects=2, sensor="structured-light", seed=1)
    for jobs in (1, 2):
        write_tree(study, tmp_path / str(jobs), "ply", jobs)
    one, two = contents(tmp_path / "1"), contents(tmp_path / "2")
    assert len(one) == 2 * 25 * 2 + 4
    assert one == two


# The sequences of BU-4DFE, and how a tree is begun, interrupted and finished.


def test_sequences_are_laid_out_as_in_bu4dfe(tmp_path):
    study = SmallStudy()
    write_tree(study, tmp_path / "out", "wrl")
    frames = [f"{s}/{e}/{n:03d}" for s in ("F001", "M001") for e in BU4DFE_FOLDERS.values() for n in range(4)]
    expected = {f"{frame}.{kind}" for frame in frames for kind in ("wrl", "jpg")}
    expected |= {f"BU4DFE_BND_V1.1/{frame}.bnd" for frame in frames}
    expected |= {"plan.json", "README.txt", "subjects.parquet", "action_units.parquet"}
    assert set(contents(tmp_path / "out")) == expected
    assert 'url "002.jpg"' in (tmp_path / "out" / "F001" / "Angry" / "002.wrl").read_text()
    table = pd.read_parquet(tmp_path / "out" / "action_units.parquet")
    assert table["key"].tolist() == frames
    assert table["frame"].tolist() == [0, 1, 2, 3] * 12
    assert table["intensity"].isna().all()
    assert (table["AU12_L"] == 2.5).all()
    np.testing.assert_allclose(table["AU12_R"], [0, 0.5, 1, 1.5] * 12, atol=1e-6)
    assert (table["AU4_L"] == 0).all()


def test_what_is_not_known_of_a_subject_is_missing(tmp_path):
    write_tree(SmallStudy(), tmp_path / "out", "ply")
    table = pd.read_parquet(tmp_path / "out" / "subjects.parquet")
    assert table.columns.tolist() == ["subject", "sex", "age", "ancestry"]
    assert table.fillna("?").to_numpy().tolist() == [["F001", "female", "young", "?"], ["M001", "male", "?", "asian"]]


@pytest.mark.parametrize("format", ["ply", "obj"])
def test_other_mesh_formats_keep_the_layout(tmp_path, format):
    study = SmallStudy(subjects=1)
    write_tree(study, tmp_path, format)
    take = study.takes()[5]
    made = study.record(take).scan
    back = read_scan(tmp_path / f"{take.key}.{format}")
    np.testing.assert_allclose(back.vertices[back.triangles], made.vertices[made.triangles], rtol=0, atol=6e-5)
    assert back.texture.shape == made.texture.shape
    index, places = read_bnd(tmp_path / "BU4DFE_BND_V1.1" / f"{take.key}.bnd")
    np.testing.assert_allclose(places, made.vertices[index], rtol=0, atol=6e-5)


def test_a_range_sensors_grid_is_written_as_in_bosphorus(tmp_path):
    study = SmallStudy(subjects=1)
    write_tree(study, tmp_path, "bnt")
    take = study.takes()[3]
    made = study.record(take)
    assert sorted(file.name for file in (tmp_path / "F001" / "Angry").iterdir()) == [
        f"{n:03d}.{kind}" for n in range(4) for kind in ("bnt", "lm3", "png")
    ]
    assert not (tmp_path / "BU4DFE_BND_V1.1").exists()
    z = np.frombuffer(
        (tmp_path / f"{take.key}.bnt").read_bytes(), "<f8", 900, offset=14 + len("003.png") + 4 + 2 * 7200
    )
    np.testing.assert_array_equal(z.reshape(30, 30)[::-1], np.nan_to_num(made.grid.points[..., 2], nan=-1e9))
    lines = [line for line in (tmp_path / f"{take.key}.lm3").read_text().splitlines() if line and line[0] != "#"]
    assert lines[0] == "22 landmarks:"
    places = dict(zip(lines[1::2], (np.array(line.split(), float) for line in lines[2::2]), strict=True))
    assert len(places) == 22
    np.testing.assert_allclose(places["Nose tip"], made.landmarks[30], atol=6e-5)


def test_without_a_sensor_the_grid_is_an_exact_one(tmp_path):
    study = Study(FaceSource(), subjects=1, seed=3)
    take = study.takes()[2]
    tree._write_take(study, take, tmp_path, "bnt")
    data = (tmp_path / f"{take.key}_F3D.bnt").read_bytes()
    rows, columns = np.frombuffer(data, "<u2", 2)
    count = int(rows) * int(columns)
    x, _, z = np.frombuffer(data[-5 * 8 * count :], "<f8").reshape(5, count)[:3]
    seen = z > -1e8
    # A point of the surface at every crossing of a regular grid.
    np.testing.assert_allclose(np.diff(np.unique(x[seen].round(3))), 0.6, atol=2e-3)
    expected = ideal_grid(study.record(take).scan).points[..., 2]
    np.testing.assert_array_equal(z.reshape(rows, columns)[::-1], np.nan_to_num(expected, nan=-1e9))


def test_an_interrupted_tree_is_finished_as_if_it_had_not_been(tmp_path):
    write_tree(SmallStudy(), tmp_path / "whole", "wrl")
    with pytest.raises(KeyboardInterrupt):
        write_tree(SmallStudy(fails_at=42), tmp_path / "cut", "wrl")
    left = contents(tmp_path / "cut")
    assert "action_units.parquet" not in left
    assert not [name for name in left if "unfinished" in name]
    again = SmallStudy()
    progress: list[int] = []
    write_tree(again, tmp_path / "cut", "wrl", on_progress=progress.append)
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")
    # Only what was not finished is recorded again; the first of it twice, to see what it takes up on disk.
    missing = [take.key for take in again.takes()][41:]
    assert again.recorded == [missing[0], *missing]
    assert progress == [48, 48]


def test_what_a_killed_run_left_half_written_is_removed(tmp_path):
    write_tree(SmallStudy(), tmp_path / "whole", "wrl")
    with pytest.raises(KeyboardInterrupt):
        write_tree(SmallStudy(fails_at=30), tmp_path / "cut", "wrl")
    for half in (".001.wrl.4711.unfinished.wrl", ".002.jpg.4711.unfinished.jpg"):
        (tmp_path / "cut" / "F001" / "Angry" / half).write_bytes(b"#VRML V2.0 ut")
    write_tree(SmallStudy(), tmp_path / "cut", "wrl")
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


def test_a_mesh_stands_only_beside_its_picture_and_landmarks(tmp_path, monkeypatch):
    def fail(*anything):
        raise KeyboardInterrupt

    # Nothing more can be written once it is known what a take takes up.
    number_text = "affectvlm.scan.write.number_text"
    monkeypatch.setattr(tree, "_check_space", lambda *anything: monkeypatch.setattr(number_text, fail))
    with pytest.raises(KeyboardInterrupt):
        write_tree(SmallStudy(), tmp_path, "wrl")
    assert {file.suffix for file in tmp_path.rglob("*") if file.is_file()} == {".json", ".jpg", ".bnd"}


def test_a_whole_tree_is_left_as_it_is(tmp_path):
    write_tree(SmallStudy(), tmp_path, "ply")
    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")}
    study, progress = SmallStudy(), []
    write_tree(study, tmp_path, "ply", on_progress=progress.append)
    assert study.recorded == []
    assert progress == [48]
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")} == before


def test_progress_is_told_part_by_part(tmp_path):
    progress = []
    write_tree(SmallStudy(), tmp_path, "ply", on_progress=progress.append)
    assert progress == [25, 48, 48]


@pytest.mark.parametrize(
    "other", [{"seed": 1}, {"subjects": 3}, {"sensor": "depth-camera"}, {"textured": False}, {"protocol": "bu3dfe"}]
)
def test_another_study_is_not_mixed_in(tmp_path, other):
    write_tree(SmallStudy(), tmp_path, "ply")
    before = contents(tmp_path)
    with pytest.raises(
        DataError, match=r"holds other scans, or such as were made with other settings .*plan\.json\); choose"
    ):
        write_tree(SmallStudy(**other), tmp_path, "ply")
    with pytest.raises(DataError, match="holds other scans"):
        write_tree(SmallStudy(), tmp_path, "wrl")
    assert contents(tmp_path) == before


def test_another_face_model_is_not_mixed_in(tmp_path, monkeypatch):
    write_tree(SmallStudy(), tmp_path, "ply")
    plan = json.loads((tmp_path / "plan.json").read_text())
    assert plan["face_model"] == load_face_model(FaceSource()).fingerprint
    (tmp_path / "plan.json").write_text(json.dumps({**plan, "face_model": "0" * 16}))
    with pytest.raises(DataError, match="holds other scans"):
        write_tree(SmallStudy(), tmp_path, "ply")


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_a_place_that_holds_something_else_is_refused(tmp_path, kind):
    place = tmp_path / "mine"
    if kind == "folder":
        place.mkdir()
    (place / "thesis.tex" if kind == "folder" else place).write_text("years of work")
    with pytest.raises(DataError, match="expected an empty folder for the scans; choose another one"):
        write_tree(SmallStudy(), place, "ply")
    assert [file.read_text() for file in tmp_path.rglob("*") if file.is_file()] == ["years of work"]


def test_a_disk_that_is_too_small_is_told_before_it_is_full(tmp_path, monkeypatch):
    study = SmallStudy()
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(10**9, 10**9, 100_000))
        with pytest.raises(DataError, match=r"48 scans take about 0\.\d GB, found 0\.0 GB free; choose another disk"):
            write_tree(study, tmp_path, "ply")
    assert len(study.recorded) == 1
    assert not any(tmp_path.iterdir())  # so that what it is told to do can be done in the same place
    write_tree(SmallStudy(subjects=1), tmp_path, "ply")
    assert (tmp_path / "action_units.parquet").exists()


def test_the_space_needed_is_that_of_whole_blocks(tmp_path, monkeypatch):
    files = [tmp_path / "a", tmp_path / "b"]
    files[0].write_bytes(bytes(4097))
    files[1].write_bytes(bytes(4096))
    needed = 10 * 3 * 4096
    for free, enough in ((needed, True), (needed - 1, False)):
        usage = shutil._ntuple_diskusage(10**9, 0, free)
        monkeypatch.setattr(shutil, "disk_usage", lambda folder, usage=usage: usage)
        if enough:
            tree._check_space(tmp_path, files, 10)
        else:
            with pytest.raises(DataError):
                tree._check_space(tmp_path, files, 10)


# The labels.


def test_grades_are_of_what_the_model_can_show():
    point = np.zeros((1, 3), np.float32)
    names = ("AU12_L", "AU12_R", "AU4_L", "AU4_R", "AU26")
    model = FaceModel(
        "tiny",
        neutral=point,
        triangles=np.zeros((1, 3), np.int32),
        regions=np.zeros(1, np.uint8),
        landmarks=np.zeros(68, np.int32),
        axes=np.zeros((0, 1, 3), np.float32),
        axis_names=(),
        shapes=np.zeros((5, 1, 3), np.float32),
        shape_names=names,
    )
    strengths = action_strengths({"AU12": (0.2, 0.6), "AU4": (1.3, 1.0), "AU26": (0.5, 0.1), "AU29": 1.0})
    grades = facs_grades(model, strengths)
    assert grades.shape == (len(ACTION_UNITS), 2)
    np.testing.assert_allclose(grades[UNIT_INDEX["AU12"]], [1, 3], rtol=1e-6)
    np.testing.assert_allclose(grades[UNIT_INDEX["AU4"]], [5, 5])  # FACS knows no more than the maximum
    np.testing.assert_allclose(grades[UNIT_INDEX["AU26"]], [1.5, 1.5], rtol=1e-6)  # a jaw has no sides
    assert (np.delete(grades, [UNIT_INDEX[unit] for unit in ("AU12", "AU4", "AU26")], axis=0) == 0).all()
