"""Prepared sets: exactly what the renderer gives, whole or not at all, the same however they came about."""

import json
import math
import os
import pickle
import re
import shutil
import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from affectvlm.errors import DataError, ScanError
from affectvlm.prepared import PreparedSet, prepare, prepared_set, samples_done, shard, writer
from affectvlm.prepared.clips import Clips
from affectvlm.scan import FaceScan, Sample, normalize
from affectvlm.views import Rig, encode, render, to_channels
from affectvlm.views.jitter import Jitter, render_jittered

SOURCE = "synthetic: a test"
FULL_RIG = Rig(size_px=16, maps=("texture", "normals", "depth"))
JITTER = Jitter(drawings=2)


@pytest.fixture(scope="module", autouse=True)
def small_shards():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shard, "SHARD_SAMPLES", 2)
        yield


@pytest.fixture(scope="module")
def samples(embedded_samples) -> list[Sample]:
    """Five of two subjects: two whole shards and a half one.

    The second is still to be normalised, the third is neutral, the last two are frames, the last has no attributes.
    """
    picked = [embedded_samples[i] for i in (4, 15, 0, 31, 49)]
    return [
        picked[0],
        replace(picked[1], normalized=False),
        picked[2],
        replace(picked[3], sequence="S/take", frame=0),
        replace(picked[4], sequence="S/take", frame=7, attributes={}),
    ]


@pytest.fixture(scope="module")
def made(samples, tiny_rig, tmp_path_factory) -> Path:
    """The folder of a whole set, not to be changed."""
    folder = tmp_path_factory.mktemp("prepared") / "set"
    prepare(samples, tiny_rig, folder, SOURCE)
    return folder


@pytest.fixture(scope="module")
def jittered(samples, tiny_rig, tmp_path_factory) -> Path:
    """The folder of the same set with two further drawings, not to be changed."""
    folder = tmp_path_factory.mktemp("jittered") / "set"
    prepare(samples, tiny_rig, folder, SOURCE, jitter=JITTER)
    return folder


@pytest.fixture
def own(made, tmp_path) -> Path:
    """A copy of the set, to be changed at will."""
    return shutil.copytree(made, tmp_path / "own")


def refuse(reason: str) -> FaceScan:
    raise ScanError(reason)


def refuse_file(file: str, reason: str) -> FaceScan:
    raise ScanError(f"{file}: {reason}")


def too_dark() -> FaceScan:
    raise ScanError("too dark")


def fail_first(marker: Path, error: type[BaseException], sample: Sample) -> FaceScan:
    """Load a sample, but not the first time."""
    if not marker.exists():
        marker.touch()
        raise error
    return sample.load()


def rendered(sample: Sample, rig: Rig) -> dict[str, np.ndarray]:
    """What should be kept of a sample: normalised, but never twice."""
    scan = sample.load()
    return encode(render(scan if sample.normalized else normalize(scan).face, rig))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_no_more_maps_are_open_than_a_process_may_have_files(made, monkeypatch):
    whole = PreparedSet(made).channels(np.arange(5))
    monkeypatch.setattr(prepared_set, "MOST_OPEN", 2)
    prepared = PreparedSet(made)
    for row in (0, 4, 2, 1, 3, 0):
        np.testing.assert_array_equal(prepared.channels(np.array([row])), whole[[row]])
        assert len(prepared._open) <= 2


@pytest.mark.filterwarnings("ignore:.*no texture:UserWarning")
@pytest.mark.parametrize("rig", [Rig(size_px=16), FULL_RIG, Rig(size_px=16, maps=("depth",))], ids=lambda r: r.maps)
def test_channels_are_those_of_the_rendered_scan_in_any_order_of_rows(samples, rig, tmp_path):
    prepared = prepare(samples, rig, tmp_path / "set", SOURCE)
    expected = np.stack([to_channels(rendered(s, rig), rig) for s in samples])
    assert expected.shape == (5, 3, rig.channels, 16, 16)
    rows = np.array([4, 0, 2, 2])
    np.testing.assert_array_equal(prepared.channels(rows), expected[rows])
    np.testing.assert_array_equal(prepared.channels(np.arange(5)), expected)
    assert prepared.channels(rows).dtype == np.float32


