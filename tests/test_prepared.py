"""Prepared sets: exactly what the renderer gives, whole or not at all, the same however they came about."""

import json
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
from affectvlm.prepared import PreparedSet, prepare, writer
from affectvlm.scan import FaceScan, Sample, normalize
from affectvlm.views import Rig, encode, render, to_channels

SOURCE = "synthetic: a test"
FULL_RIG = Rig(size_px=16, maps=("texture", "normals", "depth"))


@pytest.fixture(scope="module", autouse=True)
def small_shards():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "SHARD_SAMPLES", 2)
        yield


@pytest.fixture(scope="module")
def samples(embedded_samples) -> list[Sample]:
    """Five of two subjects: two whole shards and a half one.

    The second is still to be normalised, the third is neutral, the last has no attributes.
    """
    picked = [embedded_samples[i] for i in (4, 15, 0, 31, 49)]
    return [picked[0], replace(picked[1], normalized=False), *picked[2:4], replace(picked[4], attributes={})]


@pytest.fixture(scope="module")
def made(samples, tiny_rig, tmp_path_factory) -> Path:
    """The folder of a whole set, not to be changed."""
    folder = tmp_path_factory.mktemp("prepared") / "set"
    prepare(samples, tiny_rig, folder, SOURCE)
    return folder


@pytest.fixture
def own(made, tmp_path) -> Path:
    """A copy of the set, to be changed at will."""
    return shutil.copytree(made, tmp_path / "own")


def refuse(reason: str) -> FaceScan:
    raise ScanError(reason)


def fail_first(marker: Path, error: type[BaseException], sample: Sample) -> FaceScan:
    """Load a sample, but not the first time."""
    if not marker.exists():
        marker.touch()
        raise error
    return sample.load()


def rendered(sample: Sample, rig: Rig) -> dict[str, np.ndarray]:
    """What should be kept of a sample: normalised, but never twice."""
    scan = sample.load()
    return encode(render(scan if sample.normalized else normalize(scan), rig))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


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
    assert list(index.columns) == ["key", "subject", "emotion", "intensity", "attributes", "shard", "row"]
    for name in ("key", "subject", "emotion"):
        assert index[name].tolist() == [getattr(s, name) for s in samples]
    assert index["intensity"].dtype == "Int64"
    assert index["emotion"].tolist() == ["anger", "happiness", "neutral", "disgust", "surprise"]
    assert index["intensity"].tolist() == [4, 3, pd.NA, 2, 4]
    assert [prepared.attributes(row) for row in range(5)] == [dict(s.attributes) for s in samples]
    assert list(zip(index["shard"], index["row"], strict=True)) == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)]


def test_a_set_knows_its_rig_source_classes_and_subjects(samples, made, tiny_rig):
    prepared = PreparedSet(made)
    assert (len(prepared), prepared.rig, prepared.source) == (5, tiny_rig, SOURCE)
    assert prepared.classes == ("anger", "disgust", "happiness", "surprise", "neutral")
    first, second = samples[0].subject, samples[4].subject
    assert prepared.subjects == sorted([first, second])
    np.testing.assert_array_equal(prepared.rows_of((second,)), [3, 4])
    np.testing.assert_array_equal(prepared.rows_of((second, first)), range(5))
    np.testing.assert_array_equal(prepared.rows_of(("S009",)), [])
    manifest = json.loads((made / "manifest.json").read_text())
    assert manifest["rig_fingerprint"] == tiny_rig.fingerprint
    assert (manifest["samples"], manifest["skipped"]) == (5, 0)


def test_nothing_temporary_is_left(made):
    shards = [f"shards/0000{n}.{end}" for n in range(3) for end in ("depth.npy", "normals.npy", "parquet")]
    assert sorted(contents(made)) == sorted(["index.parquet", "manifest.json", "plan.json", "skipped.csv", *shards])


def test_two_processes_write_the_same_bytes_as_one(samples, made, tiny_rig, tmp_path):
    prepare(samples, tiny_rig, tmp_path / "set", SOURCE, jobs=2)
    assert contents(tmp_path / "set") == contents(made)


def test_progress_counts_the_samples_up_to_all_of_them(samples, tiny_rig, tmp_path):
    told: list[int] = []
    prepare(samples, tiny_rig, tmp_path / "set", SOURCE, on_progress=told.append)
    assert told == [2, 4, 5]
    prepare(samples, tiny_rig, tmp_path / "set", SOURCE, on_progress=told.append)
    assert told == [2, 4, 5, 5]


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
    bad = replace(samples[2], load=partial(refuse, 'scan.obj: no "face", only hair'))
    prepared = prepare([*samples[:2], bad, *samples[3:]], tiny_rig, tmp_path / "set", SOURCE)
    assert prepared.index["key"].tolist() == [s.key for s in samples if s.key != bad.key]
    skipped = pd.read_csv(tmp_path / "set" / "skipped.csv")
    assert skipped.to_dict("records") == [{"key": bad.key, "skipped": 'scan.obj: no "face", only hair'}]
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


@pytest.mark.parametrize("finished", [True, False])
@pytest.mark.parametrize("other", ["fewer samples", "other keys", "another order", "another rig", "another source"])
def test_a_folder_of_another_set_is_refused_and_left_as_it_is(samples, own, tiny_rig, other, finished):
    if not finished:
        (own / "manifest.json").unlink()
    before = contents(own)
    arguments = {
        "fewer samples": (samples[:4], tiny_rig, own, SOURCE),
        "other keys": ([*samples[:4], replace(samples[4], key="other")], tiny_rig, own, SOURCE),
        "another order": (samples[::-1], tiny_rig, own, SOURCE),
        "another rig": (samples, Rig(size_px=16, pitch_deg=5), own, SOURCE),
        "another source": (samples, tiny_rig, own, "synthetic: another test"),
    }[other]
    with pytest.raises(
        DataError, match=r"holds other prepared views, or such as were made with other settings .*\(see .*plan\.json\)"
    ):
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
    with pytest.raises(DataError, match="expected an empty folder for the prepared views"):
        prepare(samples, tiny_rig, tmp_path / "file", SOURCE)


@pytest.mark.parametrize("folder", ["nowhere", "."])
def test_a_folder_without_a_set_says_how_to_make_one(tmp_path, folder):
    with pytest.raises(DataError, match=r"found no manifest\.json; make one with `affectvlm prepare`"):
        PreparedSet(tmp_path / folder)


def test_a_set_of_another_format_is_refused(own):
    file = own / "manifest.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "format": 99}))
    with pytest.raises(DataError, match=r"expected format 1, found 99; prepare the set again"):
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
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(prepare([sample], tiny_rig, tmp_path / "set", SOURCE)) == 1


def test_scans_that_changed_under_the_same_names_are_not_taken_for_the_old_ones(samples, tiny_rig, tmp_path):
    prepare(samples[:1], tiny_rig, tmp_path / "set", SOURCE)
    for changed in (replace(samples[0], stamp="another"), replace(samples[0], attributes={"sex": "male", "age": "x"})):
        with pytest.raises(DataError, match="holds other prepared views, or such as were made with other settings"):
            prepare([changed], tiny_rig, tmp_path / "set", SOURCE)


def test_a_repeated_key_is_refused(samples, tiny_rig, tmp_path):
    with pytest.raises(DataError, match="same key"):
        prepare([samples[0], samples[0]], tiny_rig, tmp_path / "set", SOURCE)
