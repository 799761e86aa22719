"""Explanations: importance where the model looks and nowhere else, and what would be answered without a view."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from affectvlm.emotions import EMOTIONS
from affectvlm.errors import ModelError
from affectvlm.language import Grammar
from affectvlm.model import AffectVLM
from affectvlm.recognizer import Recognizer
from affectvlm.recognizer.explanation import NEAREST, view_weights
from affectvlm.recognizer.export import export_onnx
from affectvlm.recognizer.occlusion import WIDTH_MM, blurred, spots
from affectvlm.recognizer.painting import (
    DEEP_MM,
    FAINTEST,
    importance_colours,
    importance_of_vertices,
    importance_pictures,
)
from affectvlm.recognizer.torch_encoder import TorchEncoder
from affectvlm.scan import FaceScan
from affectvlm.views import Rig, Views, encode, render, to_channels
from conftest import TINY_MODEL

RIG = Rig(size_px=48, maps=("depth",))
PATCH = (slice(10, 16), slice(28, 34))
"""The one that the fake encoder looks at, in view 1."""


class LooksAtOnePatch:
    """Knows a face by the mean depth in a patch of one view: each view lies on a quarter circle from calm to fear."""

    classes = ("fear", "neutral")
    class_prompts = ("a frightened face", "a calm face")
    grammar = Grammar(classes)
    rig = RIG
    time, frames = "mean", None
    logit_scale = 4.0
    unsure_below = 0.0
    class_embeddings = np.eye(2, dtype=np.float32)

    def __init__(self):
        self.texts = 0

    def encode_views(self, views, seen):
        angle = np.zeros((len(views), 3))
        angle[:, 1] = views[:, 0, 1, 0][(slice(None), *PATCH)].mean(axis=(1, 2)) * np.pi / 2
        embeddings = np.stack([np.sin(angle), np.cos(angle)], axis=2).astype(np.float32)
        return embeddings * seen[:, 0, :, None], np.zeros(seen[:, 0].shape, np.float32)

    def encode_text(self, prompts):
        self.texts += len(prompts)
        angle = np.array([sum(prompt.encode()) % 90 for prompt in prompts]) * np.pi / 180
        return np.stack([np.sin(angle), np.cos(angle)], axis=1).astype(np.float32)


def bump() -> Views:
    """A plane whose every view has a bump of 80 mm in the middle of the patch."""
    depth = np.zeros((3, 48, 48), np.float32)
    depth[:, PATCH[0], PATCH[1]] = 80
    return Views(RIG, depth)


@pytest.fixture(scope="module")
def views(embedded_samples, tiny_rig) -> Views:
    return render(embedded_samples[4].load(), tiny_rig)


def without(views: Views, *missing: int) -> Views:
    """The same face with views that show nothing."""
    depth, normals = views.depth.copy(), views.normals.copy()
    depth[list(missing)], normals[list(missing)] = np.nan, 0
    return replace(views, depth=depth, normals=normals)


def scrambled(fusion: str, rig: Rig) -> AffectVLM:
    """A model whose views count differently."""
    torch.manual_seed(2)
    model = AffectVLM.build(TINY_MODEL.model_copy(update={"fusion": fusion}), EMOTIONS, rig)
    for parameter in model.fusion.parameters():
        nn.init.normal_(parameter)
    return model.eval()


# Importance


def test_importance_is_where_the_model_looks_and_nowhere_else():
    told = []
    explanation = Recognizer(LooksAtOnePatch()).explain(bump(), "fear", told.append)
    assert explanation.importance.shape == (3, 48, 48)
    assert explanation.importance.dtype == np.float32
    assert not explanation.importance[[0, 2]].any()
    seen = explanation.importance[1]
    row, column = np.unravel_index(seen.argmax(), seen.shape)
    assert PATCH[0].start <= row < PATCH[0].stop
    assert PATCH[1].start <= column < PATCH[1].stop
    assert seen.min() >= 0
    reach = int(np.ceil(WIDTH_MM / RIG.pixel_mm))  # a spot that touches the patch ends here
    near = np.zeros((48, 48), bool)
    rows, columns = (slice(max(0, part.start - reach), part.stop + reach) for part in PATCH)
    near[rows, columns] = True
    assert not seen[~near].any()
    half = seen > seen.max() / 2
    assert half[PATCH].all()
    assert half.sum() < (6 + reach) ** 2
    assert told == sorted(told)
    assert told[-1] == 1


def test_what_speaks_for_one_of_two_speaks_against_the_other():
    recognizer = Recognizer(LooksAtOnePatch())
    fear, neutral = (recognizer.explain(bump(), name).importance for name in ("fear", "neutral"))
    np.testing.assert_allclose(fear, -neutral, atol=1e-6)
    assert np.array_equal(recognizer.explain(bump()).importance, neutral)  # the most probable, with two calm views


def test_importance_is_the_fall_of_the_log_odds(monkeypatch):
    # One spot that takes the whole view away: the fall is that of the answer for the smoothed view.
    monkeypatch.setattr(
        "affectvlm.recognizer.occlusion.spots", lambda rig: np.ones((1, rig.size_px, rig.size_px), np.float32)
    )
    encoder = LooksAtOnePatch()
    explanation = Recognizer(encoder).explain(bump(), "fear")
    channels = to_channels(encode(bump()), RIG)

    def log_odds(shown: np.ndarray) -> float:
        angle = np.array([0, shown[PATCH].mean() * np.pi / 2, 0])
        fused = np.array([np.sin(angle).sum(), np.cos(angle).sum()])
        fused /= np.linalg.norm(fused)
        return float(4 * (fused[0] - fused[1]))  # of two classes: the difference of the logits

    fall = log_odds(channels[1, 0]) - log_odds(blurred(channels, RIG)[1, 0])
    assert fall > 0.1
    np.testing.assert_allclose(explanation.importance[1], fall, rtol=1e-5)


@pytest.mark.parametrize("rig", [RIG, Rig(size_px=8), Rig(size_px=64, field_mm=250.0)])
def test_spots_cover_every_pixel_alike(rig):
    every = spots(rig)
    total = every.sum(axis=0)
    width = int(np.ceil(max(WIDTH_MM / rig.pixel_mm, 4)))
    inner = total[width:-width, width:-width]
    np.testing.assert_allclose(inner, 4, rtol=1e-5)  # squared cosines at a quarter of their width, each way
    assert total.min() >= 1
    assert every.min() == 0
    assert every.max() <= 1


def test_blurring_keeps_the_outline_and_what_is_flat(tiny_rig, views):
    channels = to_channels(encode(views), tiny_rig)
    smooth = blurred(channels, tiny_rig)
    face = views.mask[:, None] & np.ones_like(channels, bool)
    np.testing.assert_array_equal(smooth[~face], channels[~face])
    lengths = np.linalg.norm(smooth[:, 1:], axis=1)
    np.testing.assert_allclose(lengths[views.mask], 1, atol=1e-5)
    for depth in (smooth[view, 0][views.mask[view]] for view in range(3)):
        assert depth.min() > -1  # nothing of the ground behind the face has come in
    flat = np.where(face, np.array([0.25, 0, 0, 1], np.float32)[:, None, None], channels)
    np.testing.assert_allclose(blurred(flat, tiny_rig), flat, atol=1e-6)


def test_a_flat_face_has_nothing_to_show():
    explanation = Recognizer(LooksAtOnePatch()).explain(Views(RIG, np.full((3, 48, 48), 30, np.float32)))
    np.testing.assert_allclose(explanation.importance, 0, atol=1e-6)


# Views


@pytest.mark.parametrize("fusion", ["mean", "weights", "attention"])
def test_weights_and_answers_are_the_models_own(fusion, tiny_rig, views):
    model = scrambled(fusion, tiny_rig)
    recognizer = Recognizer(TorchEncoder(model))
    explanation = recognizer.explain(views)
    np.testing.assert_allclose(explanation.probabilities, recognizer.predict_proba(views), atol=1e-6)
    assert explanation.label == EMOTIONS[int(explanation.probabilities.argmax())]
    pixels = torch.from_numpy(to_channels(encode(views), tiny_rig))[None, None]
    seen = torch.ones(1, 1, 3, dtype=torch.bool)
    with torch.inference_mode():
        expected = model.fusion.weights(model.encode_views(pixels, seen), seen[:, 0])[0]
    np.testing.assert_allclose(explanation.weights, expected, atol=1e-6)
    np.testing.assert_array_equal(view_weights(recognizer.encoder, views), explanation.weights)
    assert explanation.weights.sum() == pytest.approx(1, abs=1e-12)
    assert (explanation.weights > 0).all()
    assert len(set(explanation.weights.round(6))) == (1 if fusion == "mean" else 3)
    for view, shares in enumerate(explanation.left_out):
        np.testing.assert_allclose(shares, recognizer.predict_proba(without(views, view)), atol=1e-6)


def test_a_view_that_is_missing_counts_for_nothing(tiny_rig, views):
    recognizer = Recognizer(TorchEncoder(scrambled("attention", tiny_rig)))
    explanation = recognizer.explain(without(views, 1))
    assert explanation.weights[1] == 0
    assert explanation.weights.sum() == pytest.approx(1, abs=1e-12)
    assert not explanation.importance[1].any()
    assert explanation.importance[[0, 2]].any(axis=(1, 2)).all()
    np.testing.assert_array_equal(explanation.left_out[1], explanation.probabilities)


def test_without_its_only_view_there_is_no_answer(tiny_rig, views, tiny_model):
    explanation = Recognizer(TorchEncoder(tiny_model)).explain(without(views, 0, 2))
    np.testing.assert_array_equal(explanation.weights, [0, 1, 0])
    assert np.isnan(explanation.left_out[1]).all()
    np.testing.assert_array_equal(explanation.left_out[[0, 2]], [explanation.probabilities] * 2)


# Words


def test_the_nearest_prompts_are_those_of_all_that_can_be_made(tiny_model, views):
    recognizer = Recognizer(TorchEncoder(tiny_model))
    explanation = recognizer.explain(views)
    texts = {text: name for name in EMOTIONS for text in tiny_model.grammar.wordings(name)}
    cosines = recognizer.encoder.encode_text(list(texts)) @ recognizer.embed(views)
    assert len(explanation.prompts) == NEAREST
    told = [prompt.cosine for prompt in explanation.prompts]
    np.testing.assert_allclose(told, np.sort(cosines)[::-1][:NEAREST], atol=1e-6)
    for prompt in (*explanation.prompts, *explanation.prompts_of_classes):
        assert texts[prompt.text] == prompt.label
    of_classes = explanation.prompts_of_classes
    assert {prompt.label for prompt in of_classes} == set(EMOTIONS)
    assert [p.cosine for p in of_classes] == sorted((p.cosine for p in of_classes), reverse=True)
    for prompt in of_classes:
        own = cosines[[name == prompt.label for name in texts.values()]]
        assert prompt.cosine == pytest.approx(own.max(), abs=1e-6)


def test_prompts_are_encoded_once():
    recognizer = Recognizer(LooksAtOnePatch())
    recognizer.explain(bump())
    every = sum(len(list(recognizer.encoder.grammar.wordings(name))) for name in recognizer.classes)
    assert recognizer.encoder.texts == every
    recognizer.explain(bump(), "fear")
    assert recognizer.encoder.texts == every


def test_an_expression_that_the_model_does_not_know_is_refused(tiny_model, views):
    with pytest.raises(ModelError, match=r"expected one of the model's expressions anger, .*; found 'boredom'"):
        Recognizer(TorchEncoder(tiny_model)).explain(views, "boredom")


def test_movement_is_not_explained(tiny_model, views):
    moving = copy.deepcopy(tiny_model)
    moving.time_name = "rank_pooling"
    with pytest.raises(ModelError, match="reads movement"):
        Recognizer(TorchEncoder(moving)).explain(views)


# Other runtimes


def test_onnxruntime_explains_as_pytorch_does(tiny_rig, views, tmp_path):
    model = scrambled("attention", tiny_rig)
    export_onnx(model, tmp_path)
    ours, theirs = Recognizer.from_pretrained(tmp_path, backend="onnx"), Recognizer(TorchEncoder(model))
    for shown in (views, without(views, 0)):
        explanation, expected = ours.explain(shown), theirs.explain(shown)
        assert explanation.label == expected.label
        for name in ("probabilities", "importance", "weights", "left_out"):
            np.testing.assert_allclose(getattr(explanation, name), getattr(expected, name), atol=1e-4, err_msg=name)
        assert [p.text for p in explanation.prompts_of_classes] == [p.text for p in expected.prompts_of_classes]
        np.testing.assert_allclose(
            [p.cosine for p in explanation.prompts], [p.cosine for p in expected.prompts], atol=1e-5
        )


# On the mesh


def plane(z: float, side: float = 150.0, count: int = 31) -> FaceScan:
    """A square that faces +z."""
    x, y = (part.ravel() for part in np.meshgrid(*[np.linspace(-side / 2, side / 2, count)] * 2))
    corner = (np.arange(count - 1)[:, None] * count + np.arange(count - 1)).ravel()
    one = np.stack([corner, corner + 1, corner + count + 1], axis=1)
    two = np.stack([corner, corner + count + 1, corner + count], axis=1)
    return FaceScan(np.stack([x, y, np.full_like(x, z)], axis=1), np.concatenate([one, two]))


def inner(scan: FaceScan, limit: float = 60.0) -> np.ndarray:
    return (np.abs(scan.vertices[:, :2]) < limit).all(axis=1)


@pytest.mark.parametrize(("z", "distance"), [(-45.0, None), (-25.0, None), (-25.0, 400.0)])
def test_importance_on_a_plane_is_that_of_the_pixels(z, distance):
    rig = Rig(yaw_deg={"front": 0}, size_px=60, distance_mm=distance)
    scan = plane(z)
    views = render(scan, rig)
    # What a pixel shows, in mm: the pinhole makes what is nearer larger.
    shown = ((np.arange(60) + 0.5) * 3 - 90) * (1 if distance is None else 1 - (z + 45) / distance)
    importance = np.broadcast_to(shown + 2 * -shown[:, None], (1, 60, 60)).astype(np.float32)  # x + 2 y
    painted = importance_of_vertices(scan.vertices, views, importance)
    expected = scan.vertices[:, 0] + 2 * scan.vertices[:, 1]
    np.testing.assert_allclose(painted[inner(scan)], expected[inner(scan)], atol=1e-3)


def test_views_that_see_a_vertex_are_added_up():
    rig = Rig(size_px=60)
    scan = plane(-45.0, side=100)
    views = render(scan, rig)
    ones = np.ones((3, 60, 60), np.float32) * np.array([1, 10, 100], np.float32)[:, None, None]
    np.testing.assert_allclose(importance_of_vertices(scan.vertices, views, ones)[inner(scan, 40)], 111, rtol=1e-6)


def test_what_no_view_sees_has_none():
    rig = Rig(yaw_deg={"front": 0}, size_px=60)
    views = render(plane(-45.0), rig)
    places = np.array([[0, 0, -45], [0, 0, -45 - DEEP_MM + 1], [0, 0, -45 - DEEP_MM - 1], [95, 0, -45], [0, 85, -45]])
    painted = importance_of_vertices(places.astype(np.float32), views, np.ones((1, 60, 60), np.float32))
    np.testing.assert_array_equal(painted, [1, 1, 0, 0, 0])


def test_colours_tell_for_from_against():
    scan = plane(0.0)
    left = np.sign(scan.vertices[:, 0]).astype(np.float32)
    colours = importance_colours(scan.vertices, scan.triangles, left).astype(int)
    red, blue = colours[:, 0], colours[:, 2]
    assert (red[left > 0] > blue[left > 0] + 100).all()
    assert (blue[left < 0] > red[left < 0] + 100).all()
    assert np.ptp(colours[left == 0], axis=1).max() < 30  # grey
    again = importance_colours(scan.vertices, scan.triangles, 7 * left)
    np.testing.assert_array_equal(again, colours)
    faint = importance_colours(scan.vertices, scan.triangles, FAINTEST / 50 * left).astype(int)
    assert np.abs(faint - colours[left == 0][0]).max() < 8
    turned = importance_colours(scan.vertices, scan.triangles[:, ::-1], left)
    np.testing.assert_array_equal(turned, colours)


@pytest.mark.parametrize("maps", [("depth", "normals"), ("depth",)])
def test_pictures_show_importance_on_the_face_alone(maps):
    rig = Rig(yaw_deg={"front": 0}, size_px=32, maps=maps)
    views = render(plane(-45.0, side=100), rig)
    importance = np.broadcast_to(np.where(np.arange(32) < 16, -1, 1), (1, 32, 32)).astype(np.float32)
    (picture,) = importance_pictures(views, importance)
    shown = np.asarray(picture).astype(int)
    assert shown.shape == (224, 224, 3)
    assert shown[112, 80, 2] > shown[112, 80, 0] + 80
    assert shown[112, 144, 0] > shown[112, 144, 2] + 80
    np.testing.assert_array_equal(shown[:20], np.full((20, 224, 3), shown[0, 0]))
