"""Meshes written in any way that PLY, OBJ and OFF allow come back as they are; with one bad row they are refused."""

from __future__ import annotations

import struct
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from affectvlm.errors import ScanError
from affectvlm.scan import read_scan

ANY_WAY = settings(max_examples=30, deadline=None, derandomize=True, database=None, phases=[Phase.generate])


class Mesh(NamedTuple):
    """What is written: rows of ``points`` ((V, 3) float32) for the corners of each triangle ((T, 3) int)."""

    points: np.ndarray
    triangles: np.ndarray


COORDINATES = st.floats(-1e6, 1e6, width=32, allow_subnormal=False)


@st.composite
def meshes(draw: st.DrawFn) -> Mesh:
    points = draw(st.lists(st.tuples(COORDINATES, COORDINATES, COORDINATES), min_size=3, max_size=9, unique=True))
    row = st.integers(0, len(points) - 1)
    triangle = st.tuples(row, row, row).filter(lambda t: len(set(t)) == 3)
    # One that is there again, either way round, would be left out.
    triangles = draw(st.lists(triangle, min_size=1, max_size=9, unique_by=lambda t: tuple(sorted(t))))
    return Mesh(np.array(points, np.float32), np.array(triangles))


def number(draw: st.DrawFn, value: float) -> str:
    """A number in one of the ways that print it exactly."""
    spelled = draw(st.sampled_from(["{:.9g}", "{:.9e}", "{:.8E}", "{:+.9g}", "{:.17g}"])).format(value)
    return spelled.replace("0.", ".", 1) if spelled.startswith("0.") and draw(st.booleans()) else spelled


def read(name: str, content: bytes):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        return read_scan(path)


