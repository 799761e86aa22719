"""Small valid files of every format that is read, written byte for byte, and the reader of each."""

from __future__ import annotations

import gzip
import io
import json
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from affectvlm.datasets.action_units import read_intensity, read_occurrence
from affectvlm.datasets.folder import FolderDataset
from affectvlm.scan import FaceScan, read_scan
from affectvlm.scan.landmarks import read_landmarks
from affectvlm.scan.picture_file import PictureFile
from affectvlm.scan.range_image import RangeImage
from affectvlm.scan.write import write_scan
from affectvlm.scan.write_bnt import write_bnt
from affectvlm.scan.write_landmarks import write_bnd, write_lm3
from affectvlm.synthesis.live_link import HEAD, SHAPES, read_live_link

from .mutators import glb, zipped

SIDE = 11
"""Points along an edge of the little face: 121 vertices, 200 triangles."""


@dataclass(frozen=True)
class Fixture:
    """One kind of file.

    Parameters
    ----------
    files : dict
        Name -> content; the first is read, the others are what it names.
    read : callable
        Takes the path of the first and gives what is in it, lazy parts too.
    """

    files: dict[str, bytes]
    read: Callable[[Path], object]

    @property
    def main(self) -> str:
        return next(iter(self.files))


def face() -> FaceScan:
    """A bump with a seam and a picture."""
    points = _grid()
    corner = np.arange(SIDE * SIDE).reshape(SIDE, SIDE)
    a, b, c, d = (part.ravel() for part in (corner[:-1, :-1], corner[1:, :-1], corner[1:, 1:], corner[:-1, 1:]))
    triangles = np.concatenate([np.c_[a, b, c], np.c_[a, c, d]])
    uv = (points.reshape(-1, 3)[:, :2] / 100 + 0.5).astype(np.float32)
    seam = np.where(triangles == 60, len(uv), triangles)
    return FaceScan(points.reshape(-1, 3), triangles, np.r_[uv, uv[60:61]], seam, _pixels(16), "little face")


def _grid() -> np.ndarray:
    """(SIDE, SIDE, 3) float64, mm, the top row first."""
    x, y = np.meshgrid(np.linspace(-50, 50, SIDE), np.linspace(50, -50, SIDE))
    return np.stack([x, y, -(x**2 + y**2) / 64], axis=-1)


def _pixels(size: int) -> np.ndarray:
    ramp = np.arange(size, dtype=np.uint8)
    return np.stack([*np.meshgrid(ramp * 9, ramp * 7), np.full((size, size), 90, np.uint8)], axis=-1)


def _picture(suffix: str, size: int = 16) -> bytes:
    out = io.BytesIO()
    Image.fromarray(_pixels(size)).save(out, {"jpg": "jpeg"}.get(suffix, suffix))
    return out.getvalue()


def _written(folder: Path, name: str, write: Callable[[Path], object]) -> dict[str, bytes]:
    """What our own writer makes, the file to be read first."""
    write(folder / name)
    names = sorted((path.name for path in folder.iterdir()), key=lambda other: other != name)
    files = {other: (folder / other).read_bytes() for other in names}
    for other in names:
        (folder / other).unlink()
    return files


def _bare() -> FaceScan:
    scan = face()
    return FaceScan(scan.vertices, scan.triangles)


def _obj_of_many_ways() -> bytes:
    """Comments, normals, a quad, rows counted from the end, groups, a line that goes on."""
    points = "".join(f"v {x:g} {y:g} {z:g}\n" for x, y, z in face().vertices[: 3 * SIDE])
    quads = "".join(f"f {i} {i + SIDE} {i + SIDE + 1} {i + 1}\n" for i in range(1, SIDE))
    return (
        f"# a scan\r\no face\n{points}vt 0.5 0.5 0\nvn 0 0 1\ng one two\ns 1\n{quads}"
        f"f -1/1/1 -2/1/1 -13//1\nf 1//1 \\\n 2//1 13//1\nl 1 2\n"
    ).encode()


