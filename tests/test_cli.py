"""The command line: one line for what a user can mend, the JSON contract, and the whole path once (slow)."""

import csv
import io
import json
import re
import shlex
import subprocess
import sys
import tomllib
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import numpy as np
import pandas as pd
import pytest
import trimesh
import typer
from PIL import Image
from pydantic import ValidationError
from sklearn.metrics import accuracy_score, f1_score, recall_score

from affectvlm import __version__
from affectvlm.cli import EXTRAS, app, main
from affectvlm.cli.options import LARGEST_VIEW, DatasetOption, MapOption
from affectvlm.cli.preparing import say_evaluate, tell_oddities
from affectvlm.datasets import DATASETS
from affectvlm.emotions import EMOTIONS
from affectvlm.evaluation.folds import Split
from affectvlm.prepared import PreparedSet
from affectvlm.scan import read_scan
from affectvlm.views import Rig
from affectvlm.views.rig import MapName
from test_generate import write_capture

COMMANDS = typer.main.get_command(app).commands
ROOT = Path(__file__).parents[1]


@pytest.fixture
def affectvlm(monkeypatch, capsys):
    """Run a command line in this process; returns its exit status, standard output and standard error."""
    # Whether anything is compiled, and told, hangs on what ran before.
    monkeypatch.setattr("affectvlm.cli.using.compiling_told", nullcontext)

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["affectvlm", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return ended.value.code or 0, captured.out, captured.err

    return run


@pytest.fixture
def face(embedded_samples, tmp_path) -> Path:
    """A scan in a file."""
    scan = embedded_samples[3].load()
    file = tmp_path / "face.ply"
    trimesh.Trimesh(scan.vertices, scan.triangles, process=False).export(file)
    return file


def test_the_version_is_the_packages(affectvlm):
    assert affectvlm("--version") == (0, f"{__version__}\n", "")


def test_help_lists_every_command(affectvlm):
    status, text, _ = affectvlm("--help")
    assert status == 0
    assert set(COMMANDS) == {
        *("demo", "synth", "inspect", "prepare", "train", "evaluate", "predict", "show", "watch", "app", "export"),
    }
    for name in COMMANDS:
        assert re.search(rf"^\W*{name}\s+\w", text, re.MULTILINE), name


@pytest.mark.parametrize("name", COMMANDS)
def test_every_commands_help_ends_with_an_example(affectvlm, name):
    status, text, _ = affectvlm(name, "--help")
    assert status == 0
    assert "Example:" in text
    assert f"affectvlm {name}" in text


@pytest.mark.parametrize("name", COMMANDS)
def test_every_example_is_a_command_line_that_is_understood(name):
    (example,) = re.findall(r"`(.*)`", COMMANDS[name].epilog)
    before, _, arguments = example.partition(f"affectvlm {name}")
    assert before in ("", "torchrun --nproc-per-node 2 -m ")
    COMMANDS[name].make_context(name, shlex.split(arguments))


def test_help_comes_without_the_heavy_libraries():
    heavy = ("torch", "numpy", "transformers", "numba", "trimesh", "lightning", "pandas", "joblib")
    code = f"import sys, affectvlm.cli; print([name for name in {heavy} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["show"], ["predict", "--format", "xml", "a.ply"], ["demo", "--folds", "1"]]
)
def test_a_wrong_command_line_is_a_usage_error(affectvlm, arguments):
    status, text, error = affectvlm(*arguments)
    assert (status, text) == (2, "")
    assert "Usage:" in error
    assert "Traceback" not in error


NAN_CORNER = "v 0 0 0\nv 100 0 0\nv 0 100 nan\nf 1 2 3\n"
BAD_FILES = {
    "missing": (None, "no such file"),
    "empty": (b"", "the file is empty"),
    "a text": (b"Dear Sir or Madam,\nplease find my face attached.\n", "expected a mesh"),
    "points without triangles": (b"v 0 0 0\nv 100 0 0\nv 0 100 0\nv 0 0 100\n", "triangles"),
    "a vertex that is not a number": (NAN_CORNER.encode(), "not finite"),
    "three vertices": (b"v 0 0 0\nv 100 0 0\nv 0 100 0\nf 1 2 3\n", "at least 100 vertices, found 3"),
}


@pytest.fixture(params=BAD_FILES.values(), ids=BAD_FILES)
def bad(request, tmp_path) -> tuple[Path, str]:
    """A file that cannot be used, and words of the reason."""
    content, reason = request.param
    file = tmp_path / "scan [old].obj"
    if content is not None:
        file.write_bytes(content)
    return file, reason


def test_show_says_in_one_line_what_is_wrong_with_a_scan_and_leaves_no_picture(affectvlm, bad, tmp_path):
    file, reason = bad
    before = sorted(tmp_path.iterdir())
    status, text, error = affectvlm("show", file, "--out", tmp_path / "views.png")
    assert (status, text) == (2, "")
    assert error.startswith(f"error: {file}: ")
    assert reason in error
    assert error.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


