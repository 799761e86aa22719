"""The paper's loss: its default and literal forms, its triplets and its margin."""

import math

import numpy as np
import pytest
import torch

from affectvlm.objectives.bounded import Bounded
from affectvlm.objectives.config import MultiviewConfig
from affectvlm.objectives.multiview import MultiviewLoss
from affectvlm.objectives.triplets import hard_triplets


def _at_degrees(*angles, dtype=torch.float64):
    radians = torch.deg2rad(torch.tensor(angles, dtype=dtype))
    return torch.stack([radians.cos(), radians.sin()], dim=1)


def _module(temperature=1e-3, **settings):
    forms = {"sums": "normalised", "mining": "soft", **settings}
    return MultiviewLoss(MultiviewConfig(mining_temperature=temperature, **forms)).double()


def _loss(temperature=1e-3, **settings):
    return _module(temperature, **settings).over_set


def _random(count, classes, seed=0, dimensions=8):
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(count, dimensions, generator=generator, dtype=torch.float64)
    labels = torch.randint(classes, (count,), generator=generator)
    return torch.nn.functional.normalize(embeddings, dim=1), labels


def test_both_terms_equal_the_values_worked_out_by_hand():
    # Emotion 0 at 0 and 60 degrees, emotion 1 at 90 and 180; a hard choice of triplets.
    terms = _loss()(_at_degrees(0, 60, 90, 180), torch.tensor([0, 0, 1, 1]))
    cos30 = math.sqrt(3) / 2
    # Same emotion: cosines 1/2 and 0. Other emotions: 0, -1, cos 30 and -1/2, of which only cos 30 exceeds the margin.
    contrastive = ((1 - 0.5) + (1 - 0)) / 2 + (cos30 - 0.2) / 4
    # |a-p|² - |a-n|² + α = 2 (cos(a,n) - cos(a,p)) + α at 0, 60, 90 and 180 degrees.
    triplet = (0 + (2 * (cos30 - 0.5) + 0.2) + (2 * (cos30 - 0) + 0.2) + 0) / 4
    # The smooth maximum over two candidates is below the hardest by at most temperature x log 2.
    assert terms.parts["contrastive"].item() == pytest.approx(contrastive, abs=1e-9)
    assert terms.parts["triplet"].item() == pytest.approx(triplet, abs=2 * 2 * 1e-3 * math.log(2))
    assert terms.loss.item() == pytest.approx(
        terms.parts["contrastive"].item() + terms.parts["triplet"].item(), abs=1e-12
    )


def test_the_triplet_term_goes_from_the_hardest_to_the_mean_with_the_temperature():
    embeddings, labels = _random(24, 3)
    cosine = embeddings @ embeddings.T
    same = labels[:, None] == labels[None]
    positive = same & ~torch.eye(24, dtype=torch.bool)
    hardest = 2 * (cosine.masked_fill(same, -9).amax(1) - cosine.masked_fill(~positive, 9).amin(1))
    mean = 2 * ((cosine * ~same).sum(1) / (~same).sum(1) - (cosine * positive).sum(1) / positive.sum(1))
    for temperature, gap in ((1e-5, hardest), (1e5, mean)):
        expected = (gap + 0.2).relu().mean()
        assert _loss(temperature=temperature)(embeddings, labels).parts["triplet"].item() == pytest.approx(
            expected.item(), 1e-3
        )


def test_separated_emotions_cost_nothing_and_one_point_costs_exactly_one():
    apart = torch.eye(3, dtype=torch.float64).repeat_interleave(2, dim=0)
    labels = torch.tensor([0, 0, 1, 1, 2, 2])
    assert _loss()(apart, labels).loss.item() == 0
    # All in one point: (1 - α) for every negative pair and α for every triplet.
    together = torch.ones(6, 4, dtype=torch.float64) / 2
    assert _loss()(together, labels).loss.item() == pytest.approx(1, abs=1e-9)