def _ply(form: str, colours: bool = True) -> bytes:
    scan = face()
    kinds = [("x", "f4"), ("y", "f4"), ("z", "f4")]
    if colours:
        kinds += [("red", "u1"), ("green", "u1"), ("blue", "u1"), ("quality", "f8")]
    names = {"f4": "float", "u1": "uchar", "f8": "double"}
    header = ["ply", f"format {form} 1.0", "comment by hand", "obj_info none", f"element vertex {len(scan.vertices)}"]
    header += [f"property {names[kind]} {name}" for name, kind in kinds]
    header += [f"element face {len(scan.triangles)}", "property list uchar int vertex_indices", "end_header", ""]
    order = ">" if form.endswith("big_endian") else "<"
    vertices = np.zeros(len(scan.vertices), [(name, order + kind) for name, kind in kinds])
    for axis, name in enumerate("xyz"):
        vertices[name] = scan.vertices[:, axis]
    faces = np.zeros(len(scan.triangles), [("three", "u1"), ("rows", order + "i4", 3)])
    faces["three"], faces["rows"] = 3, scan.triangles
    if form != "ascii":
        return "\n".join(header).encode() + vertices.tobytes() + faces.tobytes()
    lines = [" ".join(f"{number:g}" for number in row) for row in vertices.tolist()]
    lines += ["3 " + " ".join(map(str, row)) for row in scan.triangles.tolist()]
    return ("\n".join([*header[:-1], *lines]) + "\n").encode()


def _stl() -> bytes:
    scan = face()
    faces = np.zeros(len(scan.triangles), [("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
    faces["corners"] = scan.vertices[scan.triangles]
    return b"a scan".ljust(80) + struct.pack("<I", len(faces)) + faces.tobytes()


def _stl_text() -> bytes:
    scan = face()
    lines = ["solid face"]
    for triangle in scan.vertices[scan.triangles[:60]].tolist():
        lines += ["facet normal 0 0 1", " outer loop", *("  vertex {:g} {:g} {:g}".format(*c) for c in triangle)]
        lines += [" endloop", "endfacet"]
    return ("\n".join([*lines, "endsolid face"]) + "\n").encode()


def _off() -> bytes:
    scan = face()
    lines = ["OFF", "# a scan", f"{len(scan.vertices)} {len(scan.triangles)} 0"]
    lines += ["{:g} {:g} {:g}".format(*vertex) for vertex in scan.vertices.tolist()]
    lines += ["3 {} {} {}".format(*triangle) for triangle in scan.triangles.tolist()]
    return ("\n".join(lines) + "\n").encode()


def _gltf(picture: dict[str, object], buffer: dict[str, object]) -> tuple[dict[str, object], bytes]:
    """The tree and the buffer of a glTF scene with a moved mesh, a picture and coloured vertices."""
    scan = face()
    points, rows = scan.vertices.astype("<f4").tobytes(), scan.triangles.astype("<u2").tobytes()
    places, png = scan.uv[: len(scan.vertices)].astype("<f4").tobytes(), _picture("png")
    blocks = [points, rows, places, png]
    starts = np.cumsum([0, *(len(block) for block in blocks)]).tolist()
    views = [{"buffer": 0, "byteOffset": s, "byteLength": len(b)} for s, b in zip(starts, blocks, strict=False)]
    blob = b"".join(blocks)
    tree: dict[str, object] = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [
            {"children": [1], "translation": [1, 2, 3], "rotation": [0, 0, 0, 1]},
            {"mesh": 0, "matrix": [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]},
        ],
        "meshes": [
            {"primitives": [{"attributes": {"POSITION": 0, "TEXCOORD_0": 2}, "indices": 1, "material": 0, "mode": 4}]}
        ],
        "materials": [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}],
        "textures": [{"source": 0}],
        "images": [picture],
        "buffers": [{"byteLength": len(blob)} | buffer],
        "bufferViews": views,
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": len(scan.vertices), "type": "VEC3"},
            {"bufferView": 1, "componentType": 5123, "count": scan.triangles.size, "type": "SCALAR"},
            {"bufferView": 2, "componentType": 5126, "count": len(scan.vertices), "type": "VEC2"},
        ],
    }
    return tree, blob


