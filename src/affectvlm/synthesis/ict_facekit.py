"""ICT-FaceKit (MIT licence): a face model learned from light-stage scans, read from its own folder.

Source: https://github.com/ICT-VGL/ICT-FaceKit. 100 axes of identity and 55 expression shapes with ARKit names. The
numbers of vertices, polygons and landmarks are those of its README.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from affectvlm.errors import DataError
from affectvlm.synthesis.face_model import REGIONS, FaceModel
from affectvlm.synthesis.texture.uv_atlas import pack_tiles

PROJECT = "https://github.com/ICT-VGL/ICT-FaceKit"
AXES = 100
VERTICES, POLYGONS = 24_591, 24_692
"""The leading part of the mesh that a scanner would see: skin, mouth, teeth and eyeballs; no lashes, no tear film."""
PARTS = ((11_248, "skin"), (13_294, "mouth"), (14_062, "skin"), (17_039, "mouth"), (21_451, "teeth"), (24_591, "eyes"))
"""Where each part of the mesh ends: face and head, mouth socket, eye sockets, gums and tongue, teeth, eyeballs."""
# fmt: off
LANDMARKS = (
    1225, 1888, 1052, 367, 1719, 1722, 2199, 1447, 966, 3661, 4390, 3927, 3924, 2608, 3272, 4088, 3443,
    268, 493, 1914, 2044, 1401, 3615, 4240, 4114, 2734, 2509, 978, 4527, 4942, 4857, 1140, 2075, 1147, 4269, 3360,
    1507, 1542, 1537, 1528, 1518, 1511, 3742, 3751, 3756, 3721, 3725, 3732,
    5708, 5695, 2081, 0, 4275, 6200, 6213, 6346, 6461, 5518, 5957, 5841,
    5702, 5711, 5533, 6216, 6207, 6470, 5517, 5966,
)
# fmt: on
"""Vertices of the 68 points of Multi-PIE."""
NOSE_TIP = LANDMARKS[30]
MM_PER_UNIT = 10.0

# Action unit -> ARKit shapes and their weights at full strength. "@" stands for the side.
ACTION_UNITS: dict[str, dict[str, float]] = {
    "AU1": {"browInnerUp@": 1.0},
    "AU2": {"browOuterUp@": 1.0},
    "AU4": {"browDown@": 1.0},
    "AU5": {"eyeWide@": 1.0},
    "AU6": {"cheekSquint@": 1.0, "eyeSquint@": 0.3},
    "AU7": {"eyeSquint@": 1.0},
    "AU9": {"noseSneer@": 1.0},
    "AU10": {"mouthUpperUp@": 1.0},
    "AU11": {"noseSneer@": 0.3, "mouthUpperUp@": 0.3},
    "AU12": {"mouthSmile@": 1.0},
    "AU14": {"mouthDimple@": 1.0},
    "AU15": {"mouthFrown@": 1.0},
    "AU16": {"mouthLowerDown@": 1.0},
    "AU17": {"mouthShrugLower": 1.0},
    "AU18": {"mouthPucker": 1.0},
    "AU20": {"mouthStretch@": 1.0},
    "AU22": {"mouthFunnel": 1.0},
    "AU23": {"mouthPress@": 0.5, "mouthRollLower": 0.25, "mouthRollUpper": 0.25},
    "AU24": {"mouthPress@": 1.0},
    "AU25": {"mouthLowerDown@": 0.5, "mouthUpperUp@": 0.3},
    "AU26": {"jawOpen": 0.6},
    "AU27": {"jawOpen": 1.0},
    "AU28": {"mouthRollLower": 1.0, "mouthRollUpper": 1.0},
    "AU29": {"jawForward": 1.0},
    "AU30_L": {"jawLeft": 1.0},
    "AU30_R": {"jawRight": 1.0},
    "AU34": {"cheekPuff@": 1.0},
    "AU43": {"eyeBlink@": 1.0},
}


def ict_facekit_files(folder: Path) -> list[Path]:
    """List the meshes that are read, from a checkout of ICT-FaceKit or its ``FaceXModel`` folder.

    Raises
    ------
    DataError
        One of them is missing.
    """
    inner = folder if folder.name == "FaceXModel" else folder / "FaceXModel"
    names = ["generic_neutral_mesh", *(f"identity{i:03d}" for i in range(AXES)), *_arkit_names()]
    files = [inner / f"{name}.obj" for name in names]
    missing = [file for file in files if not file.is_file()]
    if missing:
        raise DataError(
            f"{inner}: expected a checkout of ICT-FaceKit with {len(files)} meshes, {len(missing)} are missing "
            f"({missing[0].name} first); get it from {PROJECT} and name its folder"
        )
    return files


def read_ict_facekit(folder: Path) -> FaceModel:
    """Read the face model, which takes a minute; the folder is never written to.

    Raises
    ------
    DataError
        A file is missing or is not what the project ships.
    """
    meshes = {file.stem: file for file in ict_facekit_files(folder)}
    neutral = _read_vertices(meshes["generic_neutral_mesh"])
    triangles, uv, uv_triangles = _read_faces(meshes["generic_neutral_mesh"])

    def displacement(name: str) -> np.ndarray:
        return _read_vertices(meshes[name]) - neutral

    arkit = {name: displacement(name) for name in _arkit_names()}
    shapes = {
        name: sum((weight * arkit[part] for part, weight in parts.items()), np.zeros_like(neutral))
        for name, parts in _sided_action_units().items()
    }
    ends, kinds = zip(*PARTS, strict=True)
    part = np.searchsorted(ends, np.arange(VERTICES), side="right")
    return FaceModel(
        "ict-facekit",
        neutral=neutral - neutral[NOSE_TIP],
        triangles=triangles,
        regions=np.array([REGIONS.index(kind) for kind in kinds], np.uint8)[part],
        landmarks=np.array(LANDMARKS, np.int32),
        axes=np.stack([displacement(f"identity{i:03d}") for i in range(AXES)]),
        axis_names=tuple(f"identity{i:03d}" for i in range(AXES)),
        shapes=np.stack(list(shapes.values())),
        shape_names=tuple(shapes),
        uv=pack_tiles(uv, uv_triangles),
        uv_triangles=uv_triangles,
    )


def _arkit_names() -> list[str]:
    sided = _sided_action_units().values()
    return list(dict.fromkeys(shape for parts in sided for shape in parts))


def _sided_action_units() -> dict[str, dict[str, float]]:
    """``AU12`` -> ``AU12_L`` and ``AU12_R``, where all its shapes have sides; a part without sides is halved."""
    sided: dict[str, dict[str, float]] = {}
    for name, parts in ACTION_UNITS.items():
        if not any("@" in part for part in parts):
            sided[name] = parts
            continue
        for side in ("_L", "_R"):
            sided[name + side] = {
                part.replace("@", side): weight if "@" in part else weight / 2 for part, weight in parts.items()
            }
    return sided


def _read_vertices(path: Path) -> np.ndarray:
    """(VERTICES, 3) float32, mm."""
    text = path.read_bytes()
    start = text.find(b"\nv ")
    end = text.find(b"\nvt ", start)
    try:
        numbers = np.fromstring(text[start:end].replace(b"\nv ", b" ").decode("ascii", "replace"), np.float32, sep=" ")
    except ValueError:
        numbers = np.empty(0, np.float32)
    if start < 0 or end < 0 or len(numbers) < 3 * VERTICES or not np.isfinite(numbers).all():
        raise _damaged(path, f"at least {VERTICES} vertices", f"{int(np.isfinite(numbers).sum()) // 3}")
    return numbers[: 3 * VERTICES].reshape(-1, 3) * np.float32(MM_PER_UNIT)


def _read_faces(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Triangles, uv and uv triangles of the leading polygons; quads become two triangles."""
    uv: list[list[float]] = []
    polygons: list[list[tuple[int, int]]] = []
    try:
        for line in path.read_text("ascii", "replace").splitlines():
            if line.startswith("vt "):
                u, v = line.split()[1:3]
                uv.append([float(u), float(v)])
            elif line.startswith("f ") and len(polygons) < POLYGONS:
                corners = (corner.split("/")[:2] for corner in line.split()[1:])
                polygons.append([(int(vertex) - 1, int(texture) - 1) for vertex, texture in corners])
    except ValueError as error:
        raise _damaged(path, "polygons of vertex/texture corners", repr(line[:60])) from error
    if len(polygons) < POLYGONS or min(map(len, polygons)) < 3:
        raise _damaged(path, f"at least {POLYGONS} polygons", f"{sum(len(polygon) >= 3 for polygon in polygons)}")
    fans = np.array(
        [(polygon[0], polygon[i], polygon[i + 1]) for polygon in polygons for i in range(1, len(polygon) - 1)], np.int32
    )  # (T, 3 corners, vertex and texture)
    if fans.min() < 0 or fans[..., 0].max() >= VERTICES or fans[..., 1].max() >= len(uv):
        raise _damaged(path, "polygons of its own vertices and coordinates", "numbers beyond them")
    return fans[..., 0], np.array(uv, np.float32), fans[..., 1]


def _damaged(path: Path, expected: str, found: str) -> DataError:
    return DataError(f"{path}: expected {expected}, found {found}; the file is damaged, get it again from {PROJECT}")