@pytest.mark.filterwarnings("ignore:.*no texture:UserWarning")
def test_views_of_a_row_are_what_was_kept(samples, tmp_path):
    prepared = prepare(samples, FULL_RIG, tmp_path / "set", SOURCE)
    for row in (0, 3, 4):
        kept = rendered(samples[row], FULL_RIG)
        views = prepared.views(row)
        assert views.rig == FULL_RIG
        again = encode(views)
        assert list(again) == list(kept)
        for name in kept:
            np.testing.assert_array_equal(again[name], kept[name])


def test_the_index_says_what_is_known_of_each_sample(samples, made):
    prepared = PreparedSet(made)
    index = prepared.index
    described = ["key", "subject", "emotion", "intensity", "attributes", "sequence", "frame", "quality"]
    assert list(index.columns) == [*described, "shard", "row"]
    for name in ("key", "subject", "emotion"):
        assert index[name].tolist() == [getattr(s, name) for s in samples]
    assert [index[name].dtype for name in ("intensity", "sequence", "frame", "quality")] == [
        "Int64",
        "string",
        "Int64",
        "Float32",
    ]
    assert index["sequence"].tolist() == [pd.NA] * 3 + ["S/take", "S/take"]
    assert index["frame"].tolist() == [pd.NA] * 3 + [0, 7]
    # Only the second did not come normalised, so that nothing was found out about the others.
    assert index["quality"].isna().tolist() == [True, False, True, True, True]
    assert index["quality"][1] == np.float32(normalize(samples[1].load()).quality.score)
    assert index["emotion"].tolist() == ["anger", "happiness", "neutral", "disgust", "surprise"]
    assert index["intensity"].tolist() == [4, 3, pd.NA, 2, 4]
    assert [json.loads(known) for known in index["attributes"]] == [dict(s.attributes) for s in samples]
    assert list(zip(index["shard"], index["row"], strict=True)) == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)]


def test_a_set_knows_its_rig_source_classes_and_subjects(samples, made, tiny_rig):
    prepared = PreparedSet(made)
    assert (len(prepared), prepared.rig, prepared.source) == (5, tiny_rig, SOURCE)
    assert prepared.classes == ("anger", "disgust", "happiness", "surprise", "neutral")
    first, second = samples[0].subject, samples[4].subject
    assert prepared.subjects == sorted([first, second])
    clips = Clips(prepared)
    np.testing.assert_array_equal(clips.of((second,)), [3, 4])
    np.testing.assert_array_equal(clips.of((second, first)), range(5))
    np.testing.assert_array_equal(clips.of(("S009",)), [])
    manifest = json.loads((made / "manifest.json").read_text())
    assert manifest["rig_fingerprint"] == tiny_rig.fingerprint
    assert (manifest["samples"], manifest["skipped"]) == (5, 0)


def test_nothing_temporary_is_left(made):
    shards = [f"shards/0000{n}.{end}" for n in range(3) for end in ("depth.npy", "normals.npy", "parquet")]
    assert sorted(contents(made)) == sorted(["index.parquet", "manifest.json", "plan.json", "skipped.csv", *shards])


def test_two_processes_write_the_same_bytes_as_one(samples, made, tiny_rig, tmp_path):
    prepare(samples, tiny_rig, tmp_path / "set", SOURCE, jobs=2)
    assert contents(tmp_path / "set") == contents(made)