def test_predict_gives_a_bad_scan_its_error_and_still_does_the_others(affectvlm, bad, face, model_folder):
    file, reason = bad
    status, text, error = affectvlm("predict", file, face, "--model", model_folder, "--format", "json")
    failed, done = json.loads(text)
    assert status == 1
    assert set(failed) == {"path", "error"}
    assert failed["path"] == str(file)
    assert failed["error"].startswith(f"{file}: ")
    assert reason in failed["error"]
    assert error == f"error: {failed['error']}\n"
    assert done["label"] in EMOTIONS


def test_predictions_in_json_keep_the_contract(affectvlm, face, model_folder):
    status, text, error = affectvlm("predict", face, face, "--model", model_folder, "--format", "json")
    assert (status, error) == (0, "")
    items = json.loads(text)
    assert [item["path"] for item in items] == [str(face)] * 2
    for item in items:
        assert list(item) == ["path", "label", "probabilities"]
        assert tuple(item["probabilities"]) == EMOTIONS
        assert sum(item["probabilities"].values()) == pytest.approx(1, abs=1e-12)
        assert item["label"] == max(EMOTIONS, key=item["probabilities"].__getitem__)


def test_predictions_in_csv_have_a_column_a_class(affectvlm, face, model_folder, tmp_path):
    missing = tmp_path / 'a, "quoted" name.ply'
    status, text, _ = affectvlm("predict", face, missing, "--model", model_folder, "--format", "csv")
    header, done, failed = csv.reader(io.StringIO(text))
    assert status == 1
    assert header == ["path", "label", *EMOTIONS, "error"]
    numbers = [float(number) for number in done[2:-1]]
    assert (done[0], done[1], done[-1]) == (str(face), EMOTIONS[int(np.argmax(numbers))], "")
    assert sum(numbers) == pytest.approx(1, abs=5e-6)
    assert failed == [str(missing), *[""] * 7, f"{missing}: no such file; check the path"]


def test_predictions_as_a_table_name_scan_label_and_every_class(affectvlm, face, model_folder, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    bracketed = face.rename(face.with_name("face [bold].ply"))
    status, text, _ = affectvlm("predict", bracketed, "--model", model_folder)
    assert status == 0
    assert str(bracketed) in text
    assert "apparent expression" in text.lower()
    assert all(name in text for name in EMOTIONS)


LABELS = ["a person in pain", "a person laughing", "[bold] frown, yes", "long " * 100]


@pytest.mark.parametrize(
    "before",
    [
        ["SCAN", "--model", "MODEL", "--format", "json", "--labels", *LABELS],
        ["SCAN", "--labels", *LABELS, "--model", "MODEL", "--format", "json"],
        ["SCAN", "--labels", LABELS[0], "--labels", *LABELS[1:], "--format", "json", "--model", "MODEL"],
        ["SCAN", f"--labels={LABELS[0]}", *LABELS[1:], "--format", "json", "--model", "MODEL"],
        ["--format", "json", "--model", "MODEL", "--labels", *LABELS, "--", "SCAN"],
    ],
    ids=["last", "in between", "given twice", "written as one", "first"],
)
def test_labels_are_all_that_follow_up_to_the_next_option(affectvlm, face, model_folder, before):
    arguments = [{"SCAN": face, "MODEL": model_folder}.get(argument, argument) for argument in before]
    status, text, error = affectvlm("predict", *arguments)
    assert (status, error) == (0, "")
    (item,) = json.loads(text)
    assert (item["path"], list(item["probabilities"])) == (str(face), LABELS)
    assert sum(item["probabilities"].values()) == pytest.approx(1, abs=1e-12)
    assert item["label"] == max(LABELS, key=item["probabilities"].__getitem__)


def test_labels_stand_in_csv_and_in_the_table_as_they_were_written(affectvlm, face, model_folder, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    command = ["predict", face, "--model", model_folder, "--labels", *LABELS]
    status, text, _ = affectvlm(*command, "--format", "csv")
    header, row = csv.reader(io.StringIO(text))
    assert (status, header) == (0, ["path", "label", *LABELS, "error"])
    assert row[1] in LABELS
    status, text, _ = affectvlm(*command)
    assert status == 0
    assert all(label in text for label in LABELS[:3])


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        (["one"], "['one']"),
        (["one", "one"], "['one', 'one']"),
        (["one", ""], "['one', '']"),
    ],
)
def test_labels_that_are_no_choice_are_one_line(affectvlm, face, model_folder, labels, found):
    assert affectvlm("predict", face, "--model", model_folder, "--labels", *labels) == (
        2,
        "",
        f"error: expected two labels or more, all of them different and none empty; found {found}\n",
    )


def test_a_scan_among_the_labels_is_told(affectvlm, face):
    status, text, error = affectvlm("predict", face, "--labels", "a smile", face)
    assert (status, text) == (2, "")
    assert error == (
        f"error: --labels takes all up to the next option, also {str(face)!r}, a file; name the scans first\n"
    )


@pytest.mark.parametrize("after", [[], ["--format", "json"], ["--"]])
def test_labels_without_one_are_a_usage_error(affectvlm, after):
    status, text, error = affectvlm("predict", "a.ply", "--labels", *after)
    assert (status, text) == (2, "")
    assert "--labels needs at least one value" in error