def corners(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(T, 9) float32: the triangles' corners, sorted."""
    flat = points[triangles].reshape(-1, 9) + np.float32(0)
    return flat[np.lexsort(flat.T)]


def check(name: str, content: bytes, mesh: Mesh) -> None:
    scan = read(name, content)
    expected = corners(mesh.points, mesh.triangles)
    np.testing.assert_allclose(corners(scan.vertices, scan.triangles), expected, rtol=2e-7, atol=1e-30)


def with_a_bad_row(draw: st.DrawFn, mesh: Mesh) -> Mesh:
    bad = mesh.triangles.copy()
    place = draw(st.tuples(st.integers(0, len(bad) - 1), st.integers(0, 2)))
    bad[place] = len(mesh.points) + draw(st.sampled_from([0, 1, 100, 2**24, 2**31 - 20]))
    return Mesh(mesh.points, bad)


# PLY

TYPES = {"char": "b", "uchar": "B", "short": "h", "ushort": "H", "int": "i", "uint": "I", "float": "f", "double": "d"}
ALIASES = {"uchar": "uint8", "int": "int32", "uint": "uint32", "float": "float32", "double": "float64"}


@st.composite
def ply_files(draw: st.DrawFn, mesh: Mesh) -> bytes:
    """A PLY file with properties and comments that nobody asked for, text or binary."""
    form = draw(st.sampled_from(["ascii", "binary_little_endian", "binary_big_endian"]))
    order = ">" if form.endswith("big_endian") else "<"
    end = "\n" if form != "ascii" else draw(st.sampled_from(["\n", "\r\n"]))
    kind = draw(st.sampled_from(["float", "double"]))
    extra = st.lists(st.sampled_from(["nx", "ny", "quality", "intensity"]), unique=True, max_size=3)
    before, after = draw(extra), [f"other_{name}" for name in draw(extra)]
    columns = [*((name, "float") for name in before), *((axis, kind) for axis in "xyz")]
    columns += [(name, draw(st.sampled_from(["uchar", "short", "double"]))) for name in after]
    count_type = draw(st.sampled_from(["uchar", "int", "uint", "ushort"]))
    row_type = draw(st.sampled_from(["int", "uint"]))
    name = draw(st.sampled_from(["vertex_indices", "vertex_index"]))
    flags = draw(st.booleans())

    def spelled(a_type: str) -> str:
        return ALIASES.get(a_type, a_type) if draw(st.booleans()) else a_type

    header = ["ply", f"format {form} 1.0", *["comment element vertex 7"] * draw(st.integers(0, 2))]
    header += [f"element vertex {len(mesh.points)}", *(f"property {spelled(t)} {name}" for name, t in columns)]
    header += [f"element face {len(mesh.triangles)}", f"property list {spelled(count_type)} {spelled(row_type)} {name}"]
    header += ["property uchar flags"] * flags + ["end_header"]
    body = []
    for point in mesh.points.tolist():
        values = dict(zip("xyz", point, strict=True))
        body.append([(t, values.get(name, 1)) for name, t in columns])
    for triangle in mesh.triangles.tolist():
        body.append([(count_type, 3), *((row_type, row) for row in triangle), *[("uchar", 5)] * flags])
    start = end.join([*header, ""]).encode()
    if form == "ascii":
        lines = [" ".join(number(draw, v) if t in ("float", "double") else str(v) for t, v in row) for row in body]
        return start + end.join([*lines, ""]).encode()
    return start + b"".join(struct.pack(order + TYPES[t], v) for row in body for t, v in row)


@ANY_WAY
@given(data=st.data(), mesh=meshes())
def test_ply(data: st.DataObject, mesh: Mesh) -> None:
    check("mesh.ply", data.draw(ply_files(mesh)), mesh)


@ANY_WAY
@given(data=st.data(), mesh=meshes())
def test_ply_with_a_bad_row(data: st.DataObject, mesh: Mesh) -> None:
    content = data.draw(ply_files(with_a_bad_row(data.draw, mesh)))
    with pytest.raises(ScanError, match=r"mesh\.ply"):
        read("mesh.ply", content)


@ANY_WAY
@given(data=st.data(), mesh=meshes())
def test_ply_cut_short(data: st.DataObject, mesh: Mesh) -> None:
    content = data.draw(ply_files(mesh)).rstrip()
    body = content.index(b"end_header") + len("end_header")
    last_line = len(content) - max(content.rfind(b"\n", 0, len(content)), body)
    if b"ascii" in content[:40]:
        # Whole lines: half a number is one too.
        content = content[: len(content) - last_line]
    else:
        content = content[: data.draw(st.integers(body, len(content) - 2))]
    with pytest.raises(ScanError, match=r"mesh\.ply"):
        read("mesh.ply", content)


# OBJ


@st.composite
def obj_files(draw: st.DrawFn, mesh: Mesh) -> bytes:
    """An OBJ file: comments, groups, normals, rows counted from either end, lines that go on."""
    end = draw(st.sampled_from(["\n", "\r\n"]))
    noise = st.sampled_from(["", "# v 1 2 3", "g one two", "s off", "o face", "usemtl none", "  "])
    count = len(mesh.points)
    way = draw(st.sampled_from(["{0}", "{0}//1", "{0}/1", "{0}/1/1"]))
    lines = ["vn 0 0 1", "vt 0.5 0.5"]
    for point in mesh.points.tolist():
        lines += [draw(noise), "v " + draw(st.sampled_from([" ", "  "])).join(number(draw, x) for x in point)]
    from_end = draw(st.booleans()) and mesh.triangles.max() < count
    for triangle in mesh.triangles.tolist():
        rows = [row - count if from_end else row + 1 for row in triangle]
        lines += [draw(noise), "f " + " ".join(way.format(row) for row in rows)]
    return end.join([*lines, ""]).encode()


@ANY_WAY
@given(data=st.data(), mesh=meshes())
def test_obj(data: st.DataObject, mesh: Mesh) -> None:
    check("mesh.obj", data.draw(obj_files(mesh)), mesh)


@ANY_WAY
@given(data=st.data(), mesh=meshes())
def test_obj_with_a_bad_row(data: st.DataObject, mesh: Mesh) -> None:
    content = data.draw(obj_files(with_a_bad_row(data.draw, mesh)))
    with pytest.raises(ScanError, match=r"mesh\.obj"):
        read("mesh.obj", content)


# OFF


@st.composite
def off_files(draw: st.DrawFn, mesh: Mesh) -> bytes:
    """An OFF file, with comments."""
    end = draw(st.sampled_from(["\n", "\r\n"]))
    noise = st.sampled_from([[], ["# comment"]])
    lines = ["OFF", *draw(noise), f"{len(mesh.points)} {len(mesh.triangles)} {draw(st.integers(0, 9))}"]
    for point in mesh.points.tolist():
        lines += [*draw(noise), " ".join(number(draw, x) for x in point)]
    for triangle in mesh.triangles.tolist():
        lines += [*draw(noise), " ".join(map(str, [3, *triangle]))]
    return end.join([*lines, ""]).encode()


@ANY_WAY
@given(data=st.data(), mesh=meshes())
def test_off(data: st.DataObject, mesh: Mesh) -> None:
    check("mesh.off", data.draw(off_files(mesh)), mesh)


@ANY_WAY
@given(data=st.data(), mesh=meshes())
def test_off_with_a_bad_row(data: st.DataObject, mesh: Mesh) -> None:
    content = data.draw(off_files(with_a_bad_row(data.draw, mesh)))
    with pytest.raises(ScanError, match=r"mesh\.off"):
        read("mesh.off", content)
