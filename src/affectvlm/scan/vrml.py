"""VRML 2.0 as BU-3DFE and BU-4DFE have it: meshes in text, each with its picture or coloured vertices.

The meaning of the nodes is that of ISO/IEC 14772-1:1997, clause 6. Of VRML 1.0 the nodes that hold a mesh are read.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from affectvlm.errors import ScanError
from affectvlm.scan.face_scan import FaceScan
from affectvlm.scan.mesh_text import read_text, unpacked_stem
from affectvlm.scan.number_list import place_of, read_indices, read_numbers
from affectvlm.scan.own_folder import OwnFolder
from affectvlm.scan.parts import MAX_TRIANGLES, Part, join
from affectvlm.scan.picture_file import PictureFile
from affectvlm.scan.polygons import fan, mean_at_vertices
from affectvlm.scan.vrml_nodes import MAX_DEPTH, Node, NumberList, line_at, read_nodes
from affectvlm.scan.vrml_transform import placement

VRML_SUFFIXES: tuple[str, ...] = (".wrl", ".vrml", ".wrl.gz", ".vrml.gz", ".wrz")

MAX_NODES = 20_000
"""That are drawn; a scan has half a dozen, and ``USE`` of ``USE`` can make billions of a short file."""

MAX_MESHES = 200

MAX_READ = 4
"""Times the file's size: how much may be read of lists of numbers, which ``USE`` can name again and again."""

STATE = {
    b"Coordinate3": b"coord",
    b"TextureCoordinate2": b"texCoord",
    b"Texture2": b"texture",
}
"""Nodes of VRML 1.0 that hold for the meshes after them, and the fields of VRML 2.0 that they stand for."""

OUTDATED_MOVES = (b"Translation", b"Rotation", b"Scale", b"MatrixTransform")


def read_vrml(path: Path, folder: OwnFolder) -> FaceScan:
    """Read a VRML file, in text or packed by gzip, whatever its ending.

    Every vertex keeps its row, since landmark files count them, though of several at one place the triangles use the
    first. All meshes of a file become one scan; what a Transform moves is moved; of an LOD the first level is taken.
    The picture is the one that the file names, or that has its name and lies beside it.

    Parameters
    ----------
    path : Path
    folder : OwnFolder
        Finds the pictures.

    Raises
    ------
    ScanError
        It is no VRML file, damaged, cut short, or holds no mesh.
    """
    content = read_text(path).removeprefix(b"\xef\xbb\xbf")
    if b"#VRML" not in content[:1000]:
        raise ScanError(
            f"{path}: expected a VRML file, which begins with '#VRML V2.0 utf8', found {content[:20]!r}; "
            "export the scan again"
        )
    root, complete = read_nodes(content, path)
    if not complete:
        warnings.warn(f"{path}: the file ends within a node; it may be cut short", stacklevel=3)
    scene = _Scene(content, path, folder)
    scene.draw(root, np.eye(4), {}, 0)
    if not scene.parts:
        raise ScanError(f"{path}: expected an IndexedFaceSet with triangles, found none; export the scan as a mesh")
    for warning in scene.oddities:
        warnings.warn(f"{path}: {warning}", stacklevel=3)
    return join(scene.parts, str(path), merged=False)


class _TooMuchError(ScanError):
    """The file is hostile, so that nothing in it is made the best of."""


