"""The harness sees what it is there to see, and damages the same files in the same way every time."""

import gzip
import hashlib
import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from . import faulty
from .campaign import run_cases
from .cases import Case, cases, damaged_files
from .fixtures import make_fixtures
from .mutators import MUTATORS, mutated, zipped

EXPECTED = {
    "well": None,
    "refuse": None,
    "stumble": "IndexError",
    "warn": "RuntimeWarning",
    "say_nothing_of_the_file": "names no file",
    "warn_in_two_lines": "a warning is not one printable line",
    "say_two_lines": "not one printable line",
    "hang": "in hang",
    "swell": "took 1024 MiB",
    "ask_for_everything": "asked for too much memory",
    "crash": "in crash",
    "look_outside": "secret.png, outside the folder",
    "look_up": "outside the folder",
    "write": "wrote ",
    "index_beyond": "index out of bounds in compiled code",
}


def test_every_fault_is_seen_and_laid_to_its_case():
    names = [read.__name__ for read in faulty.READERS]
    assert names == list(EXPECTED)
    results = run_cases([Case(name, None) for name in names], registry=faulty.__name__, cpu_s=2.0)
    assert [result.case.fixture for result in results] == names
    for result in results:
        wanted = EXPECTED[result.case.fixture]
        complaint = result.verdict.complaint
        assert complaint is None if wanted is None else wanted in complaint, f"{result.case}: {complaint}"
    assert [result.case.fixture for result in results if result.verdict.refusal] == [
        "refuse",
        "say_nothing_of_the_file",
        "say_two_lines",
        "ask_for_everything",
        "index_beyond",
    ]


def test_a_case_is_always_the_same_and_almost_always_another_than_the_last(tmp_path):
    fixtures = make_fixtures(tmp_path)
    plan = cases(list(fixtures), 10 * len(fixtures))
    seen = []
    for case in plan:
        files = damaged_files(case, fixtures)
        assert files == damaged_files(case, fixtures)
        seen.append(hashlib.sha256(repr((case.fixture, sorted(files.items()))).encode()).hexdigest())
    assert len(set(seen)) > 0.95 * len(plan)


@pytest.mark.parametrize("mutate", [mutate for mutate, _ in MUTATORS], ids=lambda mutate: mutate.__name__)
def test_every_mutator_takes_anything(mutate):
    rng = np.random.default_rng(0)
    changed = 0
    for content in (b"", b"a", b"1 2", b"v 1 2 3 face.png\n" * 50, bytes(range(256)) * 4):
        for _ in range(50):
            damaged = mutate(content, [b"", b"other 7"], rng)
            assert isinstance(damaged, bytes)
            changed += damaged != content
    assert changed >= 30


def test_a_container_stays_whole_when_its_content_is_damaged(tmp_path):
    fixtures = make_fixtures(tmp_path)
    rng = np.random.default_rng(0)
    whole = dict.fromkeys(("gz", "zip", "png", "glb"), 0)
    packed = {
        "gz": gzip.compress(b"v 1 2 3\n" * 40, mtime=0),
        "png": fixtures["picture, png"].files["face.png"],
        "glb": fixtures["glb"].files["face.glb"],
        "zip": zipped({"points.npy": b"numbers" * 30, "more.npy": b"other" * 30}),
    }
    for kind, content in packed.items():
        for _ in range(100):
            damaged = mutated(content, [content], rng)
            try:
                if kind == "gz":
                    gzip.decompress(damaged)
                elif kind == "zip":
                    with zipfile.ZipFile(io.BytesIO(damaged)) as archive:
                        assert archive.testzip() is None
                elif kind == "png":
                    Image.open(io.BytesIO(damaged)).verify()
                else:
                    assert int.from_bytes(damaged[8:12], "little") == len(damaged)
                whole[kind] += 1
            except Exception:
                continue
    assert min(whole.values()) > 50, whole
