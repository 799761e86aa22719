"""A file is there whole or not at all."""

from pathlib import Path

import pytest

from affectvlm.files import written_whole


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


def test_an_older_file_is_replaced(tmp_path):
    file = tmp_path / "kept.txt"
    file.write_text("old and longer")
    with written_whole(file) as path:
        Path(path).write_text("new")
    assert file.read_text() == "new"