class _Scene:
    """Collects the meshes of a file."""

    def __init__(self, content: bytes, path: Path, folder: OwnFolder) -> None:
        self.content = content
        self.path = path
        self.folder = folder
        self.parts: list[Part] = []
        self.oddities: dict[str, None] = {}  # each said once, in their order
        self.nodes = self.triangles = 0
        self.left_to_read = MAX_READ * len(content)

    def draw(self, node: Node, matrix: np.ndarray, state: dict[bytes, Node], depth: int) -> None:
        """Take the meshes in a node, which ``matrix`` ((4, 4)) moves, with what ``state`` holds for them."""
        self.nodes += 1
        if self.nodes > MAX_NODES or depth > MAX_DEPTH:
            raise ScanError(
                f"{self.path}: expected the scene of one scan, found over {MAX_NODES} nodes, or such as stand more "
                f"than {MAX_DEPTH} deep; export the scan again"
            )
        if node.kind == b"IndexedFaceSet":
            self._add_mesh(node, matrix, state)
            return
        if node.kind in (b"PROTO", b"Appearance", b"Script"):
            return
        children = node.children()
        if node.kind == b"Transform":
            own = placement(node, self.path)
            if not children and not np.array_equal(own, np.eye(4)):
                self.oddities["a Transform of VRML 1.0 is not applied"] = None
            matrix = matrix @ own
        elif node.kind in OUTDATED_MOVES:
            self.oddities[f"a {node.kind.decode()} of VRML 1.0 is not applied"] = None
        elif node.kind == b"Inline":
            self.oddities["an Inline node names another file, which is not read"] = None
        elif node.kind == b"LOD":
            children = children[:1]
        state = dict(state)
        appearance = node.node(b"appearance")
        if appearance and (texture := appearance.node(b"texture")):
            state[b"texture"] = texture
        for child in children:
            if child.kind in STATE:
                state[STATE[child.kind]] = child
            else:
                self.draw(child, matrix, state, depth + 1)

    def _add_mesh(self, node: Node, matrix: np.ndarray, state: dict[bytes, Node]) -> None:
        coordinate = node.node(b"coord") or state.get(b"coord")
        points = coordinate.numbers(b"point") if coordinate else None
        indices = node.numbers(b"coordIndex")
        if points is None or indices is None:
            return  # an empty mesh
        vertices = self._table(points, 3, "point")
        corners = self._indices(indices, "coordIndex")
        self._check_indices(corners, indices, len(vertices))
        flip = (node.words(b"ccw") == [b"FALSE"]) != (np.linalg.det(matrix[:3, :3]) < 0)
        triangles, thin = fan(corners, corners, flip)
        if thin:
            self.oddities[f"{thin} faces of fewer than 3 corners are left out"] = None
        if len(triangles) == 0:
            return
        self.triangles += len(triangles)
        if self.triangles > MAX_TRIANGLES:
            raise ScanError(f"{self.path}: more than {MAX_TRIANGLES} triangles; export the scan at a lower resolution")
        uv, uv_triangles = self._places(node, state, corners, flip, triangles)
        part = Part(
            _moved(vertices, matrix),
            triangles,
            uv,
            uv_triangles,
            None if uv is None else self._picture(state),
            self._colours(node, corners, len(vertices)),
        )
        self.parts.append(part)

    def _table(self, numbers: NumberList, columns: int, name: str) -> np.ndarray:
        """Read rows of ``columns`` numbers."""
        self._account(numbers)
        values, mistake = read_numbers(self.content, numbers.start, numbers.end)
        if mistake >= 0:
            raise self._no_number(mistake, name)
        if len(values) % columns:
            raise ScanError(
                f"{self._place(numbers.start)}: expected {columns} numbers for each {name}, found {len(values)} in "
                "all; the file is damaged"
            )
        return values.reshape(-1, columns)

    def _indices(self, numbers: NumberList, name: str) -> np.ndarray:
        """Read rows of vertices, each polygon with a -1 behind it, the last one too."""
        self._account(numbers)
        values, mistake = read_indices(self.content, numbers.start, numbers.end)
        if mistake >= 0:
            raise self._no_number(mistake, name)
        return values if len(values) == 0 or values[-1] == -1 else np.append(values, np.int32(-1))

    def _account(self, numbers: NumberList) -> None:
        self.left_to_read -= numbers.end - numbers.start
        if self.left_to_read < 0 or len(self.parts) >= MAX_MESHES:
            raise _TooMuchError(
                f"{self.path}: expected the meshes of one scan, found over {MAX_MESHES}, or the same numbers used over "
                "and over; export the scan again"
            )

    def _no_number(self, at: int, name: str) -> ScanError:
        word = self.content[at : at + 30].split(maxsplit=1)[0].split(b",")[0].split(b"]")[0]
        kind = "a whole number" if name.endswith("Index") else "a number"
        return ScanError(
            f"{self._place(at)}: expected {kind} in {name}, found {word.decode('latin-1')!r}; export the scan again"
        )

    def _check_indices(self, corners: np.ndarray, indices: NumberList, count: int) -> None:
        if len(corners) and (corners.min() < -1 or corners.max() >= count):
            row = int(np.flatnonzero((corners < -1) | (corners >= count))[0])
            at = place_of(self.content, indices.start, indices.end, row)
            raise ScanError(
                f"{self._place(at)}: expected a vertex of 0 to {count - 1} in coordIndex, found {corners[row]}; "
                "the file is damaged"
            )

    def _places(
        self, node: Node, state: dict[bytes, Node], corners: np.ndarray, flip: bool, triangles: np.ndarray
    ) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Read the places in the picture; without them the shape is still good, so mistakes are only said."""
        coordinate = node.node(b"texCoord") or state.get(b"texCoord")
        points = coordinate.numbers(b"point") if coordinate else None
        if points is None:
            return None, None
        try:
            uv = self._table(points, 2, "texture point")
            indices = node.numbers(b"texCoordIndex") or node.numbers(b"textureCoordIndex")
            places = self._indices(indices, "texCoordIndex") if indices else corners
            if len(places) == 0:
                places = corners
        except _TooMuchError:
            raise
        except ScanError as error:
            self.oddities[f"{str(error).removeprefix(f'{self.path}: ')}; the shape is used without its picture"] = None
            return None, None
        fits = len(places) == len(corners) and np.array_equal(places < 0, corners < 0)
        if not fits or places.min() < -1 or places.max() >= len(uv):
            self.oddities["texCoordIndex does not fit coordIndex; the shape is used without its picture"] = None
            return None, None
        return uv, triangles if places is corners else fan(places, corners, flip)[0]

    def _picture(self, state: dict[bytes, Node]) -> PictureFile | None:
        texture = state.get(b"texture")
        urls = [] if texture is None else texture.words(b"url") + texture.words(b"filename")
        names = [url[1:-1].decode("utf-8", "replace") for url in urls if url[:1] == b'"']
        return self.folder.picture_of([name for name in names if name.strip()], unpacked_stem(self.path))

    def _colours(self, node: Node, corners: np.ndarray, count: int) -> np.ndarray | None:
        """(count, 3) uint8 colours of the vertices; a vertex that gets several has their mean."""
        colour = node.node(b"color")
        numbers = colour.numbers(b"color") if colour else None
        if numbers is None:
            return None
        values = self._table(numbers, 3, "color")
        given = node.numbers(b"colorIndex")
        rows = None if given is None else self._indices(given, "colorIndex")
        per_face = node.words(b"colorPerVertex") == [b"FALSE"]
        found = mean_at_vertices(values, None if rows is None or len(rows) == 0 else rows, per_face, corners, count)
        if found is None:
            self.oddities["the colours do not fit the vertices; the shape is used without them"] = None
            return None
        return np.rint(np.clip(found, 0, 1) * 255).astype(np.uint8)

    def _place(self, at: int) -> str:
        return f"{self.path}: line {line_at(self.content, at)}"


def _moved(vertices: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    if np.array_equal(matrix, np.eye(4)):
        return vertices
    with np.errstate(all="ignore"):  # numbers beyond all measure become infinite, which FaceScan refuses
        return vertices @ matrix[:3, :3].T + matrix[:3, 3]