def test_progress_is_told_while_it_goes_on(samples, tiny_rig, tmp_path):
    """Each sample, when it is loaded, asks how many are done: as many as stand in whole shards before its own."""
    folder, told = tmp_path / "set", []

    def load(sample: Sample) -> FaceScan:
        told.append(samples_done(folder, 5))
        return sample.load()

    prepare([replace(s, load=partial(load, s)) for s in samples], tiny_rig, folder, SOURCE)
    assert told == [0, 0, 2, 2, 4]
    assert samples_done(folder, 5) == 5


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_run_is_no_set_and_ends_as_an_uninterrupted_one(samples, made, tiny_rig, tmp_path, error):
    broken = tmp_path / "set"
    load = partial(fail_first, tmp_path / "marker", error, samples[3])
    interrupted = [*samples[:3], replace(samples[3], load=load), samples[4]]

    with pytest.raises(error):
        prepare(interrupted, tiny_rig, broken, SOURCE)
    assert not (broken / "manifest.json").exists()
    assert (broken / "shards" / "00000.parquet").exists()
    assert not list((broken / "shards").glob("00001.*"))
    with pytest.raises(DataError, match="or run the same command again if it was interrupted"):
        PreparedSet(broken)

    prepare(interrupted, tiny_rig, broken, SOURCE)
    assert contents(broken) == contents(made)


def test_a_finished_shard_is_not_made_again(samples, tiny_rig, tmp_path):
    """The first run fails at the last shard; in the second, only that one's samples may be loaded."""
    folder = tmp_path / "set"
    last = replace(samples[4], load=partial(fail_first, tmp_path / "marker", RuntimeError, samples[4]))
    with pytest.raises(RuntimeError):
        prepare([*samples[:4], last], tiny_rig, folder, SOURCE)
    unloadable = [replace(s, load=partial(refuse, "loaded again")) for s in samples[:4]]
    assert len(prepare([*unloadable, last], tiny_rig, folder, SOURCE)) == 5


def test_a_finished_set_is_opened_without_loading_anything(samples, own, made, tiny_rig):
    unloadable = [replace(s, load=partial(refuse, "loaded again")) for s in samples]
    assert len(prepare(unloadable, tiny_rig, own, SOURCE)) == 5
    assert contents(own) == contents(made)


def test_a_scan_that_cannot_be_used_is_named_with_its_reason_and_the_rest_is_used(samples, made, tiny_rig, tmp_path):
    bad = replace(samples[2], load=partial(refuse_file, "scan.obj", 'no "face", only hair'))
    unnamed = replace(samples[4], key="unnamed", load=too_dark)
    prepared = prepare([*samples[:2], bad, *samples[3:], unnamed], tiny_rig, tmp_path / "set", SOURCE)
    assert prepared.index["key"].tolist() == [s.key for s in samples if s.key != bad.key]
    skipped = pd.read_csv(tmp_path / "set" / "skipped.csv", keep_default_na=False)
    assert skipped.to_dict("records") == [
        {"key": bad.key, "path": "scan.obj", "reason": 'scan.obj: no "face", only hair'},
        {"key": unnamed.key, "path": "", "reason": "too dark"},
    ]
    whole = PreparedSet(made)
    np.testing.assert_array_equal(prepared.channels(np.arange(4)), whole.channels(np.array([0, 1, 3, 4])))


def test_a_shard_without_any_usable_scan_does_no_harm(samples, tiny_rig, tmp_path):
    bad = [replace(s, load=partial(refuse, "no")) for s in samples[:2]]
    prepared = prepare([*bad, *samples[2:]], tiny_rig, tmp_path / "set", SOURCE)
    assert prepared.index["key"].tolist() == [s.key for s in samples[2:]]
    assert prepared.channels(np.arange(3)).shape == (3, 3, 4, 16, 16)


def test_when_no_scan_can_be_used_there_is_no_set(samples, tiny_rig, tmp_path):
    bad = [replace(s, load=partial(refuse, f"{s.key}: too dark")) for s in samples]
    expected = f"none of the 5 scans could be used; the first: {re.escape(samples[0].key)}: too dark"
    with pytest.raises(DataError, match=expected):
        prepare(bad, tiny_rig, tmp_path / "set", SOURCE)
    with pytest.raises(DataError, match=r"found no manifest\.json"):
        PreparedSet(tmp_path / "set")


