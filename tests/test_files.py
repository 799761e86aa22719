"""A file is there whole or not at all."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from affectvlm.errors import DataError
from affectvlm.files import check_claim, claim_folder, locked, remove_leftovers, written_whole


def test_the_file_appears_when_the_block_ends_well_and_not_before(tmp_path):
    file = tmp_path / "new" / "numbers.npz"
    with written_whole(file) as path:
        path.write_text("1 2 3")
        assert not file.exists()
        assert path.parent == file.parent
        assert path.suffix == ".npz"
    assert file.read_text() == "1 2 3"
    assert list(file.parent.iterdir()) == [file]


def fail_halfway(file: Path, error: type[BaseException]) -> None:
    with written_whole(file) as path:
        path.write_text("half of the ne")
        raise error


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_a_block_that_fails_leaves_the_file_as_it_was(tmp_path, error):
    file = tmp_path / "kept.txt"
    file.write_text("old")
    with pytest.raises(error):
        fail_halfway(file, error)
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_block_that_fails_leaves_no_new_file(tmp_path):
    with pytest.raises(RuntimeError):
        fail_halfway(tmp_path / "new.txt", RuntimeError)
    assert list(tmp_path.iterdir()) == []


def test_a_block_that_writes_nothing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), written_whole(tmp_path / "new.txt"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_processes_of_the_same_number_on_two_machines_do_not_meet_in_a_file(tmp_path):
    file = tmp_path / "new.txt"
    with written_whole(file) as ours, written_whole(file) as theirs:
        ours.write_text("ours")
        theirs.write_text("theirs")
    assert file.read_text() == "ours"
    assert list(tmp_path.iterdir()) == [file]


def test_what_a_killed_process_had_begun_is_recognised(tmp_path):
    block = written_whole(tmp_path / "new.txt")
    block.__enter__().write_text("half of the ne")
    assert len(list(tmp_path.iterdir())) == 1
    remove_leftovers(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_older_file_is_replaced(tmp_path):
    file = tmp_path / "kept.txt"
    file.write_text("old and longer")
    with written_whole(file) as path:
        Path(path).write_text("new")
    assert file.read_text() == "new"


def test_a_locked_folder_is_one_processs_alone(tmp_path):
    folder = tmp_path / "new" / "set"
    with locked(folder):
        expected = (
            f"{folder}: expected to be alone here, found process {os.getpid()} on {socket.gethostname()} at work; "
        )
        with pytest.raises(DataError) as refused, locked(folder):
            pass
        assert str(refused.value).startswith(expected)
    assert list(folder.iterdir()) == []
    with locked(folder):
        assert [path.name for path in folder.iterdir()] == [".lock"]


def test_a_killed_process_leaves_its_folder_to_the_next(tmp_path):
    """The other process says when it has the folder, and is killed in it."""
    code = """
import sys
from pathlib import Path
from affectvlm.files import locked
with locked(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "locked\n"
        with pytest.raises(DataError, match=f"found process {other.pid} on"), locked(tmp_path):
            pass
        other.send_signal(signal.SIGKILL)
        other.wait()
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]
    with locked(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_file_cannot_be_locked_as_a_folder(tmp_path):
    (file := tmp_path / "file").write_text("kept")
    with pytest.raises(DataError, match="expected an empty folder, found a file"), locked(file):
        pass
    assert file.read_text() == "kept"


def test_leftovers_are_removed_and_nothing_else(tmp_path):
    (tmp_path / "deep").mkdir()
    kept = [tmp_path / "deep" / "a.npy", tmp_path / ".hidden", tmp_path / "unfinished.txt"]
    leftovers = [tmp_path / ".a.npy.12.unfinished.npy", tmp_path / "deep" / ".b.12.unfinished"]
    for path in (*kept, *leftovers):
        path.write_text("x")
    remove_leftovers(tmp_path)
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(kept)


def test_a_claim_on_a_folder_with_another_plan_names_what_differs(tmp_path):
    claim_folder(tmp_path, {"rig": {"size": 64, "maps": ["depth"]}, "samples": 3}, "views")
    before = (tmp_path / "plan.json").read_bytes()
    with pytest.raises(DataError) as refused:
        claim_folder(tmp_path, {"rig": {"size": 96, "maps": ["depth"]}, "samples": 3, "new": True}, "views")
    assert str(refused.value) == (
        f"{tmp_path}: holds other views, or such as were made with other settings or another version: "
        f"rig.size is 64 there and 96 here, new is None there and True here (see {tmp_path / 'plan.json'}); "
        "choose another folder, or delete this one first"
    )
    assert (tmp_path / "plan.json").read_bytes() == before


def test_a_hash_that_differs_is_told_in_words_and_only_where_nothing_else_does(tmp_path):
    claim_folder(tmp_path, {"size": 64, "fingerprint": "abc"}, "views")
    with pytest.raises(DataError, match=r"version: the files or their labels have changed \(see "):
        claim_folder(tmp_path, {"size": 64, "fingerprint": "def"}, "views")
    with pytest.raises(DataError, match=r"version: size is 64 there and 96 here \(see "):
        claim_folder(tmp_path, {"size": 96, "fingerprint": "def"}, "views")


def test_a_claim_is_checked_without_being_made(tmp_path):
    check_claim(tmp_path, {"size": 64}, "views")
    assert list(tmp_path.iterdir()) == []
    claim_folder(tmp_path, {"size": 64}, "views")
    check_claim(tmp_path, {"size": 64}, "views")
    with pytest.raises(DataError, match="size is 64 there and 96 here"):
        check_claim(tmp_path, {"size": 96}, "views")
