"""Range images and landmarks written in any way that their formats allow come back as they are, or are refused."""

from __future__ import annotations

import gzip
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from affectvlm.errors import ScanError
from affectvlm.scan.landmarks import Landmarks, read_landmarks
from affectvlm.scan.range_image import RangeImage
from affectvlm.scan.read_range import read_range_image

ANY_WAY = settings(max_examples=30, deadline=None, derandomize=True, database=None, phases=[Phase.generate])
PASS_OVER = pytest.mark.filterwarnings("ignore::UserWarning")

SIDES = st.integers(1, 6)
MILLIMETRES = st.floats(-1e5, 1e5, width=32, allow_subnormal=False)


T = TypeVar("T")


def written(name: str, content: bytes, read: Callable[[Path], T]) -> T:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        return read(path)


@st.composite
def grids(draw: st.DrawFn) -> np.ndarray:
    """(R, C, 3) float32, with NaN where nothing was measured."""
    rows, columns = draw(SIDES), draw(SIDES)
    points = draw(nps.arrays(np.float32, (rows, columns, 3), elements=MILLIMETRES))
    points[draw(nps.arrays(bool, (rows, columns)))] = np.nan
    return points


def assert_same(image: RangeImage, points: np.ndarray) -> None:
    assert image.points.dtype == np.float32
    np.testing.assert_allclose(image.points, points, rtol=2e-7, atol=1e-30)


@st.composite
def bnt_files(draw: st.DrawFn, points: np.ndarray) -> bytes:
    rows, columns = points.shape[:2]
    background = draw(st.sampled_from([-1e9, -1e6, -123456.75]))
    name = draw(st.sampled_from([b"", b"bs000_N_N_0.png", b"x" * 300, bytes(range(200))]))
    blocks = np.empty((5, rows, columns))
    blocks[:3] = np.where(np.isnan(points), background, points).transpose(2, 0, 1)
    blocks[3:] = draw(st.sampled_from([0.0, 0.5, 1.0, np.nan, 1e300, -1.0]))
    start = struct.pack("<HHdH", rows, columns, background, len(name)) + name + struct.pack("<I", blocks.size)
    return start + blocks[:, ::-1].astype("<f8").tobytes()


@PASS_OVER
@ANY_WAY
@given(data=st.data(), points=grids())
def test_bnt(data: st.DataObject, points: np.ndarray) -> None:
    content = data.draw(bnt_files(points))
    assert_same(written("a.bnt", content, read_range_image), points)
    with pytest.raises(ScanError, match=r"a\.bnt"):
        written("a.bnt", content[: data.draw(st.integers(0, len(content) - 1))], read_range_image)


@st.composite
def abs_numbers(draw: st.DrawFn, points: np.ndarray) -> tuple[str, list[str], str]:
    """Header, numbers in any spelling, and what stands between them."""
    rows, columns = points.shape[:2]
    end = draw(st.sampled_from(["\n", "\r\n"]))
    header = end.join([f"{rows} rows", f"{columns} columns", "pixels (flag X Y Z):", ""])
    measured = np.isfinite(points[..., 2])
    numbers = [str(int(flag)) for flag in measured.ravel()]
    for axis in range(3):
        for value, flag in zip(points[..., axis].ravel().tolist(), measured.ravel(), strict=True):
            spelled = draw(st.sampled_from(["{:.9g}", "{:.12e}", "{:.20f}", "{:+.10G}"])).format(value)
            numbers.append(spelled if flag else draw(st.sampled_from(["-999999.000000", "-999999", "-9.99999e5"])))
    return header, numbers, draw(st.sampled_from([" ", "  ", "\t", end, f" {end}"]))


