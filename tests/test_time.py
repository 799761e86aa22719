"""Time: frames of a sequence into one embedding, of any length, with frames that are missing."""

import math

import pytest
import torch

from affectvlm.emotions import EMOTIONS
from affectvlm.model import AffectVLM, ModelConfig
from affectvlm.model.time import TemporalAttention, TemporalMean, build_time, dynamic_images, sines
from affectvlm.views import Rig

D = 8
KINDS = ("mean", "attention", "causal")


def _random_time(name):
    """One that is not its own start."""
    torch.manual_seed(3)
    time = build_time(name, D).double().eval()
    for parameter in time.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return time


def _frames(count=3, length=5):
    frames = torch.randn(count, length, D, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return torch.nn.functional.normalize(frames, dim=-1)


def _all_seen(frames):
    return torch.ones(frames.shape[:2], dtype=torch.bool)


@pytest.mark.parametrize("name", KINDS)
def test_at_the_start_time_is_the_mean_direction_of_the_frames_that_are_seen(name):
    frames = _frames(2)
    seen = torch.tensor([[True] * 5, [True, False, False, True, False]])
    mean = torch.stack([frames[0].mean(dim=0), frames[1, [0, 3]].mean(dim=0)])
    summed = build_time(name, D).double()(frames, seen)
    torch.testing.assert_close(summed, mean / mean.norm(dim=1, keepdim=True))


@pytest.mark.parametrize("name", KINDS)
def test_filling_up_at_the_end_changes_nothing_whatever_it_holds(name):
    time, frames = _random_time(name), _frames(3, 5)
    longer = torch.cat([frames, torch.full((3, 4, D), torch.nan, dtype=torch.float64)], dim=1)
    seen = torch.arange(9).expand(3, 9) < 5
    torch.testing.assert_close(time(longer, seen), time(frames, _all_seen(frames)))


@pytest.mark.parametrize("name", KINDS)
def test_a_missing_frame_is_never_looked_at_and_gets_no_gradient(name):
    time, frames = _random_time(name), _frames().requires_grad_()
    seen = torch.tensor([[True, True, False, True, False]]).expand(3, 5)
    summed = time(frames, seen)
    (gradient,) = torch.autograd.grad(summed.sum(), frames)
    assert (gradient[:, [2, 4]] == 0).all()
    other = frames.detach().clone()
    other[:, [2, 4]] = torch.nan
    torch.testing.assert_close(time(other, seen), summed)


@pytest.mark.parametrize("name", KINDS)
def test_sequences_do_not_know_of_each_other_and_unseen_ones_are_zero_with_finite_gradients(name):
    time, frames = _random_time(name), _frames().requires_grad_()
    seen = torch.tensor([[True] * 5, [False] * 5, [False, True, False, True, True]])
    summed = time(frames, seen)
    for i in range(3):
        torch.testing.assert_close(time(frames[i : i + 1], seen[i : i + 1])[0], summed[i])
    assert (summed[1] == 0).all()
    torch.testing.assert_close(summed[[0, 2]].norm(dim=1), torch.ones(2, dtype=torch.float64))
    (gradient,) = torch.autograd.grad(summed.sum(), frames)
    assert gradient.isfinite().all()


def test_causal_attention_says_of_a_frame_what_it_says_where_the_sequence_ends_there_and_the_other_looks_ahead():
    frames = _frames()
    seen = torch.tensor([[True, True, False, True, True], [True] * 5, [False, True, True, False, True]])
    causal, ahead = _random_time("causal"), _random_time("attention")
    for length in range(1, 5):
        for whole, ends_there in zip(
            causal._attend(frames, seen), causal._attend(frames[:, :length], seen[:, :length]), strict=True
        ):
            torch.testing.assert_close(whole[:, :length], ends_there)
        assert not torch.allclose(
            ahead._attend(frames, seen)[0][:, :length], ahead._attend(frames[:, :length], seen[:, :length])[0]
        )


def test_attention_knows_the_order_of_the_frames_and_the_mean_does_not():
    frames = _frames()
    seen = _all_seen(frames)
    torch.testing.assert_close(TemporalMean()(frames.flip(1), seen), TemporalMean()(frames, seen))
    time = _random_time("attention")
    assert not torch.allclose(time(frames.flip(1), seen), time(frames, seen), atol=1e-2)


def test_attention_learns_from_its_start():
    torch.manual_seed(0)
    time, frames = TemporalAttention(D, causal=False), _frames().float()
    time(frames, _all_seen(frames)).square()[:, 0].sum().backward()
    assert all(time.get_parameter(name).grad.abs().max() > 0 for name in ("attention.out_proj.weight", "score.weight"))


@pytest.mark.parametrize(("name", "learns"), [("mean", False), ("attention", True), ("causal", True)])
def test_attention_learns_to_tell_a_movement_from_its_reverse_and_the_mean_cannot(name, learns):
    torch.manual_seed(0)
    start, stop = torch.nn.functional.normalize(torch.randn(2, D), dim=1)
    share = torch.linspace(0, 1, 6)[:, None]
    movement = torch.nn.functional.normalize((1 - share) * start + share * stop, dim=1)
    frames = torch.stack([movement, movement.flip(0)])
    time, classes = build_time(name, D), torch.nn.Linear(D, 2)
    optimizer = torch.optim.Adam([*time.parameters(), *classes.parameters()], lr=0.02)
    for _ in range(100):
        loss = torch.nn.functional.cross_entropy(classes(time(frames, _all_seen(frames))), torch.tensor([0, 1]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    # Two alike cannot be told apart better than by a guess: log 2.
    assert loss.item() < 0.1 if learns else loss.item() > math.log(2) - 1e-3


def test_frames_are_told_apart_by_sines_of_their_number():
    told = sines(3, 4)
    expected = [[math.sin(t), math.cos(t), math.sin(t / 100), math.cos(t / 100)] for t in range(3)]
    torch.testing.assert_close(told, torch.tensor(expected))


def _videos(length, views=2):
    return torch.randn(2, length, views, 1, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_a_dynamic_image_is_the_ranked_sum_of_the_frames_that_are_seen():
    videos = _videos(4)
    seen = torch.ones(2, 4, 2, dtype=torch.bool)
    seen[1, 1, 0] = False
    images, shown = dynamic_images(videos, seen)
    assert images.shape == (2, 1, 2, 1, 2, 2)
    assert shown.all()
    # Of four frames the weights are -3, -1, 1, 3, by 16 / 4; of three -2, 0, 2, by 9 / 4.
    whole = (-3 * videos[0, 0] - videos[0, 1] + videos[0, 2] + 3 * videos[0, 3]) / 4
    torch.testing.assert_close(images[0, 0], whole)
    torch.testing.assert_close(images[1, 0, 0], (2 * videos[1, 3, 0] - 2 * videos[1, 0, 0]) / 2.25)


def test_a_face_at_rest_has_an_empty_dynamic_image_and_backwards_is_its_negative():
    videos = _videos(5)
    seen = torch.ones(2, 5, 2, dtype=torch.bool)
    still, _ = dynamic_images(videos[:, :1].expand(2, 5, 2, 1, 2, 2), seen)
    torch.testing.assert_close(still, torch.zeros_like(still))
    torch.testing.assert_close(dynamic_images(videos.flip(1), seen)[0], -dynamic_images(videos, seen)[0])


def test_what_a_frame_that_is_not_seen_holds_is_never_looked_at():
    videos, seen = _videos(4).float(), torch.ones(2, 4, 2, dtype=torch.bool)
    seen[0, 3, 1] = False
    expected, _ = dynamic_images(videos, seen)
    videos[0, 3, 1] = torch.nan
    assert torch.equal(dynamic_images(videos, seen)[0], expected)


def test_a_dynamic_image_under_mixed_precision_is_that_of_single_precision():
    # A surface that moves by 1 mm, where depth counts in 100 mm.
    videos = _videos(8).float()[:, :1] + torch.linspace(0, 0.01, 8)[:, None, None, None, None]
    seen = torch.ones(2, 8, 2, dtype=torch.bool)
    expected, _ = dynamic_images(videos, seen)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(dynamic_images(videos, seen)[0], expected)


def test_fewer_than_two_frames_make_no_dynamic_image():
    seen = torch.tensor([[[True, True], [True, False], [False, False]]] * 2)  # the second view: one frame
    _, shown = dynamic_images(_videos(3), seen)
    assert shown.tolist() == [[[True, False]]] * 2


TINY = {"image_widths": (8, 8), "text_width": 16, "text_layers": 1, "text_heads": 2, "embedding_dim": 12}
RIG = Rig(size_px=16)


def _model(time):
    torch.manual_seed(0)
    model = AffectVLM.build(ModelConfig(**TINY, time=time, frames=4), EMOTIONS, RIG).eval()
    for parameter in model.time.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return model


def _clip(length=4):
    generator = torch.Generator().manual_seed(4)
    seen = torch.rand(2, length, 3, generator=generator) < 0.7
    seen[:, :, 0] = True
    return torch.randn(2, length, 3, 4, 16, 16, generator=generator), seen


@pytest.mark.parametrize("time", ["mean", "attention", "causal", "rank_pooling"])
def test_a_model_of_sequences_is_saved_whole_and_blind_to_what_is_missing(time, tmp_path):
    model, (views, seen) = _model(time), _clip()
    with torch.inference_mode():
        faces = model.encode_faces(views, seen)
        torch.testing.assert_close(faces.norm(dim=1), torch.ones(2))
        model.save(tmp_path / "model")
        assert torch.equal(AffectVLM.load(tmp_path / "model").encode_faces(views, seen), faces)
        views[~seen] = torch.nan
        torch.testing.assert_close(model.encode_faces(views, seen), faces)


def test_a_view_that_is_seen_in_one_frame_takes_no_part_in_a_model_of_movement():
    model, (views, seen) = _model("rank_pooling"), _clip()
    seen[:], seen[0, 1:, 2] = True, False  # the third view of the first face: one frame
    assert model.present(seen).tolist() == [[True, True, False], [True, True, True]]
    with torch.inference_mode():
        faces = model.encode_faces(views, seen)
        seen[0, 0, 2] = False
        torch.testing.assert_close(model.encode_faces(views, seen), faces)
