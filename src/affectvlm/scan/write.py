"""Mesh files: PLY, OBJ and VRML, with the texture's picture beside them.

VRML is laid out as in BU-3DFE and BU-4DFE: one IndexedFaceSet with its own coordinates and its own places in the
picture, so that a seam does not split the mesh.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from affectvlm.errors import ScanError
from affectvlm.files import written_whole
from affectvlm.scan.face_scan import FaceScan
from affectvlm.scan.number_text import number_text

PictureSuffix = Literal[".jpg", ".png", ".bmp"]

DECIMALS = 4
"""Of coordinates in text: a ten-thousandth of a millimetre."""

UV_DECIMALS = 6
"""Of places in the picture: less than a hundredth of a pixel of any scanner's picture."""

JPEG_QUALITY = 90


def write_scan(path: str | Path, scan: FaceScan, picture: PictureSuffix = ".png") -> list[Path]:
    """Write a scan as it is: unit and pose are kept.

    The mesh is written last, so that where it stands the picture that it names stands too. Texture coordinates are
    written only where there is a texture.

    Parameters
    ----------
    path : str or Path
        Ends in ``.ply`` (binary), ``.obj`` (with a material beside it) or ``.wrl`` (VRML 2.0, text).
    scan : FaceScan
    picture : str
        The ending, and so the format, of the texture's picture; it gets the mesh's name otherwise.

    Returns
    -------
    list of Path
        What was written; the mesh is the last.

    Raises
    ------
    ScanError
        The path has another ending.
    """
    path = Path(path)
    make = {".ply": _ply, ".obj": _obj, ".wrl": _wrl}.get(path.suffix.lower())
    if make is None:
        raise ScanError(
            f"{path}: expected a name that ends in .ply, .obj or .wrl, found {path.suffix or 'no ending'!r}; "
            "name one of them"
        )
    beside = []
    if scan.texture is not None and scan.textured:
        beside.append(path.with_suffix(picture))
        write_picture(beside[0], np.asarray(scan.texture))
        if make is _obj:
            beside.append(path.with_suffix(".mtl"))
            with written_whole(beside[1]) as unfinished:
                text = f"newmtl skin\nKa 1 1 1\nKd 1 1 1\nmap_Kd {beside[0].name}\n"
                unfinished.write_text(text, encoding="utf-8", newline="\n")
    content = make(scan, *(file.name for file in beside))
    with written_whole(path) as unfinished:
        unfinished.write_bytes(content)
    return [*beside, path]


def write_picture(path: Path, pixels: np.ndarray) -> None:
    """Write a picture ((H, W, 3) uint8, RGB) in the format that its ending names."""
    with written_whole(path) as unfinished:
        Image.fromarray(pixels).save(unfinished, quality=JPEG_QUALITY)


def _ply(scan: FaceScan, picture: str | None = None) -> bytes:
    """Binary PLY, with places in the picture as MeshLab writes and reads them.

    They stand at the vertices where each vertex has but one, as in a range image, and else at every triangle's
    corners, which makes a file of twice the size.
    """
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(scan.vertices)}"]
    header += [f"property float {axis}" for axis in "xyz"]
    points = scan.vertices
    corners = None
    if picture and scan.uv is not None and scan.uv_triangles is not None:
        header.insert(2, f"comment TextureFile {picture}")
        if len(scan.uv) == len(points) and np.array_equal(scan.uv_triangles, scan.triangles):
            header += ["property float texture_u", "property float texture_v"]
            points = np.concatenate([points, scan.uv], axis=1)
        else:
            corners = scan.uv[scan.uv_triangles].reshape(-1, 6)
    header += [f"element face {len(scan.triangles)}", "property list uchar int vertex_indices"]
    fields: list[tuple[str, str, int]] = [("three", "u1", 1), ("rows", "<i4", 3)]
    if corners is not None:
        header.append("property list uchar float texcoord")
        fields += [("six", "u1", 1), ("places", "<f4", 6)]
    faces = np.zeros(len(scan.triangles), np.dtype(fields))
    faces["three"], faces["rows"] = 3, scan.triangles
    if corners is not None:
        faces["six"], faces["places"] = 6, corners
    return "\n".join([*header, "end_header", ""]).encode() + points.astype("<f4").tobytes() + faces.tobytes()


def _obj(scan: FaceScan, picture: str | None = None, material: str | None = None) -> bytes:
    vertices = number_text(scan.vertices, (b"v ", b" ", b" ", b"\n"), DECIMALS)
    if picture is None or scan.uv is None or scan.uv_triangles is None:
        return vertices + number_text(scan.triangles + 1, (b"f ", b" ", b" ", b"\n"))
    corners = np.stack([scan.triangles, scan.uv_triangles], axis=-1).reshape(-1, 6) + 1
    parts = [
        f"mtllib {material}\n".encode(),
        vertices,
        number_text(scan.uv, (b"vt ", b" ", b"\n"), UV_DECIMALS),
        b"usemtl skin\n",
        number_text(corners, (b"f ", b"/", b" ", b"/", b" ", b"/", b"\n")),
    ]
    return b"".join(parts)


def _wrl(scan: FaceScan, picture: str | None = None) -> bytes:
    polygon = (b"", b",", b",", b",-1,\n")
    # Without a material a mesh is drawn without light: right for a photograph, a white blot without one.
    look = f'texture ImageTexture {{ url "{picture}" }}' if picture else "material Material { }"
    parts = [
        f"#VRML V2.0 utf8\nShape {{\nappearance Appearance {{ {look} }}\ngeometry IndexedFaceSet {{\n".encode(),
        b"coord Coordinate { point [\n",
        number_text(scan.vertices, (b"", b" ", b" ", b",\n"), DECIMALS),
        b"] }\ncoordIndex [\n",
        number_text(scan.triangles, polygon),
    ]
    if picture and scan.uv is not None and scan.uv_triangles is not None:
        parts += [
            b"]\ntexCoord TextureCoordinate { point [\n",
            number_text(scan.uv, (b"", b" ", b",\n"), UV_DECIMALS),
            b"] }\ntexCoordIndex [\n",
            number_text(scan.uv_triangles, polygon),
        ]
    return b"".join([*parts, b"]\n}\n}\n"])
