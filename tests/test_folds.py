"""Folds: a partition of the subjects that nothing leaks through, drawn the same every time."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affectvlm.errors import ConfigError, DataError
from affectvlm.evaluation.folds import Split

SUBJECTS = [f"F{i:04d}" for i in range(1, 24)]


@given(
    n_subjects=st.integers(3, 60),
    n_folds=st.integers(2, 12),
    seed=st.integers(0, 2**32 - 1),
    share=st.floats(0.01, 0.99),
)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_every_draw_is_a_leak_free_partition_of_even_sizes(n_subjects, n_folds, seed, share):
    names = [f"s{i}" for i in range(n_subjects)]
    if n_subjects < n_folds or n_subjects - -(-n_subjects // n_folds) < 2:
        with pytest.raises(DataError, match=f"{n_subjects} subjects are too few for {n_folds} folds"):
            Split.draw(names, n_folds, seed, share)
        return
    split = Split.draw(names, n_folds, seed, share)
    assert [fold.index for fold in split.folds] == list(range(n_folds))
    assert sorted(s for fold in split.folds for s in fold.test) == sorted(names)
    for fold in split.folds:
        assert sorted(fold.train + fold.validation + fold.test) == sorted(names)
        assert fold.train
        assert fold.validation
    sizes = [len(fold.test) for fold in split.folds]
    assert max(sizes) - min(sizes) <= 1


def test_the_split_of_bosphorus_has_the_published_sizes():
    split = Split.draw([f"bs{i:03d}" for i in range(60)], n_folds=10, seed=0)
    assert {(len(f.train), len(f.validation), len(f.test)) for f in split.folds} == {(49, 5, 6)}


def test_order_and_repeats_of_the_subjects_change_nothing():
    split = Split.draw(SUBJECTS, 5, seed=3)
    assert Split.draw(SUBJECTS[::-1] + SUBJECTS, 5, seed=3) == split
    assert split.subjects == tuple(SUBJECTS)


def test_the_seed_decides_the_draw():
    assert Split.draw(SUBJECTS, 5, seed=3) == Split.draw(SUBJECTS, 5, seed=3)
    assert Split.draw(SUBJECTS, 5, seed=3).folds != Split.draw(SUBJECTS, 5, seed=4).folds


def test_the_draw_is_the_same_on_every_machine():
    split = Split.draw(list("abcdefg"), 3, seed=0)
    assert [f.test for f in split.folds] == [("b", "c", "g"), ("e", "f"), ("a", "d")]
    assert [f.validation for f in split.folds] == [("d",), ("a",), ("f",)]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_folds": 1}, "at least 2 folds, got 1"),
        ({"n_folds": 5, "validation_share": 0.0}, "between 0 and 1, got 0.0"),
        ({"n_folds": 5, "validation_share": 1.0}, "between 0 and 1, got 1.0"),
    ],
)
def test_impossible_settings_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        Split.draw(SUBJECTS, **settings)


def test_a_manifest_comes_back_as_it_was_saved(tmp_path: Path):
    split = Split.draw([*SUBJECTS, 'of "quotes"', "Ünal"], 4, seed=7, validation_share=0.25)
    split.save(tmp_path / "folds.json")
    assert Split.load(tmp_path / "folds.json") == split
    # Nothing is left beside it, and a person finds one line a part: head, 4 x 4 lines, foot.
    assert [p.name for p in tmp_path.iterdir()] == ["folds.json"]
    text = (tmp_path / "folds.json").read_text(encoding="utf-8")
    assert len(text.splitlines()) == 4 + 4 * 4 + 2
    assert json.loads(text) == split.model_dump(mode="json")
    assert "Ünal" in text


def _leak_test_into_train(manifest):
    manifest["folds"][1]["train"].append(manifest["folds"][1]["test"][0])


def _leak_validation_into_test(manifest):
    manifest["folds"][1]["validation"].append(manifest["folds"][1]["test"][0])


def _drop_from_train(manifest):
    manifest["folds"][1]["train"].remove("b")


def _test_twice(manifest):
    manifest["folds"][1]["test"].append(manifest["folds"][0]["test"][0])


def _never_test(manifest):
    manifest["folds"][0]["test"].remove(manifest["folds"][0]["test"][0])


def _repeat_within_a_part(manifest):
    manifest["folds"][2]["train"] *= 2


def _empty_validation(manifest):
    fold = manifest["folds"][2]
    fold["train"] += fold["validation"]
    fold["validation"] = []


def _swap_folds(manifest):
    manifest["folds"].reverse()


def _no_folds(manifest):
    manifest["folds"] = []


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (_leak_test_into_train, "subject '{tested}' stands in the train part and in the test part of fold 1"),
        (_leak_validation_into_test, "subject '{tested}' stands in the validation part and in the test part"),
        (_drop_from_train, "subject 'b' stands in no part of fold 1"),
        (_test_twice, "is tested in fold 0 and again in fold 1"),
        (_never_test, "stands in no fold's test part"),
        (_repeat_within_a_part, "stands twice in the train part of fold 2"),
        (_empty_validation, "fold 2 has no validation subjects"),
        (_swap_folds, "the fold at position 0 has index 2"),
        (_no_folds, "the split has no folds"),
    ],
)
def test_a_manifest_with_a_leak_is_refused_by_name(tmp_path: Path, edit, message):
    split = Split.draw(list("abcdefg"), 3, seed=0)
    manifest = split.model_dump(mode="json")
    edit(manifest)
    path = tmp_path / "folds.json"
    path.write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        Split.load(path)
    assert str(path) in str(caught.value)
    assert message.format(tested=split.folds[1].test[0]) in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"seed": 1}', '{"seed": 1, "folds": 3, "more": 1}'])
def test_a_file_that_is_no_manifest_is_refused(tmp_path: Path, text: str):
    path = tmp_path / "folds.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="not a split manifest"):
        Split.load(path)


def test_a_missing_manifest_is_refused(tmp_path: Path):
    with pytest.raises(DataError, match="cannot read the split manifest"):
        Split.load(tmp_path / "folds.json")
