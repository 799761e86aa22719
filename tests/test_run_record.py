"""What a run writes down about itself."""

import json
import os
import platform
import shutil
import subprocess
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import pytest

from affectvlm import run_record
from affectvlm.run_record import RunRecord, peak_memory_mib


@pytest.fixture
def clock(monkeypatch):
    """A clock that is told what time it is."""
    now = [100.0]
    monkeypatch.setattr(run_record.time, "perf_counter", lambda: now[0])
    return now


def test_stages_are_timed_in_their_order(clock):
    record = RunRecord(seed=1)
    for name, seconds in (("views", 2.5), ("training", 40.0)):
        with record.stage(name):
            clock[0] += seconds
        clock[0] += 1
    assert list(record.stages_s.items()) == [("views", 2.5), ("training", 40.0)]
    assert record.total_s == 44.5


def test_a_workers_highest_peak_counts_and_each_worker_once(monkeypatch):
    monkeypatch.setattr(run_record, "peak_memory_mib", lambda: 100.0)
    record = RunRecord(seed=1)
    for pid, peak in ((-1, 30.0), (-2, 50.0), (-1, 70.0), (-1, 60.0), (os.getpid(), 999.0)):
        record.saw_worker(pid, peak)
    assert record.peak_memory_mib == 100 + 70 + 50


def test_the_peak_is_that_of_this_process_in_mib():
    block = bytearray(os.urandom(1) * 2**20 * 64)
    # At least the block and an interpreter with numpy; far from what a wrong unit (1024 times off) would say.
    assert len(block) / 2**20 < peak_memory_mib() < 64 * 1024


def test_the_file_holds_what_is_needed_to_read_the_numbers_later(tmp_path, clock):
    record = RunRecord(seed=7)
    with record.stage("views"):
        clock[0] += 1.234
    record.write(tmp_path / "run" / "environment.json", "0123456789abcdef")
    kept = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert kept["seed"] == 7
    assert kept["rig_fingerprint"] == "0123456789abcdef"
    assert kept["stages_s"] == {"views": 1.23}
    assert kept["total_s"] == 1.23
    assert kept["python"] == platform.python_version()
    assert kept["versions"].items() >= {"torch": version("torch"), "numpy": version("numpy")}.items()
    assert datetime.fromisoformat(kept["started"]).utcoffset() is not None


def test_without_git_on_the_machine_there_is_no_revision(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert run_record._git_revision() is None


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """Somebody's repository in which the package lies, not committed."""
    if shutil.which("git") is None:
        pytest.skip("no git on this machine")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    (tmp_path / "run_record.py").write_text("")
    (tmp_path / "theirs.py").write_text("")
    commit(tmp_path, "theirs.py")
    monkeypatch.setattr(run_record, "__file__", str(tmp_path / "run_record.py"))
    return tmp_path


def commit(repository: Path, name: str) -> str:
    git = ["git", "-C", str(repository), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run([*git, "add", name], check=True)
    subprocess.run([*git, "commit", "--quiet", "-m", name], check=True)
    return subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()


def test_the_revision_is_that_of_the_packages_own_tree_and_says_when_it_was_changed(repository):
    revision = commit(repository, "run_record.py")
    assert run_record._git_revision() == revision[:12]
    (repository / "theirs.py").write_text("changed")
    assert run_record._git_revision() == f"{revision[:12]}-dirty"


def test_the_repository_that_an_installed_package_happens_to_lie_in_is_not_its_revision(repository):
    assert run_record._git_revision() is None
