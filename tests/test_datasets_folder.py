"""A plain folder with a labels.csv, and what holds for every data set's folder: links, strays, depth."""

import os
import warnings
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from affectvlm.datasets import FolderDataset, open_dataset
from affectvlm.datasets.file_tree import split_suffix
from affectvlm.errors import DataError
from dataset_fixtures import sheet, touch


def write_list(root: Path, *lines: str) -> None:
    touch(root, "labels.csv", content="\n".join(lines) + "\n")


def refusals(root: Path) -> list[str]:
    """What is wrong with a list, as the inspection tells it: line and reason."""
    problems = [problem for problem in FolderDataset(root).inspect().problems if problem.blocks]
    return [f"{problem.path.rpartition(' ')[2]}: {problem.what}" for problem in problems]


def test_a_list_tells_everything(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.obj", "b.ply", "take/0.wrl", "take/1.wrl")
    write_list(
        tmp_path,
        "Emotion, subject,path,intensity,sex,age,ancestry,sequence,frame",
        "happy,anna,a/1.obj,3,F,Young,european,,",
        "Sadness,ben,./b.ply,,male,,,,",
        "fear,anna,take\\0.wrl,,f,,,anna-1,0",
        "fear,anna,take/1.wrl,,f,,,anna-1,1",
    )
    samples = FolderDataset(tmp_path).samples()
    told = [(s.key, s.subject, s.emotion, s.intensity, dict(s.attributes), s.sequence, s.frame) for s in samples]
    young = {"sex": "female", "age": "young", "ancestry": "european"}
    assert told == [
        ("take/0.wrl", "anna", "fear", None, {"sex": "female"}, "anna-1", 0),
        ("take/1.wrl", "anna", "fear", None, {"sex": "female"}, "anna-1", 1),
        ("a/1.obj", "anna", "happiness", 3, young, None, None),
        ("b.ply", "ben", "sadness", None, {"sex": "male"}, None, None),
    ]


def test_a_list_may_name_classes_of_ones_own(tmp_path: Path) -> None:
    touch(tmp_path, "1.obj", "2.obj")
    write_list(tmp_path, "path,subject,emotion", "1.obj,anna,Frown", "2.obj,ben,happy")
    assert [s.emotion for s in open_dataset("folder", tmp_path, classes=["frown"]).samples()] == ["frown", "happiness"]
    assert refusals(tmp_path)[0].startswith("2: expected an emotion, one of anger, ")
    assert "found 'Frown'" in refusals(tmp_path)[0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_lists_as_spreadsheets_write_them(tmp_path: Path, encoding: str, delimiter: str, newline: str) -> None:
    touch(tmp_path, "Übung/1.obj")
    lines = [["path", "subject", "emotion"], ["Übung/1.obj", "Zoë", "joy"], []]
    text = newline.join(delimiter.join(line) for line in lines) + newline
    (tmp_path / "labels.csv").write_bytes(text.encode(encoding))
    (sample,) = FolderDataset(tmp_path).samples()
    assert (sample.key, sample.subject, sample.emotion) == ("Übung/1.obj", "Zoë", "happiness")


@pytest.mark.parametrize(
    "path",
    ["../x.obj", "a/../../x.obj", "a/../x.obj", "/etc/x.obj", "C:\\x.obj", "C:x.obj", "\\\\host\\share\\x.obj", ""],
)
def test_a_path_that_leads_elsewhere_is_refused(tmp_path: Path, path: str) -> None:
    touch(tmp_path, "in/a/ok.obj", "x.obj", "in/x.obj")
    write_list(tmp_path / "in", "path,subject,emotion", "a/ok.obj,s,fear", f"{path},s,fear")
    (refusal,) = refusals(tmp_path / "in")
    assert refusal.startswith("3: expected a path below the folder of the list, found ")
    with pytest.raises(DataError, match=r"labels\.csv, line 3: expected a path below"):
        FolderDataset(tmp_path / "in").samples()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("a.obj,s,boredom,,,,", "expected an emotion, one of anger, disgust, fear, .* found 'boredom'"),
        ("a.obj,s,,,,,", "expected an emotion, .* found ''"),
        ("a.obj,,fear,,,,", "names no subject"),
        ("a.obj,s,fear,5,,,", "expected a whole number from 1 to 4 as intensity, found '5'"),
        ("a.obj,s,fear,high,,,", "as intensity, found 'high'"),
        ("a.obj,s,fear,²,,,", "as intensity, found '²'"),
        ("a.obj,s,fear,,take,,", "a sequence without a frame's number"),
        ("a.obj,s,fear,,,7,", "a sequence without a frame's number"),
        ("a.obj,s,fear,,take,-1,", "from 0 to 1000000000 as frame, found '-1'"),
        ("a.obj,s,fear,,,,?", "expected the sex female, male, f, m or nothing; found '\\?'"),
        ("a.obj,s,fear,,,,f,more", "has more cells than the first line has names"),
        ("b.obj,s,fear,,,,", "b.obj is no file below"),
        ("a.txt,s,fear,,,,", "expected a scan that ends in .*, found a.txt"),
        (".hidden.obj,s,fear,,,,", "is no file below"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path: Path, line: str, reason: str) -> None:
    touch(tmp_path, "a.obj", "a.txt", ".hidden.obj", "ok.obj")
    write_list(tmp_path, "path,subject,emotion,intensity,sequence,frame,sex", "ok.obj,s,fear,,,,", line)
    (refusal,) = refusals(tmp_path)
    assert refusal.startswith("3: ")
    with pytest.raises(DataError, match=f"line 3: .*{reason}"):
        FolderDataset(tmp_path).samples()


def test_what_is_listed_twice_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "a.obj", "b.obj", "c.obj", "d.obj")
    write_list(
        tmp_path,
        "path,subject,emotion,sequence,frame",
        "a.obj,s,fear,take,1",
        "./a.obj,s,anger,,",
        "b.obj,s,fear,take,1",
        "c.obj,t,fear,take,2",
        "d.obj,s,anger,take,3",
    )
    assert refusals(tmp_path) == [
        "3: lists a.obj again (first in line 2); correct one of the lines",
        "4: lists frame 1 of the sequence 'take' again (first in line 2); correct one of the lines",
        "5: gives the sequence 'take' another subject or emotion (first in line 2); correct one of the lines",
        "6: gives the sequence 'take' another subject or emotion (first in line 2); correct one of the lines",
    ]
    with pytest.raises(DataError, match=r"\(and 3 more: see `affectvlm inspect folder "):
        FolderDataset(tmp_path).samples()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            b"path,emotion\na.obj,fear\n",
            "expected the columns path, emotion, subject .*, found no subject",
        ),
        (b"", "expected the columns"),
        (b"path,subject,emotion\n", "lists no scan below its first line"),
        (b"\xff\xfe\x00", "expected a table in UTF-8"),
        (b'path,subject,emotion\n"' + b"x" * 200_000, "cannot be read"),
    ],
)
def test_a_list_that_is_none_is_told(tmp_path: Path, content: bytes, reason: str) -> None:
    touch(tmp_path, "a.obj")
    (tmp_path / "labels.csv").write_bytes(content)
    with pytest.raises(DataError, match=reason) as raised:
        FolderDataset(tmp_path).samples()
    assert "\n" not in str(raised.value)
    assert FolderDataset(tmp_path).inspect().problems[0].blocks