def test_no_samples_at_all_are_refused(tiny_rig, tmp_path):
    with pytest.raises(DataError, match="there are no samples to prepare"):
        prepare([], tiny_rig, tmp_path / "set", SOURCE)
    assert not (tmp_path / "set").exists()


OTHER = {
    "fewer samples": "samples is 5 there and 4 here",
    "other keys": "the files or their labels have changed",
    "another sequence": "the files or their labels have changed",
    "another order": "the files or their labels have changed",
    "another rig": r"rig\.pitch_deg is 0\.0 there and 5\.0 here",
    "jitter": r"jitter\.drawings is None there and 2 here, .*, jitter\.light is None there and 0\.5 here",
    "another source": "source is synthetic: a test there and synthetic: another test here",
}


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize("other", OTHER)
def test_a_folder_of_another_set_is_refused_and_left_as_it_is(samples, own, tiny_rig, other, finished):
    if not finished:
        (own / "manifest.json").unlink()
    before = contents(own)
    arguments = {
        "fewer samples": (samples[:4], tiny_rig, own, SOURCE),
        "another sequence": ([*samples[:4], replace(samples[4], sequence="S/2")], tiny_rig, own, SOURCE),
        "other keys": ([*samples[:4], replace(samples[4], key="other")], tiny_rig, own, SOURCE),
        "another order": (samples[::-1], tiny_rig, own, SOURCE),
        "another rig": (samples, Rig(size_px=16, pitch_deg=5), own, SOURCE),
        "another source": (samples, tiny_rig, own, "synthetic: another test"),
        "jitter": (samples, tiny_rig, own, SOURCE, 1, JITTER),
    }[other]
    line = rf"holds other prepared views, or such .* another version: {OTHER[other]} \(see .*plan\.json\)"
    with pytest.raises(DataError, match=line):
        prepare(*arguments)
    assert contents(own) == before


def test_a_folder_with_other_things_in_it_is_refused_and_left_as_it_is(samples, tiny_rig, tmp_path):
    (tmp_path / "holiday.jpg").write_bytes(b"sun")
    with pytest.raises(DataError, match="expected an empty folder for the prepared views"):
        prepare(samples, tiny_rig, tmp_path, SOURCE)
    assert contents(tmp_path) == {"holiday.jpg": b"sun"}


def test_an_empty_folder_is_taken(samples, tiny_rig, tmp_path):
    assert len(prepare(samples[:1], tiny_rig, tmp_path, SOURCE)) == 1


def test_a_folder_that_is_none_is_refused(samples, tiny_rig, tmp_path):
    (tmp_path / "file").write_text("a file")
    with pytest.raises(DataError, match="expected an empty folder, found a file"):
        prepare(samples, tiny_rig, tmp_path / "file", SOURCE)


@pytest.mark.parametrize("folder", ["nowhere", "."])
def test_a_folder_without_a_set_says_how_to_make_one(tmp_path, folder):
    with pytest.raises(DataError, match=r"found no manifest\.json; make one with `affectvlm prepare`"):
        PreparedSet(tmp_path / folder)


def test_a_set_of_another_format_is_refused(own):
    file = own / "manifest.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "format": 99}))
    with pytest.raises(DataError, match=r"expected format 2, found 99; prepare the set again"):
        PreparedSet(own)


def test_a_set_that_travels_to_another_process_opens_its_own_maps(made):
    prepared = PreparedSet(made)
    channels = prepared.channels(np.arange(5))
    maps = list(prepared._open.values())
    assert len(maps) == 3 * 2
    assert all(isinstance(kept, np.memmap) and not kept.flags.writeable for kept in maps)
    copy = pickle.loads(pickle.dumps(prepared))
    assert copy._open == {}
    assert len(prepared._open) == 6
    np.testing.assert_array_equal(copy.channels(np.arange(5)), channels)
    assert all(kept is not mine for kept in copy._open.values() for mine in maps)