@ANY_WAY
@given(data=st.data(), points=grids(), packed=st.booleans())
def test_abs(data: st.DataObject, points: np.ndarray, packed: bool) -> None:
    header, numbers, between = data.draw(abs_numbers(points))
    name, pack = ("a.abs.gz", gzip.compress) if packed else ("a.abs", bytes)
    whole = (header + between.join(numbers) + "\n").encode()
    assert_same(written(name, pack(whole), read_range_image), points)
    kept = data.draw(st.integers(0, len(numbers) - 1))
    with pytest.raises(ScanError, match=r"a\.abs"):
        written(name, pack((header + between.join(numbers[:kept])).encode()), read_range_image)
    wrong = numbers.copy()
    wrong[kept] = data.draw(st.sampled_from(["x", "1.2.3", "--1", "1e", "0x10", ".", "-", "e5"]))
    with pytest.raises(ScanError, match=r"a\.abs"):
        written(name, pack((header + between.join(wrong)).encode()), read_range_image)


LABELS = st.lists(
    st.text(st.characters(codec="ascii", categories=["L"]), min_size=1, max_size=20).filter(
        lambda label: label.casefold() not in ("nan", "inf", "infinity")
    ),
    min_size=1,
    max_size=8,
    unique_by=str.casefold,
)


@st.composite
def labelled_files(draw: st.DrawFn, labels: list[str], points: np.ndarray, in_turn: bool) -> list[str]:
    noise = st.sampled_from([[], [""], ["# comment"], ["", ""]])
    lines = [*draw(noise), f"{len(labels)} landmarks:", *draw(noise)]
    places = [draw(st.sampled_from([" ", "\t", "  "])).join(f"{x:.9g}" for x in row) for row in points.tolist()]
    order = [line for pair in zip(labels, places, strict=True) for line in pair] if in_turn else [*labels, *places]
    for line in order:
        lines += [line, *draw(noise)]
    return lines


@ANY_WAY
@given(data=st.data(), labels=LABELS, suffix=st.sampled_from(["lm2", "lm3"]), in_turn=st.booleans())
def test_labelled_landmarks(data: st.DataObject, labels: list[str], suffix: str, in_turn: bool) -> None:
    shape = (len(labels), int(suffix[2]))
    points = data.draw(nps.arrays(np.float32, shape, elements=MILLIMETRES))
    lines = data.draw(labelled_files(labels, points, in_turn))
    end = data.draw(st.sampled_from(["\n", "\r\n", "\r"]))
    landmarks = written(f"a.{suffix}", end.join(lines).encode(), read_landmarks)
    np.testing.assert_allclose(landmarks.points, points, rtol=2e-7)
    assert landmarks.names == tuple(labels)
    for label, point in zip(labels, landmarks.points, strict=True):
        np.testing.assert_array_equal(landmarks[label.upper()], point)
    said = [i for i, line in enumerate(lines) if line and not line.startswith("#")]
    cut = lines[: data.draw(st.sampled_from(said))]
    with pytest.raises(ScanError, match=rf"a\.{suffix}"):
        written(f"a.{suffix}", end.join(cut).encode(), read_landmarks)


@PASS_OVER
@ANY_WAY
@given(
    data=st.data(),
    vertices=nps.arrays(np.int32, 83, elements=st.integers(0, 10**7)),
    between=st.sampled_from([" ", "\t", "\t\t", " \t"]),
    end=st.sampled_from(["\n", "\r\n"]),
    more=st.sampled_from(["", "\n", "\n84 0 0 0\n"]),
)
def test_bnd(data: st.DataObject, vertices: np.ndarray, between: str, end: str, more: str) -> None:
    points = data.draw(nps.arrays(np.float32, (83, 3), elements=MILLIMETRES))
    lines = [
        between.join([str(vertex), *(f"{x:.9g}" for x in point)])
        for vertex, point in zip(vertices.tolist(), points.tolist(), strict=True)
    ]
    landmarks: Landmarks = written("a.bnd", (end.join(lines) + more).encode(), read_landmarks)
    np.testing.assert_allclose(landmarks.points, points, rtol=2e-7)
    np.testing.assert_array_equal(landmarks.vertices, vertices)
    with pytest.raises(ScanError, match=r"a\.bnd"):
        written("a.bnd", end.join(lines[: data.draw(st.integers(0, 82))]).encode(), read_landmarks)
