"""Landmark files: ``.bnd`` as in BU-3DFE and BU-4DFE, ``.lm3`` as in Bosphorus."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from affectvlm.files import written_whole
from affectvlm.scan.number_text import number_text
from affectvlm.scan.write import DECIMALS


def write_bnd(path: Path, vertices: np.ndarray, points: np.ndarray) -> None:
    """Write landmarks as vertices of a mesh.

    Parameters
    ----------
    path : Path
    vertices : (83,) int
        Rows of the mesh's vertices.
    points : (83, 3) float
        Where these are, in the mesh's frame.
    """
    places = number_text(points, (b"", b"\t", b"\t", b"\n"), DECIMALS).splitlines()
    with written_whole(path) as unfinished:
        unfinished.write_bytes(
            b"".join(b"%d\t%s\n" % (int(vertex), place) for vertex, place in zip(vertices, places, strict=True))
        )


def write_lm3(path: Path, labels: Sequence[str], points: np.ndarray) -> None:
    """Write landmarks ((N, 3) float) under their names."""
    places = number_text(points, (b"", b" ", b" ", b"\n"), DECIMALS).decode().splitlines()
    lines = [f"{label}\n{place}\n" for label, place in zip(labels, places, strict=True)]
    with written_whole(path) as unfinished:
        unfinished.write_text(f"# 3D landmarks\n\n{len(lines)} landmarks:\n{''.join(lines)}", encoding="ascii")