def test_without_a_model_named_the_one_that_comes_along_answers(affectvlm, face, model_folder, monkeypatch):
    named = affectvlm("predict", face, "--model", model_folder, "--format", "json")
    monkeypatch.setattr("affectvlm.recognizer.source.BUNDLED", model_folder)
    assert affectvlm("predict", face, "--backend", "torch", "--format", "json") == named
    assert named[0] == 0


def test_without_a_model_the_line_says_how_to_get_one(affectvlm, face, tmp_path):
    status, text, error = affectvlm("predict", face, "--model", tmp_path / "none")
    assert (status, text) == (2, "")
    assert error == (
        f"error: {tmp_path / 'none'}: expected a trained model, found no config.json; train one with `affectvlm demo` "
        "or name its folder with --model\n"
    )


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json"])
def test_a_damaged_model_is_one_line_too(affectvlm, face, tiny_model, tmp_path, name):
    tiny_model.save(tmp_path / "model")
    (tmp_path / "model" / name).write_bytes(b"{damaged")
    status, text, error = affectvlm("predict", face, "--model", tmp_path / "model")
    assert (status, text) == (2, "")
    assert error.startswith(f"error: {tmp_path / 'model'}")
    assert error.count("\n") == 1


def test_show_draws_a_row_of_views_a_map(affectvlm, face, tmp_path):
    status, text, error = affectvlm("show", face, "--out", tmp_path / "new" / "views.png", "--size", "32")
    assert (status, error) == (0, "")
    assert text == f"{tmp_path / 'new' / 'views.png'}: the views of {face}\n"
    with Image.open(tmp_path / "new" / "views.png") as picture:
        assert picture.width >= 3 * 32
        assert picture.height >= 2 * 32
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["views.png"]


def test_show_draws_coloured_vertices_as_it_draws_a_picture(affectvlm, face, tmp_path):
    mesh = trimesh.load_mesh(face, process=False)
    colours = np.tile(np.array([[200, 30, 40, 255]], np.uint8), (len(mesh.vertices), 1))
    file = tmp_path / "red.ply"
    trimesh.Trimesh(mesh.vertices, mesh.faces, vertex_colors=colours, process=False).export(file)
    for scan, name in ((face, "plain.png"), (file, "red.png")):
        assert affectvlm("show", scan, "--out", tmp_path / name, "--size", "32")[0] == 0
    with Image.open(tmp_path / "plain.png") as plain, Image.open(tmp_path / "red.png") as red:
        assert red.height > plain.height  # by the row of its colours
        assert (np.asarray(red.convert("RGB")) == (200, 30, 40)).all(axis=2).sum() > 300


def test_a_warning_is_a_line_without_its_place_in_the_code(affectvlm, face, tmp_path):
    mesh = trimesh.load_mesh(face, process=False)
    trimesh.Trimesh(mesh.vertices / 1000, mesh.faces, process=False).export(metres := tmp_path / "m[e]tres.ply")
    status, _, error = affectvlm("show", metres, "--out", tmp_path / "views.png", "--size", "16")
    assert (status, error) == (0, f"warning: {metres}: taken to be in metres, and brought to millimetres\n")


def test_of_several_scans_each_has_its_line_of_warning(affectvlm, face, model_folder, tmp_path):
    mesh = trimesh.load_mesh(face, process=False)
    metres = trimesh.Trimesh(mesh.vertices / 1000, mesh.faces, process=False)
    files = [tmp_path / f"{number}.obj" for number in range(6)]
    for file in files:
        metres.export(file)
    status, _, error = affectvlm("predict", *files, "--model", model_folder)
    assert status == 0
    told = [line for line in error.splitlines() if line.startswith("warning: ")]
    assert sorted(told) == [f"warning: {file}: taken to be in metres, and brought to millimetres" for file in files]


@pytest.mark.parametrize(
    ("library", "extra"), [("lightning", "train"), ("sklearn.metrics", "train"), ("plotly", "app")]
)
def test_a_missing_optional_library_names_its_extra(affectvlm, monkeypatch, face, tmp_path, library, extra):
    def without_it(path):
        raise ModuleNotFoundError(f"No module named {library!r}", name=library)

    monkeypatch.setattr("affectvlm.scan.read_scan", without_it)
    assert affectvlm("show", face, "--out", tmp_path / "views.png") == (
        2,
        "",
        f"error: this command needs the library {library}; install it with: pip install 'affectvlm[{extra}]'\n",
    )


def test_a_library_that_really_is_missing_names_its_extra(tmp_path):
    code = "import sys; sys.modules['joblib'] = None; import affectvlm.cli; affectvlm.cli.main()"
    arguments = ["evaluate", str(tmp_path), "--out", str(tmp_path / "run")]
    found = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr == (
        "error: this command needs the library joblib; install it with: pip install 'affectvlm[train]'\n"
    )


def test_every_optional_library_is_known_with_its_extra():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    imported = {"scikit-learn": "sklearn"}
    for extra in ("train", "app", "ray", "dask"):
        names = {re.match(r"[\w-]+", requirement)[0] for requirement in declared[extra]}
        assert {imported.get(name, name) for name in names} == {n for n, its in EXTRAS.items() if its == extra}