def test_the_order_of_the_batch_does_not_matter():
    embeddings, labels = _random(20, 4)
    order = torch.randperm(20, generator=torch.Generator().manual_seed(1))
    one, other = _loss(temperature=0.1)(embeddings, labels), _loss(temperature=0.1)(embeddings[order], labels[order])
    torch.testing.assert_close(one, other)


def test_repeating_the_batch_keeps_the_contrastive_negatives_a_mean():
    # Means over pairs: the share of active negative pairs, not their number, sets the size.
    embeddings, labels = _random(12, 3)
    margin = 0.2
    negative = (labels[:, None] != labels[None]).double()
    for copies in (1, 3):
        E, L = embeddings.repeat(copies, 1), labels.repeat(copies)
        cosine, other = E @ E.T, (L[:, None] != L[None]).double()
        pushed = ((cosine - margin).relu() * other).sum() / other.sum()
        first = ((embeddings @ embeddings.T - margin).relu() * negative).sum() / negative.sum()
        assert pushed.item() == pytest.approx(first.item())
        same = (L[:, None] == L[None]) & ~torch.eye(len(L), dtype=torch.bool)
        pulled = ((1 - cosine) * same).sum() / same.sum()
        assert _loss()(E, L).parts["contrastive"].item() == pytest.approx((pulled + pushed).item())


def test_gradients_agree_with_finite_differences():
    embeddings, labels = _random(9, 3, dimensions=4)
    loss = _loss(temperature=0.1)

    def value(free):
        return loss(torch.nn.functional.normalize(free, dim=1), labels).loss

    assert torch.autograd.gradcheck(value, embeddings.clone().requires_grad_(), atol=1e-6)


def test_the_margins_gradient_is_active_triplets_minus_active_negatives():
    loss = _module()
    embeddings, labels = _at_degrees(0, 60, 90, 180), torch.tensor([0, 0, 1, 1])
    alpha = loss.margin()
    loss.over_set(embeddings, labels).loss.backward()
    # One of four negative pairs is active and two of four triplets are.
    slope = (alpha - 0.05) * (0.6 - alpha) / 0.55  # of the sigmoid into the range
    assert loss.margin.logit.grad.item() == pytest.approx(((2 / 4 - 1 / 4) * slope).item(), rel=1e-6)


@pytest.mark.parametrize(
    "labels", [[0, 0, 0, 0], [0, 1, 2, 3], [0]], ids=["a single emotion", "no pair of one emotion", "a batch of one"]
)
def test_missing_pairs_give_finite_values_and_gradients(labels):
    embeddings = _random(len(labels), 2)[0].requires_grad_()
    terms = _loss(temperature=0.1)(embeddings, torch.tensor(labels))
    terms.loss.backward()
    assert all(torch.isfinite(value) for value in (terms.loss, *terms.parts.values()))
    assert torch.isfinite(embeddings.grad).all()
    if len(set(labels)) == 1 or len(labels) == len(set(labels)):
        assert terms.parts["triplet"].item() == 0


def test_identical_embeddings_have_finite_gradients():
    embeddings = torch.ones(6, 4, dtype=torch.float64).requires_grad_()
    normal = torch.nn.functional.normalize(embeddings, dim=1)
    _loss(temperature=0.1)(normal, torch.tensor([0, 0, 1, 1, 2, 2])).loss.backward()
    assert torch.isfinite(embeddings.grad).all()


