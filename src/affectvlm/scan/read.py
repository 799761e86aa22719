"""Any scan file, read into a :class:`FaceScan` by the reader that its ending names."""

from __future__ import annotations

import warnings
from pathlib import Path

from affectvlm.errors import ScanError, in_one_line
from affectvlm.scan.face_scan import FaceScan
from affectvlm.scan.mesh_file import MESH_SUFFIXES, read_mesh
from affectvlm.scan.own_folder import OwnFolder
from affectvlm.scan.ply import read_ply
from affectvlm.scan.read_depth import is_depth_picture
from affectvlm.scan.read_range import RANGE_SUFFIXES, read_range_image
from affectvlm.scan.vrml import VRML_SUFFIXES, read_vrml

SCAN_SUFFIXES: tuple[str, ...] = (".ply", *MESH_SUFFIXES, *VRML_SUFFIXES, *RANGE_SUFFIXES)
"""The endings that :func:`read_scan` knows; some are double, such as ``.wrl.gz``."""

JUMP_MM = 4.0
"""A longer step between two neighbours of a range image may be a gap between one surface and another behind it."""

JUMP_STEPS = 4.0
"""The same, in distances between neighbours: a coarser grid makes longer steps, and its sensor more noise."""


def read_scan(path: str | Path) -> FaceScan:
    """Read one face scan, in the unit and pose that the file has.

    A picture is only looked up, and read when its pixels are asked for. What is odd but usable is warned of.

    Parameters
    ----------
    path : str or Path
        A mesh (OBJ, PLY, STL, OFF, GLB, glTF, VRML), whose picture is taken from the same folder, or a range image
        (``.bnt``, ``.abs``, ``.npz``, a depth ``.png``), whose points are joined
        (:meth:`~affectvlm.scan.range_image.RangeImage.mesh`, with a jump of 4 mm, or of four times the spacing if that
        is more).

    Raises
    ------
    ScanError
        The file is missing, of another kind, damaged, or holds no surface.
    """
    path = Path(path)
    try:
        suffix = _suffix_of_file(path)
        if suffix in RANGE_SUFFIXES:
            image = read_range_image(path)
            return image.mesh(max(JUMP_MM, JUMP_STEPS * image.spacing_mm))
        folder = OwnFolder(path)
        if suffix in VRML_SUFFIXES:
            scan = read_vrml(path, folder)
        else:
            scan = read_ply(path, folder) if suffix == ".ply" else read_mesh(path, folder)
    except OSError as error:
        raise ScanError(f"{path}: expected a file that can be read, found {error.strerror or error}") from error
    if folder.refused:
        name, why = next(iter(folder.refused.items()))
        warnings.warn(f"{path}: {in_one_line(name)} {why}; the shape is used without it", stacklevel=2)
    return scan


def scan_suffix(path: str | Path) -> str | None:
    """Return the ending of :data:`SCAN_SUFFIXES` that a name has, in lower case; None when it is no scan's."""
    name = Path(path).name.lower()
    endings = [suffix for suffix in SCAN_SUFFIXES if name.endswith(suffix) and name != suffix]
    return max(endings, key=len, default=None)


def is_scan(path: Path) -> bool:
    """Whether a file has a scan's ending; of PNG pictures only one with depth is a scan, which its header tells."""
    suffix = scan_suffix(path)
    return suffix is not None and path.is_file() and (suffix != ".png" or is_depth_picture(path))


def _suffix_of_file(path: Path) -> str:
    """Make sure that there is a file to read."""
    if not path.exists():
        raise ScanError(f"{path}: no such file; check the path")
    if not path.is_file():
        raise ScanError(f"{path}: expected a file, found a directory or device; name one scan inside it")
    suffix = scan_suffix(path)
    if suffix is None:
        raise ScanError(
            f"{path}: expected a file that ends in {', '.join(SCAN_SUFFIXES)}, found {path.suffix or 'no ending'!r}; "
            "convert it to one of them"
        )
    if path.stat().st_size == 0:
        raise ScanError(f"{path}: the file is empty; export or copy the scan again")
    return suffix