def _wrl_of_many_nodes() -> bytes:
    """What viewers and scanners add: comments, a prototype, names used again, transforms, quads, coloured vertices."""
    scan = face()
    points = ",\n".join(f"{x:g} {y:g}\t{z:g}" for x, y, z in scan.vertices.tolist())
    rows = ((i, i + SIDE, i + SIDE + 1, i + 1) for i in range((SIDE - 1) * SIDE) if i % SIDE < SIDE - 1)
    quads = " ".join(f"{a}, {b}, {c}, {d}, -1," for a, b, c, d in rows)
    colours = " ".join("0.5 .25 1e-1," for _ in scan.vertices)
    return (
        '#VRML V2.0 utf8\r\n# by hand { [\r\nWorldInfo { title "a \\"face\\" {" info [ "one" "two # no comment" ] }\n'
        'PROTO Thing [ field SFFloat size 1 ] { Group { } }\nNavigationInfo { headlight TRUE type "EXAMINE" }\n'
        "Viewpoint { position 0 0 500 orientation 0 0 1 0 }\nThing { size 2 }\n"
        "DEF Head Transform { translation 1 2 3 rotation 0 1 0 0.5 scale 2 2 2 children [\n"
        "Shape { appearance DEF Look Appearance { material Material { diffuseColor 1 1 1 } }\n"
        "geometry DEF Mesh IndexedFaceSet { ccw TRUE solid FALSE\n"
        f"coord DEF Points Coordinate {{ point [ {points} ] }}\n"
        f"color Color {{ color [ {colours} ] }} colorPerVertex TRUE coordIndex [ {quads} ] }} }}\n"
        "Shape { appearance USE Look geometry PointSet { coord USE Points } } ] }\n"
        "ROUTE Head.translation TO Head.set_translation\n"
    ).encode()


def _range_image() -> RangeImage:
    points = _grid()
    points[0, 0] = points[4, 9] = np.nan
    return RangeImage(points, _pixels(SIDE), "little face")


def _abs() -> bytes:
    points = np.moveaxis(_range_image().points, -1, 0)
    flags = np.isfinite(points[2])
    lines = [f"{SIDE} rows", f"{SIDE} columns", "pixels (flag X Y Z):", " ".join(map(str, flags.ravel().astype(int)))]
    lines += [" ".join(f"{x:.6f}" for x in np.where(flags, axis, -999999.0).ravel()) for axis in points]
    return ("\n".join(lines) + "\n").encode()


CAMERA = {"fx": 40.0, "fy": 40.0, "cx": 11.5, "cy": 11.5, "depth_unit_mm": 1.0, "width": 24, "height": 24}


def _depth() -> np.ndarray:
    """(24, 24) uint16, mm: a bump 400 mm away, and a wall at 1.5 m."""
    x, y = np.meshgrid(np.arange(24) - 11.5, np.arange(24) - 11.5)
    return np.where(np.hypot(x, y) < 9, 400 + x**2 + y**2, 1500).astype(np.uint16)


def _depth_png() -> bytes:
    out = io.BytesIO()
    Image.fromarray(_depth()).save(out, "png")
    return out.getvalue()


def _matrix() -> dict[str, np.ndarray]:
    return {"K": np.array([[CAMERA["fx"], 0, CAMERA["cx"]], [0, CAMERA["fy"], CAMERA["cy"]], [0, 0, 1]])}


def _npz(**arrays: np.ndarray) -> bytes:
    members = {}
    for name, array in arrays.items():
        out = io.BytesIO()
        np.save(out, array)
        members[f"{name}.npy"] = out.getvalue()
    return zipped(members)


def _lm2(labels: Sequence[str], points: np.ndarray) -> bytes:
    lines = ["# 2D landmarks", "", f"{len(labels)} landmarks:", "", *labels, ""]
    return ("\n".join([*lines, *(f"{x:.3f} {y:.3f}" for x, y in points.tolist())]) + "\n").encode()


def _live_link() -> bytes:
    names = [name[0].upper() + name[1:] for name in (*SHAPES, "tongueOut", *HEAD)]
    rows = [",".join(["Timecode", "BlendShapeCount", *names])]
    for frame in range(8):
        numbers = [f"{(frame * 7 + column * 3) % 50 / 50:.6f}" for column in range(len(names))]
        rows.append(",".join([f"10:00:00:{2 * frame:02d}.500", "0" if frame == 3 else "61", *numbers]))
    return ("\n".join(rows) + "\n").encode()


LABELS_CSV = """path,subject,emotion,intensity,sequence,frame,sex,age,ancestry,note
face.obj,F001,happy,3,,,female,31,latin,"a note, quoted"
./face.ply,F002,neutral,,take 1,7,m,,,
"""


def _coding(units: int) -> bytes:
    """Action units of BP4D, a line a frame; with more than one the header names them."""
    header = [",".join(["frame", *(f"AU{unit:02d}" for unit in range(1, units + 1))])] if units > 1 else []
    lines = [",".join(map(str, [frame, *((frame * unit) % 2 for unit in range(1, units + 1))])) for frame in range(9)]
    return ("\n".join([*header, *lines]) + "\n").encode()