def test_the_literal_sums_equal_the_values_worked_out_by_hand():
    # The four points of above; each pair counts once, so do the triplets.
    embeddings, labels = _at_degrees(0, 60, 90, 180), torch.tensor([0, 0, 1, 1])
    cos30 = math.sqrt(3) / 2
    # Cosines of one emotion: 1/2 and 0. Of two: 0, -1, cos 30, -1/2; all but cos 30 are below the margin.
    contrastive = 0.5 + 1 + (cos30 - 0.2)
    # 2 (cos(a,n) - cos(a,p)) with n the nearest is 2 (0 - 1/2) at 0, 2 (cos 30 - 1/2) at 60, 2 (cos 30 - 0) at 90,
    # 2 (-1/2 - 0) at 180: the second and third are above -0.2.
    hard = (2 * (cos30 - 0.5) + 0.2) + (2 * cos30 + 0.2)
    # The farther negatives, at -1 from 0, -1/2 from 60 and -1 from 180, stay below; that at 0 from 90 is as far as
    # the positive and costs the margin.
    every = hard + 0.2
    for mining, triplet, count in (("hard", hard, 4), ("all", every, 8)):
        literal = _loss(mining=mining, sums="literal")(embeddings, labels).parts
        assert literal["contrastive"].item() == pytest.approx(contrastive, abs=1e-6)
        assert literal["triplet"].item() == pytest.approx(triplet, abs=1e-6)
        mean = _loss(mining=mining)(embeddings, labels).parts
        assert mean["triplet"].item() == pytest.approx(triplet / count, abs=1e-6)


def _triplets_one_by_one(cosine, labels, mining, temperature, margin):
    """The losses of all triplets that are mined, in the words of the definition."""
    found = []
    for a, own in enumerate(labels):
        positive = [cosine[a, p] for p, other in enumerate(labels) if other == own and p != a]
        negative = [cosine[a, n] for n, other in enumerate(labels) if other != own]
        if not positive or not negative:
            continue
        if mining == "hard":
            positive, negative = [min(positive)], [max(negative)]
        elif mining == "soft":
            positive = [-temperature * math.log(np.mean(np.exp(-np.array(positive) / temperature)))]
            negative = [temperature * math.log(np.mean(np.exp(np.array(negative) / temperature)))]
        found += [max(0.0, 2 * n - 2 * p + margin) for p in positive for n in negative]
    return found


@pytest.mark.parametrize("mining", ["soft", "hard", "all"])
def test_the_triplets_are_those_of_a_slow_loop_and_the_sums_the_means_times_their_number(mining):
    embeddings, labels = _random(17, 4, seed=2)
    embeddings = torch.nn.functional.normalize(embeddings + 0.8 * torch.eye(8, dtype=torch.float64)[labels], dim=1)
    labels[0] = 9  # alone: no positive
    loss = _module(temperature=0.1, mining=mining)
    one_by_one = _triplets_one_by_one(
        (embeddings @ embeddings.T).numpy(), labels.tolist(), mining, 0.1, loss.margin().item()
    )
    assert len(one_by_one) == (16 if mining != "all" else _number_of_triplets(labels.tolist()))
    assert 0 < np.count_nonzero(one_by_one) < len(one_by_one)
    mean = loss.over_set(embeddings, labels).parts
    total = _loss(temperature=0.1, mining=mining, sums="literal")(embeddings, labels).parts
    assert mean["triplet"].item() == pytest.approx(np.mean(one_by_one), rel=1e-9)
    assert total["triplet"].item() == pytest.approx(np.sum(one_by_one), rel=1e-9)


def _number_of_triplets(labels):
    return sum((labels.count(own) - 1) * (len(labels) - labels.count(own)) for own in labels)


def test_the_literal_contrastive_sum_is_each_mean_times_its_number_of_pairs():
    embeddings, labels = _random(15, 3, seed=4)
    loss = _module()
    cosine, margin = embeddings @ embeddings.T, loss.margin().item()
    pulled = [1 - cosine[i, j] for i in range(15) for j in range(i) if labels[i] == labels[j]]
    pushed = [max(0, cosine[i, j] - margin) for i in range(15) for j in range(i) if labels[i] != labels[j]]
    assert loss.over_set(embeddings, labels).parts["contrastive"].item() == pytest.approx(
        float(sum(pulled) / len(pulled) + sum(pushed) / len(pushed))
    )
    literal = _loss(sums="literal")(embeddings, labels).parts["contrastive"]
    assert literal.item() == pytest.approx(float(sum(pulled) + sum(pushed)))


