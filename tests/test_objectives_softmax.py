"""clip, siglip, supcon and cross_entropy: values worked out by hand, and their published formulas as slow loops."""

import math

import pytest
import torch

from affectvlm.objectives import Embeddings
from affectvlm.objectives.clip import ClipLoss
from affectvlm.objectives.config import ClipConfig, CrossEntropyConfig, SigLipConfig, SupConConfig
from affectvlm.objectives.cross_entropy import CrossEntropyLoss
from affectvlm.objectives.siglip import SigLipLoss
from affectvlm.objectives.supcon import SupConLoss

COS30 = math.sqrt(3) / 2
SCALE = 2
"""One over the temperature of 1/2 that the examples by hand have."""


def _at_degrees(*angles):
    radians = torch.deg2rad(torch.tensor(angles, dtype=torch.float64))
    return torch.stack([radians.cos(), radians.sin()], dim=1)


def _batch(faces, texts, labels):
    """A batch of fused faces and prompts; their views play no part here."""
    return Embeddings(
        torch.full_like(faces, math.nan)[:, None], faces, texts, torch.tensor(labels), torch.ones(len(labels), 1) > 0
    )


def _random_batch(labels, seed=0, dimensions=6):
    generator = torch.Generator().manual_seed(seed)
    shape = (2, len(labels), dimensions)
    faces, texts = torch.nn.functional.normalize(torch.randn(shape, generator=generator, dtype=torch.float64), dim=-1)
    return _batch(faces, texts, labels)


def _softplus(x):
    return math.log(1 + math.exp(x))


def _sigmoid(x):
    return 1 / (1 + math.exp(-x))


# Two faces and prompts of one class, one of another; the prompt at 60 degrees lies nearer to the other class.
THREE = _batch(_at_degrees(0, 0, 90), _at_degrees(0, 60, 90), [0, 0, 1])


def test_clip_equals_the_value_worked_out_by_hand():
    # Cosines of the faces (rows) to the prompts: 1, 1/2, 0 twice, then 0, cos 30, 1.
    # A face at 0 has the positives 1 and 1/2 and the negative 0, that at 90 the positive 1 and the negatives 0, cos 30.
    face = (_softplus(SCALE * (0 - 1)) + _softplus(SCALE * (0 - 0.5))) / 2
    last_face = math.log(1 + math.exp(SCALE * (0 - 1)) + math.exp(SCALE * (COS30 - 1)))
    # The prompts: positives 1, 1 against 0; positives 1/2, 1/2 against cos 30; positive 1 against 0, 0.
    prompts = _softplus(SCALE * (0 - 1)), _softplus(SCALE * (COS30 - 0.5)), math.log(1 + 2 * math.exp(SCALE * (0 - 1)))
    expected = ((2 * face + last_face) / 3 + sum(prompts) / 3) / 2
    terms = ClipLoss(ClipConfig(temperature=1 / SCALE)).double()(THREE)
    assert terms.loss.item() == pytest.approx(expected, abs=1e-6)
    assert terms.parts["clip"] is terms.loss
    assert terms.parts["clip_scale"].item() == pytest.approx(SCALE, abs=1e-6)


def test_clip_is_plain_info_nce_when_every_class_occurs_once():
    batch = _random_batch(range(7))
    clip = ClipLoss(ClipConfig()).double()
    logits = clip.scale() * batch.fused @ batch.text.T
    own = torch.arange(7)
    cross_entropy = torch.nn.functional.cross_entropy
    expected = (cross_entropy(logits, own) + cross_entropy(logits.T, own)) / 2
    assert clip(batch).loss.item() == pytest.approx(expected.item(), rel=1e-7)


def test_in_clip_a_prompt_of_the_same_class_never_pushes():
    # The nearer a face lies to any prompt of its class, the others held, the lower the loss. Plain InfoNCE has it
    # pushed away as soon as it is nearer than the face's own.
    generator = torch.Generator().manual_seed(3)
    texts = torch.nn.functional.normalize(torch.randn(4, 9, generator=generator, dtype=torch.float64), dim=1)
    clip = ClipLoss(ClipConfig()).double()
    for nearest in (0, 1):
        faces = texts.clone()
        faces[0] = torch.nn.functional.normalize(texts[0] + texts[1] + 5 * texts[nearest], dim=0)
        cosines = (faces @ texts.T).requires_grad_()
        # Fused faces whose cosines to unit axes are the given ones: the gradient is that in the cosines.
        clip(_batch(cosines, torch.eye(4, dtype=torch.float64), [0, 0, 1, 2])).loss.backward()
        same = torch.block_diag(torch.ones(2, 2), torch.eye(2)).bool()
        assert (cosines.grad[same] < 0).all()
        assert (cosines.grad[~same] > 0).all()


