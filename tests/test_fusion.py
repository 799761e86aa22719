"""Fusion over the views, whichever of them are there."""

import pytest
import torch

from affectvlm.model.fusion import LearnedWeights, ViewAttention, build_fusion

KINDS = ("mean", "weights", "attention")
D = 6


def _random_fusion(name):
    """One whose weights are not equal, unless it is the mean."""
    torch.manual_seed(2)
    fusion = build_fusion(name, 3, D).double()
    for parameter in fusion.parameters():
        torch.nn.init.normal_(parameter)
    return fusion


def _views(count=4):
    views = torch.randn(count, 3, D, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return torch.nn.functional.normalize(views, dim=-1)


@pytest.mark.parametrize("name", KINDS)
def test_at_the_start_every_fusion_is_the_mean_of_the_views_that_are_seen(name):
    views = _views(2)
    seen = torch.tensor([[True, True, True], [True, False, True]])
    mean = torch.stack([views[0].mean(dim=0), views[1, [0, 2]].mean(dim=0)])
    fused = build_fusion(name, 3, D).double()(views, seen)
    torch.testing.assert_close(fused, mean / mean.norm(dim=1, keepdim=True))


def test_learned_weights_are_the_softmax_of_their_logits():
    fusion = LearnedWeights(3)
    with torch.no_grad():
        fusion.logits.copy_(torch.tensor([0.5, 0.3, 0.2]).log())
    orthogonal = torch.eye(3)[None]
    expected = torch.tensor([[0.5, 0.3, 0.2]])
    torch.testing.assert_close(fusion(orthogonal, torch.ones(1, 3, dtype=torch.bool)), expected / expected.norm())
    # Without the second view the others keep their proportion: 5 to 2.
    weights = fusion.weights(orthogonal, torch.tensor([[True, False, True]]))
    torch.testing.assert_close(weights, torch.tensor([[5 / 7, 0, 2 / 7]]))


def test_attention_weights_are_the_softmax_of_the_bias_plus_a_score_of_what_is_shown():
    fusion, views = _random_fusion("attention"), _views()
    assert isinstance(fusion, ViewAttention)
    scores = [
        fusion.logits[v] + fusion.score.weight[0] @ torch.tanh(fusion.hidden.weight @ views[1, v]) for v in range(3)
    ]
    weights = fusion.weights(views, torch.ones(4, 3, dtype=torch.bool))
    torch.testing.assert_close(weights[1], torch.stack(scores).softmax(dim=0))
    assert not torch.allclose(weights[0], weights[1], atol=1e-3)


@pytest.mark.parametrize("name", KINDS)
def test_a_missing_view_is_never_looked_at_and_gets_no_gradient(name):
    fusion, seen = _random_fusion(name), torch.tensor([[True, False, True]] * 4)
    views = _views().requires_grad_()
    fused = fusion(views, seen)
    (gradient,) = torch.autograd.grad(fused.sum(), views)
    assert (gradient[:, 1] == 0).all()
    with torch.no_grad():
        other = views.clone()
        other[:, 1] = torch.nan
        assert torch.equal(fusion(other, seen), fused)


@pytest.mark.parametrize("name", KINDS)
def test_under_mixed_precision_fusion_is_that_of_single_precision(name):
    fusion, views, seen = _random_fusion(name).float(), _views().float(), torch.tensor([[True, False, True]] * 4)
    expected = fusion(views, seen)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(fusion(views, seen), expected)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("one", range(3))
def test_a_single_view_that_is_seen_is_the_fused_face_itself(name, one):
    seen = torch.arange(3).expand(4, 3) == one
    torch.testing.assert_close(_random_fusion(name)(_views(), seen), _views()[:, one])


@pytest.mark.parametrize("name", KINDS)
def test_weights_are_positive_and_sum_to_one_over_every_subset_of_the_views(name):
    fusion, views = _random_fusion(name), _views(1)
    for subset in range(1, 8):
        seen = torch.tensor([[bool(subset >> v & 1) for v in range(3)]])
        weights = fusion.weights(views, seen)
        torch.testing.assert_close(weights.sum(dim=1), torch.ones(1, dtype=torch.float64))
        assert ((weights > 0) == seen).all()
        torch.testing.assert_close(fusion(views, seen).norm(dim=1), torch.ones(1, dtype=torch.float64))


@pytest.mark.parametrize("name", KINDS)
def test_a_face_of_which_nothing_is_seen_is_zero_with_finite_gradients(name):
    views = _views().requires_grad_()
    fused = _random_fusion(name)(views, torch.zeros(4, 3, dtype=torch.bool))
    assert (fused == 0).all()
    (gradient,) = torch.autograd.grad(fused.sum(), views)
    assert gradient.isfinite().all()