def test_a_guessed_unit_is_not_told_once_a_scan(samples, tiny_rig, tmp_path):
    scan = samples[0].load()
    in_metres = scan.moved(np.eye(3), np.zeros(3), 0.001)
    sample = replace(samples[0], load=lambda: in_metres, normalized=False)
    again = replace(sample, key="again")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = prepare([sample, samples[2], again], tiny_rig, tmp_path / "set", SOURCE)
    assert len(made) == 3
    assert made.warnings == {"taken to be in metres, and brought to millimetres": 2}


def test_scans_that_changed_under_the_same_names_are_not_taken_for_the_old_ones(samples, tiny_rig, tmp_path):
    prepare(samples[:1], tiny_rig, tmp_path / "set", SOURCE)
    for changed in (replace(samples[0], stamp="another"), replace(samples[0], attributes={"sex": "male", "age": "x"})):
        with pytest.raises(DataError, match="holds other prepared views, or such as were made with other settings"):
            prepare([changed], tiny_rig, tmp_path / "set", SOURCE)


def test_a_repeated_key_is_refused(samples, tiny_rig, tmp_path):
    with pytest.raises(DataError, match="same key"):
        prepare([samples[0], samples[0]], tiny_rig, tmp_path / "set", SOURCE)


def test_a_fault_of_the_programs_own_names_the_sample(samples, tiny_rig, tmp_path):
    broken = replace(samples[1], load=partial(fail_first, tmp_path / "marker", IndexError("out of bounds"), samples[1]))
    with pytest.raises(IndexError) as raised:
        prepare([samples[0], broken], tiny_rig, tmp_path / "set", SOURCE, jobs=2)
    assert f"while preparing {broken.key}" in raised.value.__notes__


def test_a_disk_that_is_too_small_is_told_before_anything_is_rendered(samples, tiny_rig, tmp_path, monkeypatch):
    """A sample of three views of 16 px takes 2 bytes a pixel for depth and 3 for normals, and 100 MB are spared."""
    unloadable = [replace(s, load=partial(refuse, "loaded")) for s in samples]
    needed = 5 * 3 * 16 * 16 * (2 + 3) + 100_000_000
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**12, 10**12, needed - 1))
    line = r"5 scans take 1 MB and 100 MB are kept spare, found 100 MB free; free some, choose another disk"
    with pytest.raises(DataError, match=line):
        prepare(unloadable, tiny_rig, tmp_path / "set", SOURCE)
    assert contents(tmp_path / "set") == {}
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**12, 10**12, needed))
    assert len(prepare(samples, tiny_rig, tmp_path / "set", SOURCE)) == 5


def test_what_the_line_about_a_small_disk_advises_can_be_done_in_the_same_folder(
    samples, tiny_rig, tmp_path, monkeypatch
):
    """There is room for views of 16 px, and none for those of 24 px."""
    room = 5 * 3 * 16 * 16 * (2 + 3) + 100_000_000
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**12, 10**12, room))
    with pytest.raises(DataError, match=r"smaller views \(--size\) or fewer maps \(--maps\)"):
        prepare(samples, Rig(size_px=24), tmp_path / "set", SOURCE)
    assert prepare(samples, tiny_rig, tmp_path / "set", SOURCE).rig == tiny_rig


@pytest.mark.parametrize(
    ("n_bytes", "needed", "free"),
    [
        (1, "1 MB", "0 MB"),
        (100_000_000, "100 MB", "100 MB"),
        (100_000_001, "101 MB", "100 MB"),
        (1_000_000_000, "1.0 GB", "1.0 GB"),
        (45_622_080_000, "45.7 GB", "45.6 GB"),
    ],
)
def test_what_is_needed_is_never_told_as_less_and_what_is_free_never_as_more(n_bytes, needed, free):
    assert (writer._amount(n_bytes, math.ceil), writer._amount(n_bytes, math.floor)) == (needed, free)