def test_siglip_equals_the_value_worked_out_by_hand():
    # Cosines as for clip; the five pairs of one class want a high s cos + b, the four others a low one; over 3 faces.
    bias = -1
    pairs = [1, 0.5, 1, 0.5, 1]
    others = [0, 0, 0, COS30]
    expected = sum(_softplus(-(SCALE * c + bias)) for c in pairs) + sum(_softplus(SCALE * c + bias) for c in others)
    terms = SigLipLoss(SigLipConfig(temperature=1 / SCALE, bias=bias)).double()(THREE)
    assert terms.loss.item() == pytest.approx(expected / 3, abs=1e-6)
    assert terms.parts["siglip_bias"].item() == pytest.approx(bias, abs=1e-5)


def test_siglip_is_its_formula():
    labels = [0, 1, 2, 1, 0, 1]
    batch = _random_batch(labels)
    siglip = SigLipLoss(SigLipConfig()).double()
    scale, bias = siglip.scale().item(), siglip.bias().item()
    total = 0.0
    for i, face in enumerate(batch.fused):
        for j, prompt in enumerate(batch.text):
            z = 1 if labels[i] == labels[j] else -1
            total -= math.log(_sigmoid(z * (scale * float(face @ prompt) + bias)))
    assert siglip(batch).loss.item() == pytest.approx(total / len(labels), rel=1e-9)


def test_supcon_equals_the_value_worked_out_by_hand():
    # At 0, 60 and 90 degrees, the first two of one class; the third has no positive and is no anchor.
    # Anchor 0: cosines 1/2 (positive) and 0; anchor 60: 1/2 (positive) and cos 30.
    expected = (_softplus(SCALE * (0 - 0.5)) + _softplus(SCALE * (COS30 - 0.5))) / 2
    loss = SupConLoss(SupConConfig(temperature=1 / SCALE)).over_set(_at_degrees(0, 60, 90), torch.tensor([0, 0, 1]))
    assert loss.loss.item() == pytest.approx(expected, rel=1e-9)


def test_supcon_is_a_slow_loop_over_every_view_fused_face_and_prompt():
    generator = torch.Generator().manual_seed(1)
    every = torch.nn.functional.normalize(torch.randn(5, 4, 6, generator=generator, dtype=torch.float64), dim=-1)
    labels = torch.tensor([0, 1, 0, 2, 1])
    batch = Embeddings(every[:, :2], every[:, 2], every[:, 3], labels, torch.ones(5, 2) > 0)
    items = [
        (own, embedding)
        for b, own in enumerate(batch.labels.tolist())
        for embedding in (*batch.views[b], batch.fused[b], batch.text[b])
    ]
    assert len(items) == 20
    tau, per_anchor = 0.1, []
    for i, (own, z) in enumerate(items):
        others = [(label, math.exp(float(z @ a) / tau)) for j, (label, a) in enumerate(items) if j != i]
        total = sum(value for _, value in others)
        positives = [-math.log(value / total) for label, value in others if label == own]
        per_anchor.append(sum(positives) / len(positives))
    expected = sum(per_anchor) / len(per_anchor)
    assert SupConLoss(SupConConfig(temperature=tau))(batch).loss.item() == pytest.approx(expected, rel=1e-9)


def test_cross_entropy_equals_the_value_worked_out_by_hand():
    # The prompts at 0 and 60 degrees make a class at 30, that at 90 is the other. The faces at 0 have the cosines
    # cos 30 and 0, that at 90 has 1/2 and 1.
    expected = (2 * _softplus(SCALE * (0 - COS30)) + _softplus(SCALE * (0.5 - 1))) / 3
    terms = CrossEntropyLoss(CrossEntropyConfig(temperature=1 / SCALE)).double()(THREE)
    assert terms.loss.item() == pytest.approx(expected, abs=1e-6)
    assert terms.parts["cross_entropy_scale"].item() == pytest.approx(SCALE, abs=1e-6)


def test_cross_entropy_is_pytorchs_over_the_classes_of_the_batch():
    # Class 2 is not in the batch: it does not compete.
    labels = [3, 0, 1, 1, 3, 1, 0, 1]
    batch = _random_batch(labels)
    means = torch.stack([batch.text[batch.labels == name].mean(dim=0) for name in (0, 1, 3)])
    objective = CrossEntropyLoss(CrossEntropyConfig()).double()
    logits = objective.scale() * batch.fused @ torch.nn.functional.normalize(means, dim=1).T
    target = torch.tensor([(0, 1, 3).index(name) for name in labels])
    expected = torch.nn.functional.cross_entropy(logits, target)
    assert objective(batch).loss.item() == pytest.approx(expected.item(), rel=1e-9)
