"""Batches of training and of evaluation: which samples come when, on one process and on many."""

from collections import Counter

import numpy as np
import pytest

from affectvlm.errors import ConfigError
from affectvlm.prepared import PreparedSet
from affectvlm.prepared.clips import Clips
from affectvlm.training.data import BalancedBatches, ClipDataset, EachOnce

UNEVEN = np.repeat([0, 2, 3, 5, 7], [40, 1, 13, 6, 25])  # class of each of 85 samples
EVEN = np.tile(np.arange(6), 8)


def batches(labels, size, epoch=0, **settings):
    """An epoch of batches; the samples are the numbers from 100."""
    sampler = BalancedBatches(100 + np.arange(len(labels)), labels, size, **{"seed": 3, **settings})
    sampler.set_epoch(epoch)
    found = list(sampler)
    assert len(found) == len(sampler)
    return found


def samples_of(draws):
    return np.concatenate([draw.samples for draw in draws])


@pytest.mark.parametrize("labels", [UNEVEN, EVEN])
@pytest.mark.parametrize("size", [8, 11, 30])
@pytest.mark.parametrize("world", [1, 2, 3])
def test_each_class_has_its_share_of_a_batch_and_of_every_part_of_it_to_one_sample(labels, size, world):
    size = size // world * world
    classes = np.unique(labels)
    for epoch in range(3):
        processes = [batches(labels, size, epoch, rank=rank, world=world) for rank in range(world)]
        for shares in zip(*processes, strict=True):
            for part in (samples_of(shares), *(share.samples for share in shares), shares[0].samples[1:]):
                counts = [int((labels[part - 100] == name).sum()) for name in classes]
                assert set(counts) <= {len(part) // len(classes), -(-len(part) // len(classes))}


def test_with_equal_classes_every_sample_comes_once_an_epoch_in_a_new_order():
    for epoch in range(3):
        np.testing.assert_array_equal(np.sort(samples_of(batches(EVEN, 8, epoch))), 100 + np.arange(48))
    assert not np.array_equal(samples_of(batches(EVEN, 8, 0)), samples_of(batches(EVEN, 8, 1)))


def test_an_incomplete_last_batch_is_left_out_with_other_samples_each_epoch():
    left_out = []
    for epoch in range(10):
        came = samples_of(batches(EVEN, 9, epoch))
        assert len(came) == len(set(came)) == 45
        left_out += set(100 + np.arange(48)) - set(came)
    assert len(set(left_out)) > 10


def test_every_class_shows_all_its_samples_before_it_shows_one_again_over_the_epochs():
    """To those that an incomplete last batch would have held."""
    # 17 rounds an epoch; 85 places in it, which are 17 batches of 5.
    came = np.concatenate([samples_of(batches(UNEVEN, 5, epoch)) for epoch in range(6)])
    for name in np.unique(UNEVEN):
        shown = came[UNEVEN[came - 100] == name]
        members = 100 + np.flatnonzero(np.isin(UNEVEN, name))
        assert len(shown) == 6 * 17
        for start in range(0, len(shown) - len(members) + 1, len(members)):
            np.testing.assert_array_equal(np.sort(shown[start : start + len(members)]), members)


def test_a_turn_says_how_often_a_sample_was_shown_before():
    counts = Counter()
    for epoch in range(6):
        for draw in batches(UNEVEN, 5, epoch):
            for sample, turn in zip(draw.samples.tolist(), draw.turns.tolist(), strict=True):
                assert counts[sample] == turn
                counts[sample] += 1
    assert counts[140] == 6 * 17  # alone in its class
    assert {counts[sample] for sample in range(100, 140)} == {2, 3}  # of the largest class: 102 places for 40


@pytest.mark.parametrize("labels", [UNEVEN, EVEN])
def test_the_processes_shares_make_up_the_batches_of_one_process(labels):
    whole = batches(labels, 8, 2)
    shares = [batches(labels, 8, 2, rank=rank, world=2) for rank in (0, 1)]
    for batch, *parts in zip(whole, *shares, strict=True):
        assert [len(part.samples) for part in parts] == [4, 4]
        np.testing.assert_array_equal(samples_of(parts), batch.samples)
        np.testing.assert_array_equal(np.concatenate([part.turns for part in parts]), batch.turns)


def test_the_same_seed_gives_the_same_batches_and_another_seed_others():
    first = samples_of(batches(UNEVEN, 8, 1))
    np.testing.assert_array_equal(first, samples_of(batches(UNEVEN, 8, 1)))
    assert not np.array_equal(first, samples_of(batches(UNEVEN, 8, 1, seed=4)))


def test_fewer_samples_than_a_batch_are_one_batch_in_which_a_rare_one_comes_again():
    (batch,) = batches(np.array([0, 0, 0, 1]), 32)
    assert len(batch.samples) == 4
    assert (batch.samples == 103).sum() == 2
    assert len(set(batch.samples)) == 3
    assert sorted(batch.turns[batch.samples == 103]) == [0, 1]


def test_samples_of_one_class_are_a_new_permutation_each_epoch():
    for epoch in range(2):
        np.testing.assert_array_equal(np.sort(samples_of(batches(np.zeros(40), 8, epoch))), 100 + np.arange(40))


def test_batches_too_small_for_the_processes_are_refused():
    with pytest.raises(ConfigError, match="fewer than 2 to each of 2 processes"):
        BalancedBatches(np.arange(10), np.zeros(10), 2, seed=0, rank=0, world=2)


def test_a_batch_says_of_its_samples_how_often_they_were_shown(tiny_set):
    """A study's classes: neutral has a quarter of the scans of any other."""
    clips = Clips(PreparedSet(tiny_set))
    dataset = ClipDataset(clips, seed=0)
    sampler = BalancedBatches(np.arange(len(clips)), clips.labels, 14, seed=0)
    for draw in sampler:
        batch = dataset[draw]
        np.testing.assert_array_equal(np.bincount(batch.labels.numpy()), 2)
        np.testing.assert_array_equal(batch.turns.numpy(), draw.turns)
    (draw,) = EachOnce(np.arange(4), 4)
    assert (dataset[draw].turns == 0).all()


def test_evaluation_sees_every_sample_exactly_once_on_any_number_of_processes():
    rows = np.arange(100, 117)
    for world in (1, 2, 3, 5):
        seen = [row for rank in range(world) for row in samples_of(EachOnce(rows, 4, rank, world))]
        assert sorted(seen) == list(rows)