def test_an_unknown_missing_module_is_no_users_fault(monkeypatch, face, tmp_path):
    def broken(path):
        raise ModuleNotFoundError("No module named 'affectvlm.scn'", name="affectvlm.scn")

    monkeypatch.setattr("affectvlm.scan.read_scan", broken)
    monkeypatch.setattr(sys, "argv", ["affectvlm", "show", str(face), "--out", str(tmp_path / "views.png")])
    with pytest.raises(ModuleNotFoundError, match=r"affectvlm\.scn"):
        main()


def test_an_interrupted_command_says_so_and_leaves_nothing(affectvlm, monkeypatch, face, tmp_path):
    def interrupt(path):
        raise KeyboardInterrupt

    monkeypatch.setattr("affectvlm.scan.read_scan", interrupt)
    before = sorted(tmp_path.iterdir())
    status, text, error = affectvlm("show", face, "--out", tmp_path / "views.png")
    assert (status, text, error.strip()) == (
        130,
        "",
        "interrupted; demo, synth, prepare, train and evaluate go on when given again",
    )
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["demo", "--from", "kit"], "the embedded face needs no folder"),
        (["demo", "--faces", "ict-facekit"], "name it with --from DIR"),
        (["demo", "--faces", "ict-facekit", "--from", "kit"], "get it from https://github.com/ICT-VGL/ICT-FaceKit"),
    ],
)
def test_a_demo_on_faces_that_are_not_there_is_refused_before_anything_is_made(affectvlm, tmp_path, arguments, line):
    status, text, error = affectvlm(*arguments, "--out", tmp_path / "run")
    assert (status, text) == (2, "")
    assert line in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_without_a_prepared_set_the_line_says_how_to_make_one(affectvlm, tmp_path, command):
    status, text, error = affectvlm(command, tmp_path / "none", "--out", tmp_path / "run")
    assert (status, text) == (2, "")
    assert error.startswith(f"error: {tmp_path / 'none'}: expected a prepared set")
    assert "affectvlm prepare" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("place", [".", "file.txt/views.png"], ids=["a folder", "below a file"])
def test_an_output_that_cannot_be_written_is_one_line(affectvlm, face, tmp_path, place):
    (tmp_path / "file.txt").write_text("kept")
    before = sorted(tmp_path.iterdir())
    status, text, error = affectvlm("show", face, "--out", tmp_path / place, "--size", "16")
    assert (status, text) == (2, "")
    assert re.fullmatch(rf"error: {tmp_path}\S*: .*; check the path, .*\n", error)
    assert sorted(tmp_path.iterdir()) == before


def test_too_many_folds_are_refused_before_the_folder_is_taken(affectvlm, tiny_set, tmp_path):
    status, text, error = affectvlm("evaluate", tiny_set, "--folds", "10", "--out", tmp_path / "run")
    assert (status, text) == (2, "")
    assert "error: 5 subjects are too few for 10 folds" in error
    assert not (tmp_path / "run").exists()


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


CODES = ["NE00", *(f"{code}0{i}" for code in ("AN", "DI", "FE", "HA", "SA", "SU") for i in (1, 2, 3, 4))]


def test_synth_writes_a_subjects_scans_and_labels_once(affectvlm, tmp_path):
    tree = tmp_path / "tree"
    command = ["synth", "--subjects", "1", "--out", tree, "--format", "ply", "--jobs", "1"]
    said = f"25 scans of made-up subjects (1) are in {tree}\n"
    assert affectvlm(*command)[:2] == (0, said)
    (subject,) = pd.read_parquet(tree / "subjects.parquet")["subject"]
    keys = pd.read_parquet(tree / "action_units.parquet")["key"]
    assert [key[:-2] for key in keys] == [f"{subject}/{subject}_{code}" for code in CODES]
    scans = {f"{key}_F3D.{kind}" for key in keys for kind in ("ply", "bmp", "bnd")}
    about = {"README.txt", "plan.json", "subjects.parquet", "action_units.parquet"}
    assert set(contents(tree)) == scans | about
    assert (tree / "README.txt").read_text().startswith("Synthetic faces: nobody here is real")
    assert read_scan(tree / f"{keys[0]}_F3D.ply").textured

    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in tree.rglob("*") if path.is_file()}
    assert affectvlm(*command)[:2] == (0, said)
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in tree.rglob("*") if path.is_file()} == before


def test_synth_with_other_settings_in_the_same_folder_is_refused(affectvlm, tmp_path):
    (tmp_path / "plan.json").write_text('{"another": "study"}')
    before = contents(tmp_path)
    status, text, error = affectvlm("synth", "--subjects", "1", "--out", tmp_path, "--jobs", "1")
    assert (status, text) == (2, "")
    assert f"error: {tmp_path}: holds other scans" in error
    assert contents(tmp_path) == before


