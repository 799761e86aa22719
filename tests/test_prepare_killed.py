"""`affectvlm prepare`, killed again and again, ends with the same bytes as when it is left alone."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import trimesh

SCANS = 36
SHARD = 3
DEADLINE_S = 120

# The command line itself, with small shards: the scans are few.
PROGRAM = f"""
from affectvlm.prepared import shard
shard.SHARD_SAMPLES = {SHARD}
from affectvlm.cli import main
if __name__ == "__main__":
    main()
"""


@pytest.fixture(scope="module")
def scans(embedded_samples, tmp_path_factory) -> Path:
    """A folder of scans of two subjects, one of which cannot be read and one of which is in metres."""
    root = tmp_path_factory.mktemp("scans")
    for number in range(SCANS):
        sample = embedded_samples[number % len(embedded_samples)]
        scan = sample.load()
        folder = root / sample.subject / sample.emotion
        folder.mkdir(parents=True, exist_ok=True)
        vertices = scan.vertices / 1000 if number == 1 else scan.vertices
        trimesh.Trimesh(vertices, scan.triangles, process=False).export(folder / f"{number:03d}.ply")
    (root / sample.subject / sample.emotion / "broken.ply").write_bytes(b"ply\nformat")
    return root


@pytest.fixture(scope="module")
def program(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("program") / "prepare.py"
    file.write_text(PROGRAM)
    return file


def start(program: Path, scans: Path, to: Path, jobs: int) -> subprocess.Popen[str]:
    command = [sys.executable, program, "prepare", "folder", scans, "--out", to, "--size", "16", "--jobs", str(jobs)]
    return subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Look until something has happened, or the process has ended."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition() and process.poll() is None:
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.005)


def tables(to: Path) -> int:
    return len(list((to / "shards").glob("[0-9]*.parquet")))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def undisturbed(program, scans, tmp_path_factory) -> Path:
    to = tmp_path_factory.mktemp("undisturbed") / "set"
    process = start(program, scans, to, jobs=1)
    output, error = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, error
    assert f"{SCANS} scans of 2 subjects are in {to}\n1 of {SCANS + 1} scans could not be used" in output
    return to


def kill(process: subprocess.Popen[str], workers_too: bool) -> None:
    if workers_too:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.communicate()


@pytest.mark.slow
def test_killed_at_any_moment_it_ends_with_the_same_bytes(program, scans, undisturbed, tmp_path):
    """Killed before anything is there, in the midst of a shard, after 1, 3, ... tables; its workers with it or not.

    Workers that outlive their parent stop by themselves. They may still write a table or two, but only whole ones.
    """
    to = tmp_path / "set"
    moments: list[tuple[Callable[[], bool], bool]] = [
        (lambda: to.exists(), False),
        (lambda: (to / "plan.json").exists(), True),
        (lambda: bool(list((to / "shards").glob(".*unfinished*"))), True),
        (lambda: tables(to) >= 1, False),
        (lambda: tables(to) >= 4, True),
        (lambda: bool(list((to / "shards").glob(".*unfinished*"))), False),
        (lambda: tables(to) >= 8, False),
        (lambda: tables(to) >= 13, True),
        (lambda: (to / "index.parquet").exists(), True),
    ]
    killed = 0
    for happened, workers_too in moments:
        process = start(program, scans, to, jobs=2)
        wait_for(happened, process)
        killed += process.poll() is None
        kill(process, workers_too) if process.poll() is None else process.communicate()
    assert killed >= 6  # the last moments can have passed before they were seen
    process = start(program, scans, to, jobs=2)
    output, error = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, error) == (0, "")
    assert f"{SCANS} scans of 2 subjects are in {to}\n" in output
    assert contents(to) == contents(undisturbed)


@pytest.mark.slow
def test_ctrl_c_leaves_a_folder_that_goes_on_and_says_so_in_a_line(program, scans, undisturbed, tmp_path):
    """Ctrl-C reaches the workers too, as in a terminal."""
    to = tmp_path / "set"
    process = start(program, scans, to, jobs=2)
    wait_for(lambda: tables(to) >= 2, process)
    os.killpg(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 130
    assert error.strip().splitlines() == [
        "interrupted; demo, synth, prepare, train and evaluate go on when given again"
    ]
    assert not (to / "manifest.json").exists()
    process = start(program, scans, to, jobs=2)
    process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0
    assert contents(to) == contents(undisturbed)


@pytest.mark.slow
def test_what_was_skipped_and_warned_of_is_told(undisturbed):
    (skipped,) = pd.read_csv(undisturbed / "skipped.csv").to_dict("records")
    assert skipped["key"].endswith("broken.ply")
    assert skipped["path"].endswith(skipped["key"])
    assert skipped["reason"].startswith(skipped["path"])
    index = pd.read_parquet(undisturbed / "index.parquet")
    assert len(index) == SCANS
    assert np.all((index["quality"] > 0) & (index["quality"] <= 1))
    assert '"taken to be in metres, and brought to millimetres": 1' in (undisturbed / "manifest.json").read_text()