@pytest.mark.filterwarnings("ignore:.*no texture:UserWarning")
@pytest.mark.parametrize("rig", [Rig(size_px=16), FULL_RIG], ids=lambda r: r.maps)
def test_what_a_scan_takes_on_disk_is_known_beforehand(samples, rig, tmp_path):
    prepared = prepare(samples, rig, tmp_path / "set", SOURCE)
    arrays = [np.load(path) for path in (tmp_path / "set" / "shards").glob("*.npy")]
    assert sum(array.nbytes for array in arrays) == len(prepared) * shard.sample_bytes(rig)


def test_two_at_once_in_one_folder_do_no_harm(samples, made, tiny_rig, tmp_path):
    """The second comes while the first renders; it is sent away, and the first ends undisturbed."""
    folder = tmp_path / "set"
    sent_away: list[str] = []

    def load() -> FaceScan:
        with pytest.raises(DataError) as refused:
            prepare(samples, tiny_rig, folder, SOURCE)
        sent_away.append(str(refused.value))
        return samples[0].load()

    prepare([replace(samples[0], load=load), *samples[1:]], tiny_rig, folder, SOURCE)
    (line,) = sent_away
    assert re.search(rf"expected to be alone here, found process {os.getpid()} on \S+ at work; wait for it", line)
    assert contents(folder) == contents(made)


def test_what_killed_runs_left_is_cleaned_away(samples, made, own, tiny_rig):
    for name in ("manifest.json", "shards/00001.parquet", "shards/00001.depth.npy"):
        (own / name).unlink()
    (own / "shards" / ".00001.depth.npy.99999.unfinished.npy").write_bytes(b"half")
    (own / ".index.parquet.99999.unfinished.parquet").write_bytes(b"half")
    (own / ".lock").write_text("process 99999 on a machine that lost its power")
    prepare(samples, tiny_rig, own, SOURCE)
    assert contents(own) == contents(made)


def test_workers_that_write_to_another_disk_are_found_out(samples, tiny_rig, tmp_path, monkeypatch):
    """As on a cluster whose machines share no file system."""
    monkeypatch.setattr(writer, "write_shard", lambda folder, *rest: shard.write_shard(tmp_path / "elsewhere", *rest))
    line = r"the workers wrote 3 shards, found 0 here; a cluster's machines must all see this folder"
    with pytest.raises(DataError, match=line):
        prepare(samples, tiny_rig, tmp_path / "set", SOURCE)


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (
            "scans/a b.ply: taken to be in metres, and brought to millimetres",
            "taken to be in metres, and brought to millimetres",
        ),
        ("x.obj: 12 of 3.5 triangles left out", "N of N triangles left out"),
        ("no file 7", "no file N"),
    ],
)
def test_warnings_are_counted_without_their_files_and_numbers(message, kind):
    assert shard._kind(message) == kind


def test_a_run_that_was_killed_after_its_last_file_leaves_nothing_in_the_end(samples, made, own, tiny_rig):
    (own / ".lock").write_text("process 99999 on a machine that lost its power")
    prepare(samples, tiny_rig, own, SOURCE)
    assert contents(own) == contents(made)


def test_without_further_drawings_there_is_no_trace_of_them(samples, made, tiny_rig):
    """Sets made before there were any stay what they were."""
    manifest = json.loads((made / "manifest.json").read_text())
    assert "jitter" not in manifest
    assert (PreparedSet(made).drawings, PreparedSet(made).jitter) == (0, None)
    expected = [rendered(s, tiny_rig) for s in samples]
    for name in tiny_rig.maps:
        kept = [np.load(made / "shards" / f"0000{n}.{name}.npy") for n in range(3)]
        np.testing.assert_array_equal(np.concatenate(kept), np.stack([maps[name] for maps in expected]))