def test_synth_prepares_seven_classes_with_their_labels_beside_them(affectvlm, tmp_path):
    folder = tmp_path / "set"
    command = ["synth", "--subjects", "1", "--prepare", "--size", "16", "--jobs", "1", "--out", folder]
    status, text, _ = affectvlm(*command)
    assert status == 0
    assert f"25 scans of made-up subjects (1) are in {folder}\n" in text
    assert "A cross-validation needs at least 4 subjects." in text
    made = PreparedSet(folder)
    assert made.classes == (*EMOTIONS, "neutral")
    assert made.rig.size_px == 16
    assert made.source == "synthetic: embedded faces, 1 subjects, bu3dfe, sensor clean, variety 1, seed 0"
    units = pd.read_parquet(folder / "action_units.parquet")
    for name in ("key", "subject", "emotion"):
        assert units[name].tolist() == made.index[name].tolist()
    pd.testing.assert_series_equal(units["intensity"], made.index["intensity"])
    (person,) = pd.read_parquet(folder / "subjects.parquet").to_dict("records")
    assert made.subjects == [person.pop("subject")]
    assert json.loads(made.index["attributes"][24]) == person
    assert not list(folder.rglob("*.wrl"))

    before = contents(folder)
    assert affectvlm(*command)[:2] == (0, text)
    assert contents(folder) == before


def test_synth_lets_everybody_perform_a_capture(affectvlm, tmp_path):
    tree, capture = tmp_path / "tree", tmp_path / "take.csv"
    write_capture(capture, [0.0, 0.3, 0.6])
    command = ["synth", "--subjects", "2", "--out", tree, "--format", "ply", "--jobs", "1", "--capture", capture]
    command += ["--fps", "30"]
    assert affectvlm(*command)[:2] == (0, f"6 scans of made-up subjects (2) are in {tree}\n")
    units = pd.read_parquet(tree / "action_units.parquet")
    people = pd.read_parquet(tree / "subjects.parquet")["subject"]
    assert all(re.fullmatch(r"[FM]00[12]", person) for person in people)
    assert units["key"].tolist() == [f"{person}/take/{frame:05d}" for person in people for frame in range(3)]
    assert units["frame"].tolist() == [0, 1, 2] * 2
    assert units["emotion"].isna().all()
    assert units["intensity"].isna().all()
    np.testing.assert_allclose(units["AU26_L"], [0, 2.5, 5] * 2, atol=1e-4)
    assert sorted(tree.rglob("*.ply")) == sorted(tree / f"{key}.ply" for key in units["key"])

    # Another performance of the same name and length is another study.
    write_capture(capture, [0.0, 0.6, 0.3])
    before = contents(tree)
    status, text, error = affectvlm(*command)
    assert (status, text) == (2, "")
    assert "holds other scans" in error
    assert contents(tree) == before


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--capture", "take.csv"], "take.csv: expected a csv of Live Link Face"),
        (["--capture", "take.csv", "--prepare"], "leave out --prepare, or --capture"),
        (["--capture", "take.csv", "--protocol", "bu3dfe"], "leave out --capture, or --protocol"),
        (["--prepare", "--format", "wrl"], "leave out --prepare, or --format"),
        (["--size", "64"], "add --prepare, or leave out --size and --maps"),
        (["--maps", "depth"], "add --prepare, or leave out --size and --maps"),
        (["--faces", "makehuman"], "makehuman is read from its own folder: name it with --from DIR"),
        (["--from", "."], "the embedded face needs no folder"),
    ],
)
def test_synth_says_in_one_line_what_cannot_be_made(affectvlm, tmp_path, arguments, line):
    status, text, error = affectvlm("synth", "--subjects", "1", "--jobs", "1", "--out", tmp_path / "tree", *arguments)
    assert (status, text) == (2, "")
    (said,) = error.strip().splitlines()
    assert said.startswith("error: ")
    assert line in said
    assert list(tmp_path.iterdir()) == []


def test_synth_names_an_empty_folder_and_where_to_get_makehuman(affectvlm, tmp_path):
    (empty := tmp_path / "empty").mkdir()
    status, text, error = affectvlm("synth", "--faces", "makehuman", "--from", empty, "--out", tmp_path / "tree")
    assert (status, text) == (2, "")
    (said,) = error.strip().splitlines()
    assert said.startswith(f"error: {empty}")
    assert "get it from https://github.com/makehumancommunity/mpfb2" in said
    assert sorted(tmp_path.iterdir()) == [empty]


@pytest.fixture
def own_scans(embedded_samples, tmp_path) -> Path:
    """Four scans of two subjects, and a file of theirs that is none."""
    root = tmp_path / "my scans"
    for number in (3, 15, 28, 40):
        sample = embedded_samples[number]
        scan = sample.load()
        folder = root / sample.subject / sample.emotion
        folder.mkdir(parents=True, exist_ok=True)
        trimesh.Trimesh(scan.vertices, scan.triangles, process=False).export(folder / f"{number}.ply")
    (folder / "broken.ply").write_bytes(b"ply\nformat")
    return root


def test_prepare_makes_a_set_tells_what_was_skipped_and_goes_on(affectvlm, own_scans, tmp_path):
    to = tmp_path / "set"
    command = ["prepare", "folder", own_scans, "--out", to, "--size", "16", "--maps", "depth", "--jobs", "1"]
    status, text, error = affectvlm(*command)
    assert (status, error) == (0, "")
    assert text.splitlines() == [
        f"4 scans of 2 subjects are in {to}",
        f"1 of 5 scans could not be used; {to / 'skipped.csv'} says why",
        "A cross-validation needs at least 4 subjects.",
    ]
    made = PreparedSet(to)
    assert (made.rig.size_px, made.rig.maps, made.source) == (16, ("depth",), "folder my scans all")
    before = contents(to)
    assert affectvlm(*command) == (status, text, error)
    assert contents(to) == before