LIST = b"path,subject,emotion,sequence,frame\na.obj,s,fear,t,1\nb.obj,s,fear,t,2\n"
CUTS = st.tuples(
    st.integers(0, len(LIST)), st.integers(0, 9), st.binary(max_size=9) | st.sampled_from([b",", b'"', b"\n", b"\0"])
)


@given(st.lists(CUTS, min_size=1, max_size=4))
@settings(
    max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_damaged_list_is_read_or_refused(tmp_path: Path, cuts: list[tuple[int, int, bytes]]) -> None:
    text = LIST
    for start, length, instead in cuts:
        text = text[:start] + instead + text[start + length :]
    touch(tmp_path, "a.obj", "b.obj")
    (tmp_path / "labels.csv").write_bytes(text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        refusal, keys = "", set()
        try:
            keys = {sample.key for sample in FolderDataset(tmp_path).samples()}
        except DataError as error:
            refusal = str(error)
    assert keys <= {"a.obj", "b.obj"}
    assert bool(keys) != refusal.startswith(f"{tmp_path}/labels.csv")
    assert len(refusal.splitlines()) <= 1


def test_unlisted_scans_and_unread_columns_are_told(tmp_path: Path) -> None:
    touch(tmp_path, "a.obj", "s1/fear/b.obj", "s1/fear/c.ply", "s1/fear/c.png")
    write_list(tmp_path, "path,subject,emotion,intensty", "a.obj,s,fear,3")
    dataset = FolderDataset(tmp_path)
    with pytest.warns(UserWarning, match="columns that are not read: 'intensty'"):
        assert [sample.key for sample in dataset.samples()] == ["a.obj"]
    problems = {problem.path: problem.what for problem in dataset.inspect().problems}
    assert (
        problems[str(tmp_path / "s1/fear")]
        == "holds scans (2) that are not in labels.csv, such as b.obj; they are not used"
    )


def test_a_picture_of_depths_is_a_scan_only_where_a_list_says_so(tmp_path: Path) -> None:
    touch(tmp_path, "s1/fear/depth.png", "s1/fear/a.obj")
    assert [sample.key for sample in FolderDataset(tmp_path).samples()] == ["s1/fear/a.obj"]
    write_list(tmp_path, "path,subject,emotion", "s1/fear/depth.png,s1,fear", "s1/fear/a.obj,s1,fear")
    assert len(FolderDataset(tmp_path).samples()) == 2


def test_scans_at_other_depths_of_a_folder_are_told(tmp_path: Path) -> None:
    touch(tmp_path, "s1/fear/a.obj", "s1/fear/more/b.obj", "s1/c.obj")
    dataset = FolderDataset(tmp_path)
    with pytest.warns(UserWarning, match=r"odd things \(2\)"):
        assert [sample.key for sample in dataset.samples()] == ["s1/fear/a.obj"]
    assert {Path(problem.path).name for problem in dataset.inspect().problems} == {"s1", "more"}


@pytest.mark.parametrize("name", ["folder", "bu4dfe"])
def test_links_that_lead_out_are_never_followed(tmp_path: Path, name: str) -> None:
    place = {"folder": "s1/fear", "bu4dfe": "F001/Fear"}[name]
    touch(tmp_path / "outside", "secret.obj", "Sad/000.obj", content=sheet())
    root = tmp_path / "root"
    touch(root, f"{place}/000.obj", content=sheet())
    os.symlink(tmp_path / "outside/secret.obj", root / place / "001.obj")
    os.symlink("000.obj", root / place / "002.obj")
    os.symlink("003.obj", root / place / "003.obj")
    os.symlink(root / "absent.obj", root / place / "004.obj")
    os.symlink(tmp_path / "outside/Sad", root / place.split("/")[0] / "Sad")
    os.symlink(root, root / "again")
    dataset = open_dataset(name, root, "all")
    with pytest.warns(UserWarning, match=r"odd things \(3\)"):
        files = [sample.load.args[0] for sample in dataset.samples()]
    assert [Path(file).name for file in files] == ["000.obj", "002.obj"]
    told = {Path(problem.path).name: problem.what for problem in dataset.inspect().problems}
    assert "leads out" in told["001.obj"]
    assert "link to a folder" in told["Sad"]
    assert "link to a folder" in told["again"]


def test_a_listed_link_that_leads_out_is_refused(tmp_path: Path) -> None:
    touch(tmp_path / "outside", "secret.obj", "more/secret.obj")
    root = tmp_path / "root"
    touch(root, "a.obj")
    os.symlink(tmp_path / "outside/secret.obj", root / "b.obj")
    os.symlink(tmp_path / "outside/more", root / "more")
    write_list(root, "path,subject,emotion", "a.obj,s,fear", "b.obj,s,fear", "more/secret.obj,s,fear")
    assert [refusal.split(":")[0] for refusal in refusals(root)] == ["3", "4"]


def test_a_list_that_is_a_link_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "root/a.obj")
    write_list(tmp_path, "path,subject,emotion", "a.obj,s,fear")
    os.symlink(tmp_path / "labels.csv", tmp_path / "root/labels.csv")
    with pytest.raises(DataError, match=r"root/labels\.csv: is a link that leads out"):
        FolderDataset(tmp_path / "root").samples()


def test_a_root_that_is_itself_a_link_is_followed(tmp_path: Path) -> None:
    touch(tmp_path, "data/s1/fear/a.obj")
    os.symlink(tmp_path / "data", tmp_path / "link")
    assert [sample.key for sample in FolderDataset(tmp_path / "link").samples()] == ["s1/fear/a.obj"]


def test_names_that_are_no_text_are_told_and_passed_over(tmp_path: Path) -> None:
    name = os.fsdecode(b"M\xfcller")
    touch(tmp_path, f"{name}/fear/a.obj", f"s/fear/{name}.obj", "s/fear/b.obj")
    with pytest.warns(UserWarning, match=r"odd things \(2\), the first: .*M\?ller: has a name that is not in UTF-8"):
        samples = open_dataset("folder", tmp_path).samples()
    assert [sample.key for sample in samples] == ["s/fear/b.obj"]


def test_where_all_is_passed_over_it_is_told_why(tmp_path: Path) -> None:
    touch(tmp_path, "elsewhere/fear/a.obj")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "s").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DataError, match=r"found no files; arrange them so; .*root/s is a link to a folder"):
        open_dataset("folder", tmp_path / "root").samples()


def test_a_walk_ends_at_a_depth(tmp_path: Path) -> None:
    touch(tmp_path, "1/2/3/4/F001/Angry/000.wrl", "1/2/3/4/5/F001/Angry/001.wrl")
    dataset = open_dataset("bu4dfe", tmp_path, "all")
    with pytest.warns(UserWarning, match="is 6 folders deep; those in it are not looked into"):
        assert [sample.frame for sample in dataset.samples()] == [0]


def test_a_folder_that_may_not_be_listed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "s1/fear/a.obj", "s2/fear/a.obj")
    scandir = os.scandir

    def strict(path: Path):
        if Path(path).name == "s2":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", strict)
    (problem,) = FolderDataset(tmp_path).inspect().problems
    assert (problem.path, problem.what) == (
        str(tmp_path / "s2"),
        "cannot be listed (Permission denied); check the permissions",
    )


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("000.wrl", ("000", ".wrl")),
        ("000.WRL.GZ", ("000", ".wrl.gz")),
        ("a.b.PLY", ("a.b", ".ply")),
        ("none", ("none", "")),
        ("x.gz", ("x", ".gz")),
    ],
)
def test_double_endings(name: str, parts: tuple[str, str]) -> None:
    assert split_suffix(name) == parts
