"""What holds for every objective, and for their sums; the settings that choose them."""

import math
from types import SimpleNamespace

import pytest
import torch
from pydantic import ValidationError

from affectvlm.objectives import Embeddings, ObjectiveConfig, build_objective
from affectvlm.objectives.bounded import Scale
from affectvlm.training import TrainConfig
from affectvlm.training.task import AffectVLMTask

SETTINGS = {
    "the default": {},
    "the literal loss": {"multiview": {"sums": "literal", "mining": "hard"}},
    "soft triplets, means": {"multiview": {"sums": "normalised", "mining": "soft"}},
    "hardest triplets, proportional": {"multiview": {"sums": "proportional", "mining": "hard"}},
    "all triplets": {"multiview": {"mining": "all"}},
    "clip": {"terms": {"clip": 1}},
    "siglip": {"terms": {"siglip": 1}},
    "supcon": {"terms": {"supcon": 1}},
    "cross_entropy": {"terms": {"cross_entropy": 1}},
    "all at once": {"terms": {"multiview": 1, "clip": 0.5, "siglip": 0.25, "supcon": 2, "cross_entropy": 3}},
}
every_objective = pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())


def _build(settings):
    return build_objective(ObjectiveConfig(**settings))


def _batch(vectors, labels, seen=None):
    """(B, V + 2, D) of any length -> the batch of their directions; every view is seen unless it is said."""
    unit = torch.nn.functional.normalize(vectors, dim=-1)
    seen = torch.ones(unit[:, :-2].shape[:2], dtype=torch.bool) if seen is None else seen
    return Embeddings(unit[:, :-2], unit[:, -2], unit[:, -1], torch.as_tensor(labels), seen)


def _random(count, seed=0, views=3, dimensions=5, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, views + 2, dimensions, generator=generator, dtype=dtype)


@every_objective
def test_gradients_agree_with_finite_differences_in_embeddings_and_learned_numbers(settings):
    objective = _build(settings).double()
    names = [name for name, _ in objective.named_parameters()]

    def value(vectors, *numbers):
        batch = _batch(vectors, [0, 1, 0, 2])
        return torch.func.functional_call(objective, dict(zip(names, numbers, strict=True)), (batch,)).loss

    numbers = [number.detach().clone().requires_grad_() for number in objective.parameters()]
    assert torch.autograd.gradcheck(value, (_random(4, views=2, dimensions=3).requires_grad_(), *numbers), atol=1e-6)


@every_objective
def test_what_a_missing_view_holds_is_never_looked_at_and_gets_no_gradient(settings):
    objective, labels = _build(settings).double(), [0, 1, 0, 2]
    seen = torch.tensor([[True, False, True], [True] * 3, [False, False, True], [True] * 3])
    vectors = _random(4).requires_grad_()
    loss = objective(_batch(vectors, labels, seen)).loss
    (gradient,) = torch.autograd.grad(loss, vectors)
    assert (gradient[:, :3][~seen] == 0).all()
    other = vectors.detach().clone()
    other[:, :3][~seen] = 7 * _random(1)[0, 0]
    assert torch.equal(objective(_batch(other, labels, seen)).loss, loss)


def test_the_set_of_a_batch_is_every_view_that_is_seen_every_face_and_every_prompt():
    seen = torch.tensor([[True, False, True], [False, True, True]])
    batch = _batch(_random(2), [4, 7], seen)
    embeddings, labels = batch.together()
    rows = [batch.views[0, 0], batch.views[0, 2], batch.fused[0], batch.text[0]]
    rows += [batch.views[1, 1], batch.views[1, 2], batch.fused[1], batch.text[1]]
    assert torch.equal(embeddings, torch.stack(rows))
    assert labels.tolist() == [4] * 4 + [7] * 4


