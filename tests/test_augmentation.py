import numpy as np
import pytest
import torch

from affectvlm.views import Rig
from affectvlm.views.augmentation import AugmentationConfig, augment

RIG = Rig(size_px=16)  # depth, then normals: channels 0, and 1 to 3
NOTHING = AugmentationConfig(rotation_deg=0, scaling=0, shift=0, mirror=0, mix=0, hide=0)


def _rngs(count, seed=0):
    return [np.random.default_rng([seed, i]) for i in range(count)]


def _views(count=4, seed=0):
    return torch.randn(count, 3, 4, 16, 16, generator=torch.Generator().manual_seed(seed))


def _augment(views, labels, seed=0, rig=RIG, **changes):
    return _changed(views, labels, _rngs(len(views), seed), rig, NOTHING.model_copy(update=changes))


def _changed(views, labels, rngs, rig, config):
    """The changed views of scans, (B, V, C, H, W), all of which are seen."""
    seen = torch.ones(len(views), 1, views.shape[1], dtype=torch.bool)
    changed, still_seen = augment(views[:, None], seen, np.asarray(labels), rngs, rig, config)
    assert torch.equal(still_seen, seen)
    return changed[:, 0]


def test_without_magnitudes_nothing_changes():
    torch.testing.assert_close(_augment(_views(), [0, 0, 1, 1]), _views(), atol=1e-5, rtol=0)


