"""What a glTF file would take in memory, reckoned from its tree before anything is made of it.

A few bytes can name the same numbers thousands of times, or numbers that are not there; each time is a copy.
"""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import Any

from affectvlm.errors import ScanError
from affectvlm.scan.own_folder import OwnFolder

SPARE_BYTES = 128 << 20
"""What any file may take."""

COPIES = 20
"""What it may take beyond that, as a multiple of its size: parts of a mesh share numbers."""

PART_BYTES = 16_384
"""Of a mesh without any number."""

_ITEM_BYTES = {5120: 1, 5121: 1, 5122: 2, 5123: 2, 5125: 4, 5126: 4}
_ITEMS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}


def check_gltf_size(path: Path, folder: OwnFolder) -> None:
    """Refuse a ``.gltf`` or ``.glb`` file that announces far more than it holds.

    A tree that is no glTF ends in an error of any kind; the caller says what that means.

    Parameters
    ----------
    path : Path
    folder : OwnFolder
        Finds the buffers.

    Raises
    ------
    ScanError
        It would take far more memory than its size accounts for.
    """
    content = path.read_bytes()
    size = len(content)
    if content[:4] == b"glTF":
        (length,) = struct.unpack_from("<I", content, 12)
        content = content[20 : 20 + length]
    tree = json.loads(content)
    for buffer in tree.get("buffers", []):
        name = buffer.get("uri", "data:")
        if not name.startswith("data:") and (file := folder.find(name)) is not None:
            size += file.stat().st_size
    needed = _needed(tree)
    if not needed <= SPARE_BYTES + COPIES * size:
        raise ScanError(
            f"{path}: announces meshes of {needed:.3g} bytes in a file of {size}; it is damaged, export the scan again"
        )


def _needed(tree: dict[str, Any]) -> float:
    """Bytes of all copies that are made."""
    accessors = [
        float(max(accessor["count"], 0)) * _ITEMS[accessor["type"]] * _ITEM_BYTES[accessor["componentType"]]
        for accessor in tree.get("accessors", [])
    ]
    views = math.fsum(max(view["byteLength"], 0) for view in tree.get("bufferViews", []))
    parts = 0.0
    for mesh in tree.get("meshes", []):
        for part in mesh["primitives"]:
            used = [*part["attributes"].values(), *([part["indices"]] if "indices" in part else [])]
            parts += PART_BYTES + math.fsum(accessors[i] for i in used)
    return views + math.fsum(accessors) + parts