@every_objective
def test_the_order_of_the_batch_does_not_matter(settings):
    objective, labels = _build(settings).double(), torch.tensor([0, 1, 2, 0, 1, 0, 3, 3, 1, 0])
    vectors = _random(10)
    order = torch.randperm(10, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(
        objective(_batch(vectors, labels)), objective(_batch(vectors[order], labels[order])), rtol=1e-9, atol=1e-12
    )


@every_objective
@pytest.mark.parametrize(
    ("vectors", "labels"),
    [
        (torch.ones(6, 5, 4), [0, 0, 1, 1, 2, 2]),
        (torch.ones(3, 5, 4), [0, 0, 0]),
        (_random(5, dtype=torch.float32), [2, 2, 2, 2, 2]),
        (_random(4, dtype=torch.float32), [0, 1, 2, 3]),
        (_random(1, dtype=torch.float32), [1]),
    ],
    ids=["one point", "one point and class", "a single class", "every class once", "a batch of one"],
)
def test_losses_and_gradients_are_finite(settings, vectors, labels):
    objective, free = _build(settings), vectors.clone().requires_grad_()
    terms = objective(_batch(free, labels))
    terms.loss.backward()
    assert all(torch.isfinite(value) and value.ndim == 0 for value in (terms.loss, *terms.parts.values()))
    assert torch.isfinite(free.grad).all()
    # Every learned number has a gradient: processes that share them wait for all.
    assert all(number.grad is not None and torch.isfinite(number.grad) for number in objective.parameters())


@pytest.mark.parametrize("name", ["clip", "cross_entropy"])
def test_where_there_is_one_class_nothing_is_to_be_told_apart(name):
    assert _build({"terms": {name: 1}})(_batch(_random(4), [5, 5, 5, 5])).loss.item() == 0


@every_objective
def test_descending_gathers_faces_about_the_words_of_their_class(settings):
    objective, labels = _build(settings), torch.arange(12) % 3
    free = _random(12, dimensions=8, dtype=torch.float32).requires_grad_()
    optimizer = torch.optim.Adam([free, *objective.parameters()], lr=0.05)
    for _ in range(150):
        optimizer.zero_grad()
        batch = _batch(free, labels)
        objective(batch).loss.backward()
        optimizer.step()
    words = torch.nn.functional.normalize(torch.stack([batch.text[labels == c].mean(dim=0) for c in range(3)]), dim=1)
    cosine = batch.fused @ words.T
    own = cosine.gather(1, labels[:, None])
    nearest_other = cosine.scatter(1, labels[:, None], -1).amax(dim=1, keepdim=True)
    assert (own - nearest_other).min() > 0.5


def test_a_sum_is_the_objectives_each_times_its_weight_and_its_parts_are_theirs():
    weights = SETTINGS["all at once"]["terms"]
    batch = _batch(_random(9), [0, 1, 2, 0, 1, 2, 0, 0, 1])
    whole = _build(SETTINGS["all at once"])(batch)
    alone = {name: _build({"terms": {name: 1}})(batch) for name in weights}
    expected = sum(weight * alone[name].loss for name, weight in weights.items())
    assert whole.loss.item() == pytest.approx(expected.item(), rel=1e-12)
    parts = {key: value.item() for terms in alone.values() for key, value in terms.parts.items()}
    assert {key: value.item() for key, value in whole.parts.items()} == parts
    assert len(parts) == sum(len(terms.parts) for terms in alone.values())  # no two have a name in common


def test_the_default_is_the_papers_loss_alone():
    assert ObjectiveConfig().terms == {"multiview": 1}
    batch = _batch(_random(6), [0, 1, 2, 0, 1, 2])
    whole = _build({})(batch)
    assert list(whole.parts) == ["contrastive", "triplet", "margin"]
    assert whole.loss.item() == (whole.parts["contrastive"] + whole.parts["triplet"]).item()


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        ({"terms": {}}, "terms"),
        ({"terms": {"clp": 1}}, "clp"),
        ({"terms": {"clip": 0}}, "clip"),
        ({"terms": {"clip": math.nan}}, "clip"),
        ({"clip": {"temperature": 1.0}}, "temperature"),
        ({"siglip": {"bias": -30}}, "bias"),
        ({"multiview": {"mining": "easy"}}, "mining"),
        ({"multiview": {"sums": "both"}}, "sums"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, place):
    with pytest.raises(ValidationError, match=place):
        ObjectiveConfig(**settings)


def test_a_scale_starts_at_one_over_the_temperature_and_stays_between_1_and_100():
    for push in (-1.0, 1.0):
        scale = Scale(0.07)
        assert scale().item() == pytest.approx(1 / 0.07, rel=1e-5)
        optimizer = torch.optim.Adam(scale.parameters(), lr=0.5)
        for _ in range(100):
            optimizer.zero_grad()
            (push * scale()).backward()
            optimizer.step()
            assert 1 - 1e-4 <= scale().item() <= 100 + 1e-3
        assert scale().item() == pytest.approx(100 if push < 0 else 1, rel=0.02)


def test_learned_numbers_are_not_decayed(tiny_model):
    config = TrainConfig(objective=SETTINGS["all at once"])
    task = AffectVLMTask(tiny_model, None, config)
    task.trainer = SimpleNamespace(estimated_stepping_batches=10)
    decayed, free = task.configure_optimizers()["optimizer"].param_groups
    assert decayed["weight_decay"] == config.weight_decay
    assert free["weight_decay"] == 0
    numbers = dict(task.objective.named_parameters())
    # The margin, three scales and a bias.
    assert len(numbers) == 5
    assert all(any(number is p for p in free["params"]) for number in numbers.values())