def _listed(path: Path) -> object:
    return [sample.load() for sample in FolderDataset(path.parent).samples()]


def _scan(path: Path) -> object:
    scan = read_scan(path)
    if scan.texture is not None:
        np.asarray(scan.texture)
    return scan


def make_fixtures(folder: Path) -> dict[str, Fixture]:
    """Every kind of file; ``folder`` is an empty one that our own writers may use.

    A name stands in the seed of its cases: one that changes, changes them.
    """
    scan, bare = face(), _bare()
    inside = {"bufferView": 3, "mimeType": "image/png"}
    glb_tree, glb_buffer = _gltf(inside, {})
    gltf_tree, gltf_buffer = _gltf({"uri": "face.png"}, {"uri": "face.bin"})
    scans: dict[str, dict[str, bytes]] = {
        "obj": _written(folder, "face.obj", lambda path: write_scan(path, bare)),
        "obj, textured": _written(folder, "face.obj", lambda path: write_scan(path, scan)),
        "obj, of many ways": {"face.obj": _obj_of_many_ways()},
        "ply": _written(folder, "face.ply", lambda path: write_scan(path, bare)),
        "ply, textured": _written(folder, "face.ply", lambda path: write_scan(path, scan, ".jpg")),
        "ply, coloured": {"face.ply": _ply("binary_little_endian")},
        "ply, big end first": {"face.ply": _ply("binary_big_endian")},
        "ply, text": {"face.ply": _ply("ascii")},
        "stl": {"face.stl": _stl()},
        "stl, text": {"face.stl": _stl_text()},
        "off": {"face.off": _off()},
        "glb": {"face.glb": glb(json.dumps(glb_tree).encode(), glb_buffer)},
        "gltf": {
            "face.gltf": json.dumps(gltf_tree).encode(),
            "face.bin": gltf_buffer,
            "face.png": _picture("png"),
        },
    }
    vrml = _written(folder, "face.wrl", lambda path: write_scan(path, scan, ".jpg"))
    scans |= {
        "wrl": vrml,
        "wrl, packed": {"face.wrl.gz": gzip.compress(vrml["face.wrl"], mtime=0), "face.jpg": vrml["face.jpg"]},
        "wrl, of many nodes": {"face.wrl": _wrl_of_many_nodes()},
    }
    scans |= {
        "bnt": _written(folder, "face.bnt", lambda path: write_bnt(path, _range_image())),
        "abs": {"face.abs": _abs(), "face.ppm": _picture("ppm", SIDE)},
        "abs, packed": {"face.abs.gz": gzip.compress(_abs(), mtime=0)},
        "depth": {
            "face.png": _depth_png(),
            "face.json": json.dumps(CAMERA).encode(),
            "face.jpg": _picture("jpg", 24),
        },
        "npz, depth": {"face.npz": _npz(depth=_depth(), depth_unit_mm=np.float64(1), **_matrix())},
        "npz, points": {"face.npz": _npz(points=_range_image().points, colours=_pixels(SIDE))},
    }
    fixtures = {name: Fixture(files, _scan) for name, files in scans.items()}
    labels = [f"Outer left eyebrow {i}" for i in range(22)]
    landmarks: dict[str, dict[str, bytes]] = {
        "bnd": _written(folder, "face.bnd", lambda path: write_bnd(path, np.arange(83), scan.vertices[:83])),
        "lm3": _written(folder, "face.lm3", lambda path: write_lm3(path, labels, scan.vertices[:22])),
        "lm2": {"face.lm2": _lm2(labels, scan.vertices[:22, :2])},
    }
    fixtures |= {name: Fixture(files, read_landmarks) for name, files in landmarks.items()}
    for suffix in ("png", "jpg", "bmp"):
        fixtures[f"picture, {suffix}"] = Fixture(
            {f"face.{suffix}": _picture(suffix)}, lambda path: np.asarray(PictureFile(path))
        )
    fixtures["live link"] = Fixture({"take.csv": _live_link()}, read_live_link)
    fixtures["labels"] = Fixture({"labels.csv": LABELS_CSV.encode(), **scans["obj"], **scans["ply"]}, _listed)
    fixtures["action units"] = Fixture({"F001_T1.csv": _coding(5)}, read_occurrence)
    fixtures["action unit, graded"] = Fixture({"F001_T1_AU06.csv": _coding(1)}, read_intensity)
    return fixtures