def test_a_mirrored_face_swaps_left_and_right_flips_and_turns_the_normals_round():
    views = _views(1)
    mirrored = _augment(views, [0], mirror=1)
    front, left, right = views[0].flip(-1)
    expected = torch.stack([front, right, left])
    expected[:, 1] *= -1
    torch.testing.assert_close(mirrored[0], expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(_augment(mirrored, [0], mirror=1), views, atol=1e-5, rtol=0)


def test_a_rig_without_mirror_images_is_never_mirrored():
    rig = Rig(size_px=16, yaw_deg={"front": 0, "left": 30, "far right": -45})
    torch.testing.assert_close(_augment(_views(), [0] * 4, rig=rig, mirror=1), _views(), atol=1e-5, rtol=0)


def test_mixing_takes_the_same_view_of_the_same_emotion_only():
    views, labels = _views(8), np.array([0, 0, 0, 1, 1, 1, 2, 2])
    mixed = _augment(views, labels, mix=1)
    for i in range(8):
        for v in range(3):
            givers = [j for j in range(8) if torch.allclose(mixed[i, v], views[j, v], atol=1e-5)]
            assert len(givers) == 1
            assert labels[givers[0]] == labels[i]
    assert not torch.allclose(mixed, views, atol=1e-3)


def test_every_view_is_moved_in_its_own_way_and_every_sample_by_its_own_draw():
    views = _views(1)[:, :1].expand(2, 3, 4, 16, 16).contiguous()
    moved = _augment(views, [0, 0], rotation_deg=20, shift=0.1)
    flat = moved.flatten(0, 1)
    assert all(not torch.allclose(flat[i], flat[j], atol=1e-2) for i in range(6) for j in range(i))
    alone = _changed(
        views[1:], np.array([0]), _rngs(2)[1:], RIG, NOTHING.model_copy(update={"rotation_deg": 20.0, "shift": 0.1})
    )
    torch.testing.assert_close(alone[0], moved[1])


class _Fixed:
    """A generator whose every draw is one value: the largest change, in a known direction."""

    def __init__(self, *values):
        self.values = np.array(values)

    def uniform(self, low, high, shape):
        return np.tile(self.values, (shape[0], 1))

    def random(self, shape=None):
        return np.full(shape, 0.5) if shape else 0.5


def test_a_quarter_turn_turns_the_picture_and_the_normals_alike():
    views = torch.zeros(1, 3, 4, 16, 16)
    views[:, :, 0] = -1
    views[:, :, 1, 2:4, 7:9] = 1  # above the middle: normals to the right (+x)
    config = NOTHING.model_copy(update={"rotation_deg": 90.0})
    turned = _changed(views, np.array([0]), [_Fixed(1, 0, 0, 0)], RIG, config)
    assert turned[0, 0, 2].abs().sum() == pytest.approx(4, abs=1e-3)  # all four pixels are there, now along y
    rows, cols = np.nonzero(turned[0, 0, 2].abs().numpy() > 0.5)
    # Anti-clockwise: what stood above the middle stands left of it, and what pointed right points up.
    assert sorted(set(cols)) == [2, 3]
    assert sorted(set(rows)) == [7, 8]
    assert turned[0, 0, 2, 7, 2].item() == pytest.approx(1, abs=1e-3)


def test_what_comes_in_from_outside_is_background():
    views = torch.ones(1, 3, 4, 16, 16)
    shifted = _changed(views, np.array([0]), [_Fixed(0, 0, 1, 0)], RIG, NOTHING.model_copy(update={"shift": 0.5}))
    torch.testing.assert_close(shifted[0, 0, :, 0, -1], torch.tensor([-1.0, 0, 0, 0]), atol=1e-5, rtol=0)
    torch.testing.assert_close(shifted[0, 0, :, 0, 0], torch.ones(4), atol=1e-5, rtol=0)


BENT = Rig(size_px=16, maps=("mean_curvature", "normals", "shape_index"))


def _bent_views():
    return torch.randn(1, 3, 5, 16, 16, generator=torch.Generator().manual_seed(0))


def test_a_mirror_leaves_curvature_as_it_is():
    views = _bent_views()
    mirrored = _augment(views, [0], rig=BENT, mirror=1)
    front, left, right = views[0].flip(-1)
    expected = torch.stack([front, right, left])
    expected[:, 1] *= -1
    torch.testing.assert_close(mirrored[0], expected, atol=1e-5, rtol=0)


def test_a_turn_of_the_picture_leaves_curvature_as_it_is():
    views = torch.ones(1, 3, 5, 16, 16)
    config = NOTHING.model_copy(update={"rotation_deg": 90.0})
    turned = _changed(views, np.array([0]), [_Fixed(1, 0, 0, 0)], BENT, config)
    torch.testing.assert_close(turned[:, :, [0, 4]], views[:, :, [0, 4]], atol=1e-5, rtol=0)


def test_beside_the_face_there_is_no_curvature():
    views = torch.ones(1, 3, 5, 16, 16)
    shifted = _changed(views, np.array([0]), [_Fixed(0, 0, 1, 0)], BENT, NOTHING.model_copy(update={"shift": 0.5}))
    torch.testing.assert_close(shifted[0, 0, :, 0, -1], torch.zeros(5), atol=1e-5, rtol=0)


def test_what_is_not_hidden_holds_a_view_that_is_seen_in_as_many_frames_as_any():
    seen = torch.ones(64, 3, 3, dtype=torch.bool)
    seen[:, 1:, 0], seen[:, 0, 1] = False, False  # one frame of the first view, two and three of the others
    views = torch.zeros(64, 3, 3, 4, 16, 16)
    config = NOTHING.model_copy(update={"hide": 0.9})
    _, left = augment(views, seen, np.zeros(64), _rngs(64), RIG, config)
    assert left[:, :, 2].all()
    hidden = ~left.any(dim=1)[:, :2]  # of each of the others nine in ten
    assert (left[:, :, :2] == seen[:, :, :2] & ~hidden[:, None]).all()
    assert 0.8 < hidden.float().mean() < 1

    left = augment(views[:, :1], seen[:, :1], np.zeros(64), _rngs(64), RIG, config)[1][:, 0]
    assert set(left.long().argmax(dim=1).tolist()) == {0, 2}  # of the two that are seen, either stays
    assert (left.any(dim=1) & ~left[:, 1]).all()