@pytest.mark.parametrize("mining", ["soft", "hard", "all"])
def test_the_proportional_loss_is_the_literal_one_by_the_number_of_pairs(mining):
    embeddings, labels = _random(15, 3, seed=4)
    literal = _loss(mining=mining, sums="literal")(embeddings, labels).parts
    proportional = _loss(mining=mining, sums="proportional")(embeddings, labels).parts
    for term in ("contrastive", "triplet"):
        assert proportional[term].item() == pytest.approx(literal[term].item() / (15 * 14 / 2), rel=1e-12)
    alone = _loss(mining=mining, sums="proportional")(embeddings[:1], labels[:1])
    assert alone.loss.item() == 0


@pytest.mark.parametrize("mining", ["soft", "hard", "all"])
def test_the_literal_margins_gradient_counts_active_triplets_and_active_negatives(mining):
    # At 0, 60, 90 and 180 degrees one negative pair is active; two triplets of the hardest are, and three of all.
    loss = _module(mining=mining, sums="literal")
    alpha = loss.margin()
    loss.over_set(_at_degrees(0, 60, 90, 180), torch.tensor([0, 0, 1, 1])).loss.backward()
    slope = (alpha - 0.05) * (0.6 - alpha) / 0.55  # of the sigmoid into the range
    active = 3 if mining == "all" else 2
    assert loss.margin.logit.grad.item() == pytest.approx(((active - 1) * slope).item(), rel=1e-6)


def test_positives_that_are_equally_hard_share_the_gradient():
    # Anchor at 0 degrees, two positives at 60 and -60, a negative at 90.
    embeddings = _at_degrees(0, 60, -60, 90).requires_grad_()
    cosine = embeddings @ embeddings.T
    labels = torch.tensor([0, 0, 0, 1])
    same = labels[:, None] == labels[None]
    first = torch.tensor([True, False, False, False])[:, None]
    total, count = hard_triplets(
        cosine, same & ~torch.eye(4, dtype=torch.bool) & first, ~same & first, torch.tensor(2.0)
    )
    total.backward()
    # 2 (0 - 1/2) + 2 = 1; its gradient in each of the two positives is -2 / 2 times the anchor.
    assert (total.item(), count.item()) == (pytest.approx(1), 1)
    expected = torch.tensor([[-1.0, 0], [-1, 0]], dtype=torch.float64)
    torch.testing.assert_close(embeddings.grad[1:3], expected)


def test_the_margin_starts_where_it_is_told_and_cannot_leave_its_range():
    margin = Bounded(0.2, 0.05, 0.6)
    assert margin().item() == pytest.approx(0.2, abs=1e-6)
    for push in (-1.0, 1.0):
        optimizer = torch.optim.SGD(margin.parameters(), lr=1e3)
        for _ in range(50):
            optimizer.zero_grad()
            (push * margin()).backward()
            optimizer.step()
            assert 0.05 <= margin().item() <= 0.6 + 1e-6
    with pytest.raises(ValueError, match="low < initial < high"):
        Bounded(0.7, 0.05, 0.6)


def test_descending_the_loss_gathers_each_emotion_and_parts_them():
    # Thirty points of three emotions, scattered; the whole purpose in small.
    rng = np.random.default_rng(0)
    free = torch.tensor(rng.normal(size=(30, 6)), requires_grad=True)
    labels = torch.arange(30) % 3
    loss = _module(temperature=0.1)
    optimizer = torch.optim.Adam([free, *loss.parameters()], lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        terms = loss.over_set(torch.nn.functional.normalize(free, dim=1), labels)
        terms.loss.backward()
        optimizer.step()
    unit = torch.nn.functional.normalize(free.detach(), dim=1)
    cosine, same = unit @ unit.T, labels[:, None] == labels[None]
    assert terms.loss.item() < 1e-2
    assert cosine[same].min() > 0.95
    assert cosine[~same].max() < loss.margin().item() + 0.05