def test_every_view_comes_from_the_drawing_that_is_asked_for(samples, made, jittered, tiny_rig):
    prepared = PreparedSet(jittered)
    assert (prepared.drawings, prepared.jitter, len(prepared)) == (2, JITTER, 5)
    exact = PreparedSet(made).channels(np.arange(5))
    np.testing.assert_array_equal(prepared.channels(np.arange(5)), exact)
    np.testing.assert_array_equal(prepared.channels(np.arange(5), np.zeros((5, 3), int)), exact)
    every = np.empty((3, *exact.shape), np.float32)  # (drawings, n, V, C, H, W)
    every[0] = exact
    for row, sample in enumerate(samples):
        scan, rng = sample.load(), shard._rng_of(sample)
        face = scan if sample.normalized else normalize(scan).face
        for drawing in (1, 2):
            every[drawing, row] = to_channels(encode(render_jittered(face, tiny_rig, JITTER, rng)), tiny_rig)
    rows = np.array([4, 0, 0, 3])
    drawings = np.array([[0, 1, 2], [2, 2, 0], [1, 1, 1], [2, 0, 1]])
    np.testing.assert_array_equal(prepared.channels(rows, drawings), every[drawings, rows[:, None], np.arange(3)])
    for row in range(5):
        np.testing.assert_array_equal(prepared.views(row).depth, PreparedSet(made).views(row).depth)


def test_the_drawings_of_a_scan_do_not_depend_on_the_others_nor_on_who_makes_them(
    samples, jittered, tiny_rig, tmp_path
):
    prepare(samples, tiny_rig, tmp_path / "two", SOURCE, 2, JITTER)
    assert contents(tmp_path / "two") == contents(jittered)
    drawings = np.full((5, 3), 2)
    turned = prepare(samples[::-1], tiny_rig, tmp_path / "turned", SOURCE, jitter=JITTER)
    expected = PreparedSet(jittered).channels(np.arange(5), drawings)
    np.testing.assert_array_equal(turned.channels(np.arange(5)[::-1], drawings), expected)
    # One drawing is the first of two.
    fewer = prepare(samples[:1], tiny_rig, tmp_path / "one", SOURCE, jitter=Jitter(drawings=1))
    one = np.ones((1, 3), int)
    np.testing.assert_array_equal(
        fewer.channels(np.array([0]), one), PreparedSet(jittered).channels(np.array([0]), one)
    )


def test_an_interrupted_run_ends_with_the_same_drawings(samples, jittered, tiny_rig, tmp_path):
    load = partial(fail_first, tmp_path / "marker", KeyboardInterrupt, samples[3])
    interrupted = [*samples[:3], replace(samples[3], load=load), samples[4]]
    with pytest.raises(KeyboardInterrupt):
        prepare(interrupted, tiny_rig, tmp_path / "set", SOURCE, jitter=JITTER)
    prepare(interrupted, tiny_rig, tmp_path / "set", SOURCE, jitter=JITTER)
    assert contents(tmp_path / "set") == contents(jittered)


def test_the_frames_of_a_sequence_are_drawn_by_the_same_cameras(samples, tiny_rig, tmp_path):
    """One face, three times: as two frames, and as a scan of its own."""
    frame = replace(samples[3], key="first")
    alone = replace(frame, key="alone", sequence=None, frame=None)
    made = prepare([frame, replace(frame, key="second", frame=1), alone], tiny_rig, tmp_path, SOURCE, jitter=JITTER)
    first, second, third = made.channels(np.arange(3), np.ones((3, 3), int))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, third)


def test_the_disk_that_further_drawings_take_is_known_beforehand(samples, jittered, tiny_rig, tmp_path, monkeypatch):
    arrays = [np.load(path) for path in (jittered / "shards").glob("*.npy")]
    needed = sum(array.nbytes for array in arrays)
    assert needed == 5 * shard.sample_bytes(tiny_rig, JITTER) == 5 * 3 * shard.sample_bytes(tiny_rig)
    room = needed + 100_000_000 - 1
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**12, 10**12, room))
    with pytest.raises(DataError, match=r"or fewer maps \(--maps\) or drawings \(--drawings\)$"):
        prepare(samples, tiny_rig, tmp_path / "set", SOURCE, jitter=JITTER)
    assert len(prepare(samples, tiny_rig, tmp_path / "set", SOURCE, jitter=Jitter(drawings=1))) == 5
