"""The 68 landmarks as BU-3DFE and Bosphorus count theirs."""

import numpy as np

from affectvlm.synthesis.landmark_schemes import bosphorus_points, bu_points


def ring(count: int, width: float, height: float) -> np.ndarray:
    angle = np.pi - 2 * np.pi * np.arange(count) / count
    return np.stack([width * np.cos(angle), height * np.sin(angle), np.zeros(count)], axis=1)


def drawn_face() -> np.ndarray:
    """(68, 3): a face drawn with a ruler, symmetric, in the plane z = 0."""
    jaw = np.stack([np.linspace(-70, 70, 17), -np.sqrt(75**2 - np.linspace(-70, 70, 17) ** 2), np.zeros(17)], axis=1)
    brow = np.stack([np.linspace(-50, -10, 5), np.full(5, 50.0), np.zeros(5)], axis=1)
    ridge = np.stack([np.zeros(4), np.linspace(36, 0, 4), np.zeros(4)], axis=1)
    under = np.stack([np.linspace(-15, 15, 5), np.full(5, -10.0), np.zeros(5)], axis=1)
    eye = ring(6, 15, 6) + np.array([-30, 35, 0])
    mouth = np.concatenate([ring(12, 25, 12), ring(8, 20, 4)]) + np.array([0, -40, 0])
    mirror = np.array([-1, 1, 1])
    other_eye = (eye * mirror)[[3, 2, 1, 0, 5, 4]]
    return np.concatenate([jaw, brow, (brow * mirror)[::-1], ridge, under, eye, other_eye, mouth])


def test_the_83_points_are_the_curves_at_even_distances():
    points = bu_points(drawn_face())
    assert points.shape == (83, 3)
    across, high = [-50, -40, -30, -20, -10], np.array([1.5, 3, 3, 3, 1.5])
    np.testing.assert_allclose(points[16:21], np.column_stack([across, 50 + high, np.zeros(5)]))
    np.testing.assert_allclose(points[21:26], np.column_stack([across, 50 - high, np.zeros(5)])[::-1])
    np.testing.assert_allclose(points[42:48], [[x, -10, 0] for x in (-15, -9, -3, 3, 9, 15)])
    # The saddle is half-way from (0, 24) to (-15, 35); the wing is (-15, -10).
    np.testing.assert_allclose(points[36:39], np.linspace([-7.5, 29.5, 0], [-15, -10, 0], 4)[:3])
    np.testing.assert_allclose(points[48:68], drawn_face()[48:])
    steps = np.linalg.norm(np.diff(points[68:], axis=0), axis=1)
    assert steps.max() / steps.min() < 1.02  # even along the curve, nearly so as the crow flies
    np.testing.assert_allclose(points[[0, 4]], drawn_face()[[36, 39]])
    assert points[2, 1] > 35 > points[6, 1]  # over the upper lid, and back below


def test_a_mirrored_face_has_mirrored_points():
    points = bu_points(drawn_face()) * [-1, 1, 1]
    order = [12, 11, 10, 9, 8, 15, 14, 13, 4, 3, 2, 1, 0, 7, 6, 5]
    order += [*range(30, 25, -1), *range(35, 30, -1), *range(20, 15, -1), *range(25, 20, -1)]
    order += [39, 40, 41, 36, 37, 38, *range(47, 41, -1)]
    order += [54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65, *range(82, 67, -1)]
    np.testing.assert_allclose(points[order], bu_points(drawn_face()), atol=1e-9)


def test_bosphorus_calls_left_what_the_viewer_has_on_his_left():
    points = bosphorus_points(drawn_face())
    assert len(points) == 22
    assert next(iter(points)) == "Outer left eyebrow"
    assert list(points)[-1] == "Chin middle"
    for label, (x, _, _) in points.items():
        assert np.sign(x.round(6)) == (-1 if "left" in label.lower() else 1 if "right" in label.lower() else 0)
    assert points["Outer left eye corner"][0] < points["Inner left eye corner"][0]
    assert (
        points["Upper lip inner middle"][1] > points["Lower lip inner middle"][1] > points["Lower lip outer middle"][1]
    )
    assert points["Chin middle"][1] == -75