def test_prepare_keeps_as_many_further_drawings_as_are_asked_for(affectvlm, own_scans, tmp_path):
    to = tmp_path / "set"
    command = ["prepare", "folder", own_scans, "--out", to, "--size", "16", "--maps", "depth", "--jobs", "1"]
    assert affectvlm(*command, "--drawings", "1")[0] == 0
    made = PreparedSet(to)
    assert made.drawings == 1
    assert not np.array_equal(made.channels(np.arange(4), np.ones((4, 3), int)), made.channels(np.arange(4)))
    status, _, error = affectvlm(*command)
    assert status == 2
    assert "jitter.drawings is 1 there and None here" in error


def test_a_folder_of_a_class_of_ones_own_is_refused_but_where_a_vocabulary_has_it(affectvlm, own_scans, tmp_path):
    vocabulary, to = tmp_path / "words.yaml", tmp_path / "set"
    vocabulary.write_text("classes:\n  frown:\n    doing: [frowning]\n")
    subject = sorted(own_scans.iterdir())[0]
    shown = sorted(path for path in subject.iterdir() if path.is_dir())[0]
    shown.rename(subject / "frown")
    command = ["prepare", "folder", own_scans, "--out", to, "--size", "16", "--maps", "depth", "--jobs", "1"]
    status, text, error = affectvlm(*command)
    assert (status, text) == (2, "")
    assert "found 'frown'; rename it to one of anger" in error
    assert not to.exists()
    status, text, error = affectvlm("inspect", "folder", own_scans, "--vocabulary", vocabulary)
    assert (status, error) == (0, "")
    assert affectvlm(*command, "--vocabulary", vocabulary)[0] == 0
    assert PreparedSet(to).classes[-1] == "frown"


def test_the_next_step_names_the_vocabulary_again(capsys):
    say_evaluate(SimpleNamespace(folder=Path("set"), subjects=["a"] * 12), "runs/mine", Path("words.yaml"))
    assert "affectvlm evaluate set --folds 4 --out runs/mine --vocabulary words.yaml" in capsys.readouterr().out


def test_prepare_refuses_another_rig_in_the_same_set(affectvlm, own_scans, tmp_path):
    to = tmp_path / "set"
    command = ["prepare", "folder", own_scans, "--out", to, "--jobs", "1", "--size"]
    assert affectvlm(*command, "16")[0] == 0
    before = contents(to)
    status, text, error = affectvlm(*command, "24")
    assert (status, text) == (2, "")
    assert error.startswith(f"error: {to}: holds other prepared views")
    assert "rig.size_px is 16 there and 24 here" in error
    assert error.count("\n") == 1
    assert contents(to) == before


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--address", "auto"], "--address is a cluster's; name its kind with --backend ray or dask"),
        (["--protocol", "none"], "has no protocol 'none'; choose one of"),
    ],
)
def test_prepare_says_in_a_line_what_does_not_go_together(affectvlm, own_scans, tmp_path, arguments, line):
    status, text, error = affectvlm("prepare", "folder", own_scans, "--out", tmp_path / "set", *arguments)
    assert (status, text) == (2, "")
    assert error.startswith("error: ")
    assert line in error
    assert error.count("\n") == 1
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize(("backend", "library"), [("ray", "ray"), ("dask", "distributed")])
def test_prepare_without_a_clusters_library_names_its_extra(
    affectvlm, own_scans, tmp_path, monkeypatch, backend, library
):
    monkeypatch.setitem(sys.modules, library, None)
    arguments = ["--out", tmp_path / "set", "--backend", backend]
    status, text, error = affectvlm("prepare", "folder", own_scans, *arguments)
    assert (status, text) == (2, "")
    assert error.endswith(f"needs the library {library}; install it with: pip install 'affectvlm[{backend}]'\n")


TWICE = ["--maps", "depth", "--maps", "normals", "--maps", "depth"]


@pytest.mark.parametrize("command", [["prepare", "folder", "."], ["synth", "--prepare"]], ids=["prepare", "synth"])
def test_views_that_cannot_be_drawn_are_refused_before_anything_is_made(affectvlm, tmp_path, command):
    arguments = [*command, "--out", tmp_path / "set"]
    assert affectvlm(*arguments, *TWICE, "--size", "32") == (
        2,
        "",
        "error: --size 32 --maps depth --maps normals --maps depth: a rig needs at least one view and one map, "
        "each map once\n",
    )
    status, text, error = affectvlm(*arguments, "--size", str(LARGEST_VIEW + 1))
    assert (status, text) == (2, "")
    assert "Usage:" in error
    assert "Traceback" not in error
    assert list(tmp_path.iterdir()) == []


def test_the_largest_view_is_the_rigs():
    assert Rig(size_px=LARGEST_VIEW).size_px == LARGEST_VIEW
    with pytest.raises(ValidationError):
        Rig(size_px=LARGEST_VIEW + 1)


