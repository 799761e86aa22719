"""Action units lent by one face model to another: what a lending to itself, a mirror, halves and a scale must give."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree

from affectvlm.synthesis import person as person_module
from affectvlm.synthesis.embedded import embedded_face
from affectvlm.synthesis.face_model import REGIONS, FaceModel
from affectvlm.synthesis.generate import Study
from affectvlm.synthesis.library import FaceSource, load_face_model
from affectvlm.synthesis.person import draw_person
from affectvlm.synthesis.transfer import MIDDLE_MM, REACH_MM, _typical_identity, lend_shapes
from affectvlm.synthesis.tree import _plan

MODEL = embedded_face()
OWN = MODEL.shapes_of(_typical_identity(MODEL))
FACE = MODEL.neutral_of(_typical_identity(MODEL))
MIRROR = np.array([-1, 1, 1], np.float32)


def region(model: FaceModel, name: str) -> np.ndarray:
    return model.regions == REGIONS.index(name)


def with_shapes(model: FaceModel, shapes: dict[str, np.ndarray]) -> FaceModel:
    """The model with other shapes, the same for everybody."""
    return replace(model, shapes=np.stack(list(shapes.values())), shape_names=tuple(shapes), shape_changes={})


def without_sides() -> FaceModel:
    """The embedded face, both sides of each action unit in one shape."""
    shapes: dict[str, np.ndarray] = {}
    for name, shape in zip(MODEL.shape_names, OWN, strict=True):
        unit = name.partition("_")[0]
        shapes[unit] = shapes.get(unit, 0) + shape
    return with_shapes(MODEL, shapes)


@pytest.fixture(scope="module")
def itself() -> tuple[np.ndarray, np.ndarray]:
    return lend_shapes(MODEL, MODEL)


def test_a_model_lends_itself_its_own_shapes(itself):
    shapes, lent = itself
    for name, shape, own, known in zip(MODEL.shape_names, shapes, OWN, lent, strict=True):
        assert known == (name.partition("_")[0] != "AU43")
        if known:
            # A place takes a little of its neighbours' movement, which tells where lips and lids meet.
            assert np.linalg.norm(shape - own) < 0.1 * np.linalg.norm(own), name
            assert np.median(np.abs(shape - own)) < 0.01, name


def test_the_eyeballs_stay_and_what_is_not_lent_is_zero(itself):
    shapes, lent = itself
    assert not shapes[:, region(MODEL, "eyes")].any()
    assert not shapes[~lent].any()
    closing = [name.startswith("AU43") for name in MODEL.shape_names]
    np.testing.assert_array_equal(lent, ~np.array(closing))


def test_what_the_lender_lacks_is_zero_and_marked():
    kept = {n: s for n, s in zip(MODEL.shape_names, OWN, strict=True) if not n.startswith(("AU12", "AU26"))}
    shapes, lent = lend_shapes(with_shapes(MODEL, kept), MODEL)
    for name, shape, known in zip(MODEL.shape_names, shapes, lent, strict=True):
        assert known == (not name.startswith(("AU12", "AU26", "AU43")))
        assert shape.any() == known


def test_left_stays_left_and_mirrors_right(itself):
    shapes, _ = itself
    # Lips that touch share places: which of them mirrors which cannot be told.
    distance, nearest = cKDTree(FACE).query(FACE * MIRROR, 2)
    skin, mirrored = region(MODEL, "skin") & (distance[:, 1] > 0.2), nearest[:, 0]
    index = {name: i for i, name in enumerate(MODEL.shape_names)}
    left_half = FACE[:, 0] > 15
    for unit in ("AU2", "AU9", "AU12", "AU15", "AU20"):
        left, right = shapes[index[f"{unit}_L"]], shapes[index[f"{unit}_R"]]
        np.testing.assert_allclose(left[mirrored][skin], (right * MIRROR)[skin], atol=0.5)
        assert np.linalg.norm(left[left_half]) > 20 * np.linalg.norm(left[FACE[:, 0] < -15])


def test_halves_of_a_lender_without_sides_sum_to_the_whole_and_lie_on_their_sides():
    lender = without_sides()
    whole, _ = lend_shapes(lender, lender)
    halves, lent = lend_shapes(lender, MODEL)
    skin = region(MODEL, "skin")
    index = {name: i for i, name in enumerate(MODEL.shape_names)}
    for unit, shape in zip(lender.shape_names, whole, strict=True):
        if f"{unit}_L" in index and unit != "AU43":
            left, right = halves[index[f"{unit}_L"]], halves[index[f"{unit}_R"]]
            assert lent[index[f"{unit}_L"]]
            np.testing.assert_allclose((left + right)[skin], shape[skin], atol=1e-4)
            # A logistic step: beyond three widths of the strip less than 1/400 of a side's movement is the other's.
            far = skin & (FACE[:, 0] < -3 * MIDDLE_MM - 3)
            assert np.abs(left[far]).max() < np.abs(shape[far]).max() / 300 + 1e-6


def test_sides_of_a_lender_sum_to_the_shape_of_a_borrower_without(itself):
    shapes, _ = itself
    borrower = without_sides()
    sums, _ = lend_shapes(MODEL, borrower)
    skin = region(MODEL, "skin")
    index = {name: i for i, name in enumerate(MODEL.shape_names)}
    for unit in ("AU12", "AU17", "AU18"):
        both = shapes[index[f"{unit}_L"]] + shapes[index[f"{unit}_R"]]
        np.testing.assert_allclose(sums[borrower.shape_names.index(unit)][skin], both[skin], atol=1e-4)


def test_movement_goes_with_the_size_of_the_face(itself):
    small = replace(
        MODEL,
        neutral=np.float32(0.8) * MODEL.neutral,
        axes=np.float32(0.8) * MODEL.axes,
        shapes=np.float32(0.8) * MODEL.shapes,
        shape_changes={name: np.float32(0.8) * change for name, change in MODEL.shape_changes.items()},
    )
    shapes, _ = lend_shapes(small, MODEL)
    # Directions count as much as before beside smaller distances: what lies in folds is averaged a little differently.
    apart = np.linalg.norm(shapes - itself[0], axis=2)
    assert np.quantile(apart, 0.99) < 0.3
    assert np.linalg.norm(apart) < 0.1 * np.linalg.norm(itself[0])


def test_lips_do_not_stick_together(itself):
    shapes, _ = itself
    upper, lower = MODEL.landmarks[[61, 62, 63]], MODEL.landmarks[[67, 66, 65]]
    for unit in ("AU25_L", "AU26", "AU27"):
        i = MODEL.shape_names.index(unit)
        parted, own = (s[i][upper, 1] - s[i][lower, 1] for s in (shapes, OWN))
        assert own.max() > 1
        np.testing.assert_allclose(parted, own, rtol=0.1, atol=0.1)


def test_teeth_move_as_in_the_borrowers_own_shape_as_far_as_the_jaw():
    half = with_shapes(MODEL, {"AU26": np.float32(0.5) * OWN[MODEL.shape_names.index("AU26")]})
    shapes, lent = lend_shapes(half, MODEL)
    i, teeth = MODEL.shape_names.index("AU26"), region(MODEL, "teeth")
    assert lent.sum() == 1
    np.testing.assert_allclose(shapes[i, teeth], 0.5 * OWN[i, teeth], atol=0.1)
    still = teeth & ~OWN[i].any(axis=1)
    assert still.sum() > 50  # the upper row
    assert not shapes[i, still].any()


def test_beyond_the_lenders_surface_its_movement_fades_out():
    lifted = {"AU26": np.full_like(MODEL.neutral, 1.0)}
    # A face of the same vertices, those below the chin drawn up to it.
    floor = FACE[MODEL.landmarks[8], 1]
    cut = np.maximum(MODEL.neutral, np.array([-np.inf, floor, -np.inf], np.float32))
    none = replace(MODEL, neutral=cut, axes=0 * MODEL.axes[:0], axis_names=())
    borrower = replace(MODEL, axes=MODEL.axes[:0], axis_names=(), shape_changes={})
    shapes, _ = lend_shapes(with_shapes(none, lifted), borrower)
    moved = shapes[MODEL.shape_names.index("AU26")]
    below = region(MODEL, "skin") & (MODEL.neutral[:, 1] < floor - 2 * REACH_MM - 5)
    assert below.sum() > 100
    assert not moved[below].any()
    np.testing.assert_allclose(moved[MODEL.landmarks[17:]], 1.0, rtol=0.1)


def test_the_same_models_lend_the_same_bytes(itself):
    assert lend_shapes(MODEL, MODEL)[0].tobytes() == itself[0].tobytes()


def test_shares_sum_to_one_for_each_unit_also_where_a_lender_lacks_it():
    names = ("AU1_L", "AU1_R", "AU12_L", "AU26")
    ones = np.ones((4, 5, 3), np.float32)
    few = np.array([True, True, False, False])
    loans = [(ones, np.ones(4, bool)), (ones * few[:, None, None], few)]
    for seed in range(20):
        mixed = person_module._draw_mixture(names, ones, loans, np.random.default_rng(seed), 1.0)
        np.testing.assert_allclose(mixed, 1, atol=1e-5)


def test_both_sides_of_a_unit_have_the_same_shares_and_units_have_their_own():
    names = ("AU1_L", "AU1_R", "AU2_L")
    loans = [(np.ones((3, 1, 3), np.float32), np.ones(3, bool))]
    shares = np.array(
        [
            person_module._draw_mixture(names, np.zeros((3, 1, 3), np.float32), loans, np.random.default_rng(seed), 1.0)
            for seed in range(400)
        ]
    )[:, :, 0, 0]
    np.testing.assert_array_equal(shares[:, 0], shares[:, 1])
    assert abs(np.corrcoef(shares[:, 0], shares[:, 2])[0, 1]) < 0.15
    np.testing.assert_allclose(shares.mean(), 0.5, atol=0.05)
    assert shares.min() < 0  # a little beyond
    assert shares.max() > 1


def test_a_unit_that_nobody_lends_is_the_models_own():
    own = np.full((1, 2, 3), 7, np.float32)
    mixed = person_module._draw_mixture(
        ("AU43_L",), own, [(np.zeros_like(own), np.zeros(1, bool))], np.random.default_rng(0), 1.0
    )
    np.testing.assert_allclose(mixed, own, rtol=1e-6)


def test_variety_scales_the_shares_of_the_others_and_changes_no_draw(itself):
    names = MODEL.shape_names
    own, (shapes, lent) = MODEL.shapes, itself

    def mixed(variety):
        loans = [(2 * shapes, lent), (shapes[:, ::-1], lent)]
        return person_module._draw_mixture(names, own, loans, np.random.default_rng(1), variety)

    np.testing.assert_array_equal(mixed(0.0), own)
    np.testing.assert_allclose(mixed(0.5), (own + mixed(1.0)) / 2, atol=1e-4)
    one, other = (draw_person(MODEL, np.random.default_rng(5), 0.0, loans) for loans in ((), [(2 * shapes, lent)]))
    np.testing.assert_array_equal(other.shapes, one.shapes)


def test_lenders_take_no_draw_from_a_persons_identity_movement_and_style(itself):
    one, other = (draw_person(MODEL, np.random.default_rng(5), loans=loans) for loans in ((), [itself]))
    assert one.identity.tobytes() == other.identity.tobytes()
    assert one.movement[:, 0].tobytes() == other.movement[:, 0].tobytes()
    assert repr(one.style) == repr(other.style)


def test_without_lenders_nothing_is_drawn_for_them(monkeypatch):
    expected = draw_person(MODEL, np.random.default_rng(5)).shapes
    monkeypatch.delattr(person_module, "_draw_mixture")
    assert draw_person(MODEL, np.random.default_rng(5)).shapes.tobytes() == expected.tobytes()


def test_a_study_with_lenders_is_another_study():
    source = FaceSource()
    one, other = (Study(source, subjects=1, seed=4, lenders=lenders) for lenders in ((), (source,)))
    assert one.description != other.description
    assert one.samples()[0].stamp != other.samples()[0].stamp
    plans = [_plan(study, "ply", 25) for study in (one, other)]
    assert plans[0] != plans[1]
    assert plans[1]["lenders"] == [["embedded", MODEL.fingerprint]]
    take = one.takes()[4]
    faces = [study.record(take).scan.vertices for study in (one, other, other)]
    assert faces[1].tobytes() == faces[2].tobytes()
    np.testing.assert_array_equal(one.strengths(take), other.strengths(take))
    assert not np.array_equal(faces[0], faces[1])


@pytest.fixture(scope="module")
def real_models() -> dict[str, FaceModel]:
    named = os.environ.get("AFFECTVLM_DATA")
    data = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    folders = {"ict-facekit": data / "ict-facekit", "makehuman": data / "makehuman-cc0" / "mpfb_makehuman_cc0"}
    if not ((folders["ict-facekit"] / "FaceXModel").is_dir() and folders["makehuman"].is_dir()):
        pytest.skip(f"no unpacked ICT-FaceKit and MakeHuman in {data}; name the folder of both in AFFECTVLM_DATA")
    found = {name: load_face_model(FaceSource.find(name, folder)) for name, folder in folders.items()}
    return {"embedded": MODEL, **found}


@pytest.mark.slow
@pytest.mark.parametrize("lending", ["embedded", "ict-facekit", "makehuman"])
@pytest.mark.parametrize("borrowing", ["embedded", "ict-facekit", "makehuman"])
def test_real_models_lend_each_other_open_mouths_smiles_and_brows(real_models, lending, borrowing):
    lender, borrower = real_models[lending], real_models[borrowing]
    shapes, lent = lend_shapes(lender, borrower)
    own = lender.shapes_of(_typical_identity(lender))
    size = [np.linalg.norm(m.neutral[m.landmarks] - m.neutral[m.landmarks].mean(axis=0)) for m in (lender, borrower)]

    def at(name: str, marks: list[int]) -> tuple[np.ndarray, np.ndarray]:
        """(n, 3) how landmarks of the borrower move, and how the lender's do, scaled."""
        mine, theirs = borrower.shape_names.index(name), lender.shape_names.index(name)
        assert lent[mine]
        return shapes[mine, borrower.landmarks[marks]], size[1] / size[0] * own[theirs, lender.landmarks[marks]]

    for unit, marks in {"AU12_L": [54], "AU12_R": [48], "AU2_L": [25], "AU2_R": [18], "AU26": [7, 8, 9]}.items():
        here, there = at(unit, marks)
        np.testing.assert_allclose(here, there, atol=0.35 * np.linalg.norm(there, axis=1).max() + 0.3)
    for unit in ("AU26", "AU27"):
        (upper, wanted_upper), (lower, wanted_lower) = at(unit, [61, 62, 63]), at(unit, [67, 66, 65])
        parted, wanted = (upper - lower)[:, 1], (wanted_upper - wanted_lower)[:, 1]
        assert (parted > 0.6 * wanted).all()
        assert (parted < 1.4 * wanted).all()
    left = borrower.neutral[:, 0] > 20
    smile = shapes[borrower.shape_names.index("AU12_L")]
    assert np.linalg.norm(smile[left]) > 5 * np.linalg.norm(smile[borrower.neutral[:, 0] < -20])
