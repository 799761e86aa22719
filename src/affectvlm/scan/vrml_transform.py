"""Where a VRML Transform puts what is in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from affectvlm.errors import ScanError
from affectvlm.scan.vrml_nodes import Node


def placement(node: Node, path: Path) -> np.ndarray:
    """(4, 4) float64 matrix of a Transform node.

    A point p goes to T C R S' S S'^-1 C^-1 p, with translation T, center C, rotation R, scaleOrientation S' and
    scale S (ISO/IEC 14772-1:1997, 6.52).

    Parameters
    ----------
    node : Node
    path : Path
        For messages.

    Raises
    ------
    ScanError
        A field holds something other than its three or four numbers.
    """
    translation = _numbers(node, b"translation", (0, 0, 0), path)
    center = _numbers(node, b"center", (0, 0, 0), path)
    turn = _turn(_numbers(node, b"rotation", (0, 0, 1, 0), path))
    tilt = _turn(_numbers(node, b"scaleOrientation", (0, 0, 1, 0), path))
    linear = turn @ tilt @ np.diag(_numbers(node, b"scale", (1, 1, 1), path)) @ tilt.T
    matrix = np.eye(4)
    matrix[:3, :3] = linear
    matrix[:3, 3] = translation + center - linear @ center
    return matrix


def _turn(axis_and_angle: np.ndarray) -> np.ndarray:
    """(3, 3) rotation by an angle in radians; an axis of no length turns nothing."""
    from scipy.spatial.transform import Rotation  # slow to import, and few files have a Transform

    length = np.linalg.norm(axis_and_angle[:3])
    return Rotation.from_rotvec(axis_and_angle[:3] * axis_and_angle[3] / (length or 1)).as_matrix()


def _numbers(node: Node, name: bytes, default: tuple[float, ...], path: Path) -> np.ndarray:
    words = node.words(name)
    if not words:
        return np.array(default, np.float64)
    try:
        values = np.array([float(word) for word in words])
    except ValueError:
        values = np.empty(0)
    if len(values) != len(default) or not (np.abs(values) < 1e9).all():
        found = b" ".join(words[:5])[:60].decode("latin-1")
        raise ScanError(
            f"{path}: expected {len(default)} numbers for {name.decode()} of a Transform, found {found!r}; "
            "export the scan again"
        )
    return values