def test_prepare_tells_what_was_odd_about_the_scans(affectvlm, own_scans, tmp_path):
    """None of them has colours. The broken one is told of once, as skipped."""
    settings = ["--size", "16", "--maps", "texture", "--jobs", "1"]
    status, text, _ = affectvlm("prepare", "folder", own_scans, "--out", tmp_path / "set", *settings)
    assert status == 0
    assert text.splitlines()[1:3] == [
        f"1 of 5 scans could not be used; {tmp_path / 'set' / 'skipped.csv'} says why",
        "4 of 5 scans: no texture and no coloured vertices; the texture map is grey",
    ]


def test_the_commonest_oddities_are_told_and_the_others_counted(tiny_set, capsys):
    made = PreparedSet(tiny_set)
    made.warnings = {"[first]": 9, "second": 5, "third": 4, "fourth": 2, "fifth": 1}
    tell_oddities(len(made), made)
    assert capsys.readouterr().out.splitlines() == [
        f"9 of {len(made)} scans: [first]",
        f"5 of {len(made)} scans: second",
        f"4 of {len(made)} scans: third",
        f"... and warnings of other kinds (2); {tiny_set / 'manifest.json'} counts them",
    ]


def test_a_set_is_the_same_however_its_folder_is_spelled(affectvlm, own_scans, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(own_scans)
    settings = ["--size", "16", "--maps", "depth", "--jobs", "1"]
    made = []
    for place in (own_scans, Path(own_scans.name), Path("link/../my scans/."), Path("link")):
        to = tmp_path / f"set{len(made)}"
        assert affectvlm("prepare", "folder", place, "--out", to, *settings)[0] == 0
        made.append(contents(to))
    assert all(other == made[0] for other in made[1:])
    (skipped,) = csv.DictReader(io.StringIO(made[0]["skipped.csv"].decode()))
    assert skipped["path"] == str(next(own_scans.rglob("broken.ply")))
    assert skipped["reason"].startswith(f"{skipped['path']}: ")


@pytest.mark.parametrize(
    ("subjects", "line"),
    [
        (1, "A cross-validation needs at least 4 subjects."),
        (3, "A cross-validation needs at least 4 subjects."),
        (4, "  affectvlm evaluate set --folds 2 --out runs/mine"),
        (9, "  affectvlm evaluate set --folds 3 --out runs/mine"),
        (100, "  affectvlm evaluate set --folds 10 --out runs/mine"),
    ],
)
def test_the_next_step_has_folds_that_the_subjects_are_enough_for(capsys, subjects, line):
    names = [f"S{number:03d}" for number in range(subjects)]
    say_evaluate(SimpleNamespace(folder=Path("set"), subjects=names), "runs/mine")
    assert capsys.readouterr().out.splitlines()[-1] == line
    if folds := re.search(r"--folds (\d+)", line):
        assert Split.draw(names, int(folds[1])).subjects == tuple(names)


def test_the_command_lines_data_sets_are_those_that_are_read():
    assert [item.value for item in DatasetOption] == list(DATASETS)


def test_the_command_lines_maps_are_those_that_a_rig_has():
    assert sorted(item.value for item in MapOption) == sorted(get_args(MapName))


def test_inspect_counts_what_is_there_and_finds_the_damaged_file(affectvlm, own_scans):
    status, text, error = affectvlm("inspect", "folder", own_scans, "--read")
    assert (status, error) == (1, "")
    assert re.search(r"subjects\W+2\W", text)
    assert re.search(r"unreadable scans\W+1\W", text)
    (line,) = [line for line in text.splitlines() if "broken.ply" in line]
    assert line.startswith(str(next(own_scans.rglob("broken.ply"))))


def test_inspect_does_not_read_scans_unless_asked(affectvlm, own_scans):
    status, text, _ = affectvlm("inspect", "folder", own_scans)
    assert status == 0
    assert "No scan was read; --read does that" in text


def test_an_inspection_in_json_and_csv_holds_all_problems(affectvlm, own_scans):
    for number in range(30):
        next(own_scans.rglob("broken.ply")).with_name(f"empty{number:02d}.ply").touch()
    status, text, _ = affectvlm("inspect", "folder", own_scans, "--format", "json")
    found = json.loads(text)
    assert (status, found["dataset"], found["counts"]["empty scans"]) == (1, "folder", 30)
    empty = [problem for problem in found["problems"] if "empty" in problem["path"]]
    assert len(empty) >= 30
    status, text, _ = affectvlm("inspect", "folder", own_scans, "--format", "csv")
    header, *rows = csv.reader(io.StringIO(text))
    assert (status, header) == (1, ["subject", "path", "problem"])
    assert rows == [[p["subject"] or "", p["path"], p["what"]] for p in found["problems"]]
    status, text, _ = affectvlm("inspect", "folder", own_scans)
    assert status == 1
    assert f"... and {len(rows) - 20} more; --format csv lists all" in text


@pytest.mark.slow
def test_synth_writes_range_images_of_a_phone(affectvlm, tmp_path):
    tree = tmp_path / "tree"
    settings = ["--subjects", "1", "--sensor", "phone", "--format", "bnt", "--jobs", "2"]
    assert affectvlm("synth", *settings, "--out", tree)[:2] == (0, f"25 scans of made-up subjects (1) are in {tree}\n")
    keys = pd.read_parquet(tree / "action_units.parquet")["key"]
    assert len(keys) == 25
    for key in keys:
        for kind in ("bnt", "lm3"):
            assert (tree / f"{key}_F3D.{kind}").stat().st_size > 0
        rows, columns = np.frombuffer((tree / f"{key}_F3D.bnt").read_bytes()[:4], "<u2")
        with Image.open(tree / f"{key}_F3D.png") as picture:
            assert min(picture.size) > 0
        assert min(rows, columns) > 50
    assert not list(tree.rglob("*.wrl"))
    assert "phone" in (tree / "README.txt").read_text()


def demo(run: Path, *settings: str) -> subprocess.CompletedProcess[str]:
    fixed = ["--subjects", "4", "--folds", "2", "--jobs", "1", "--out", str(run)]
    command = [sys.executable, "-m", "affectvlm", "demo", *fixed, *settings]
    return subprocess.run(command, capture_output=True, text=True)


def times(run: Path) -> dict[Path, int]:
    return {
        path: path.stat().st_mtime_ns for part in ("prepared", "folds", "model") for path in (run / part).rglob("*")
    }


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    run = tmp_path_factory.mktemp("demo") / "run"
    done = demo(run, "--epochs", "1")
    assert done.returncode == 0, done.stderr
    assert f"affectvlm predict SCAN --model {run / 'model'}" in done.stdout
    assert f"affectvlm app --model {run / 'model'}" in done.stdout
    assert re.search(r"\d+ s \(.*faces and views \d+ %.*\), at most \d+\.\d GiB", done.stdout)
    return run


@pytest.mark.slow
def test_a_demo_leaves_all_that_it_promises(finished):
    for name in ("report.html", "metrics.json", "config.yaml", "folds.json", "environment.json", "views.png"):
        assert (finished / name).stat().st_size > 0, name
    assert not list(finished.rglob("*unfinished*"))
    assert not list(finished.rglob("checkpoints"))


@pytest.mark.slow
def test_a_demos_metrics_are_those_of_its_predictions(finished):
    metrics = json.loads((finished / "metrics.json").read_text())
    predictions = pd.read_parquet(finished / "predictions.parquet")
    assert metrics["source"].startswith("synthetic")
    assert len(predictions) == predictions["key"].nunique() == 4 * 25

    def expected(rows: pd.DataFrame) -> dict[str, float]:
        pair = rows["emotion"], rows["predicted"]
        return {
            "count": len(rows),
            "accuracy": accuracy_score(*pair),
            "uar": recall_score(*pair, average="macro", zero_division=0),
            "macro_f1": f1_score(*pair, average="macro", zero_division=0),
        }

    for name, value in expected(predictions).items():
        assert metrics["pooled"][name] == pytest.approx(value), name
    for fold in metrics["folds"]:
        for name, value in expected(predictions[predictions["fold"] == fold["fold"]]).items():
            assert fold[name] == pytest.approx(value), name
    classes = (*EMOTIONS, "neutral")
    assert tuple(metrics["classes"]) == classes
    assert tuple(name for name in predictions if name.startswith("p_")) == tuple(f"p_{name}" for name in classes)
    probabilities = predictions[[f"p_{name}" for name in classes]]
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert [classes[i] for i in probabilities.to_numpy().argmax(axis=1)] == predictions["predicted"].tolist()


@pytest.mark.slow
def test_each_of_a_demos_subjects_is_tested_by_the_one_fold_that_never_saw_him(finished):
    predictions = pd.read_parquet(finished / "predictions.parquet")
    folds = json.loads((finished / "folds.json").read_text())["folds"]
    assert predictions.groupby("subject")["fold"].nunique().tolist() == [1] * 4
    for index, fold in enumerate(folds):
        assert set(predictions.loc[predictions["fold"] == index, "subject"]) == set(fold["test"])
        assert not set(fold["test"]) & {*fold["train"], *fold["validation"]}
        assert not set(fold["train"]) & set(fold["validation"])


@pytest.mark.slow
def test_a_demos_model_predicts(finished, affectvlm, face):
    status, text, _ = affectvlm("predict", face, "--model", finished / "model", "--format", "json")
    assert status == 0
    (item,) = json.loads(text)
    assert tuple(item["probabilities"]) == (*EMOTIONS, "neutral")
    assert item["label"] == max(item["probabilities"], key=item["probabilities"].__getitem__)


@pytest.mark.slow
def test_the_same_demo_again_makes_nothing_new(finished):
    before, metrics = times(finished), (finished / "metrics.json").read_bytes()
    again = demo(finished, "--epochs", "1")
    assert again.returncode == 0, again.stderr
    assert times(finished) == before
    assert (finished / "metrics.json").read_bytes() == metrics


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings", [["--epochs", "2"], ["--epochs", "1", "--seed", "1"], ["--epochs", "1", "--folds", "3"]]
)
def test_a_demo_with_other_settings_in_the_same_folder_is_refused(finished, settings):
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*")}
    refused = demo(finished, *settings)
    assert refused.returncode == 2
    (line,) = [line for line in refused.stderr.splitlines() if "error:" in line]
    assert str(finished) in line
    assert "choose another folder, or delete this one first" in line
    assert "Traceback" not in refused.stderr
    assert {path: path.stat().st_mtime_ns for path in finished.rglob("*")} == before
