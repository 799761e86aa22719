"""Dropped files: in a folder of their own for as long as the scan is read, and gone afterwards."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from affectvlm.app.launch import MAX_UPLOAD_MB
from affectvlm.app.own_warnings import own_warnings
from affectvlm.errors import ScanError
from affectvlm.scan import FaceScan, read_scan
from affectvlm.scan.picture_file import PICTURE_SUFFIXES
from affectvlm.scan.read import SCAN_SUFFIXES, is_scan

COMPANION_SUFFIXES: tuple[str, ...] = (".mtl", ".bin", ".json", *PICTURE_SUFFIXES)
"""What may travel beside a scan: materials, glTF buffers, a depth camera's numbers, pictures."""

MAX_NAME_BYTES = 255
"""The most that the usual file systems take."""

MAX_FILES = 30
"""Of one scan: its mesh, materials and pictures."""

Dropped = tuple[str, bytes]
"""A file's name, as the browser gives it, and its content."""


def read_upload(files: Sequence[Dropped]) -> FaceScan:
    """Read the one scan among dropped files; its material and picture are found beside it.

    Warns as :func:`affectvlm.scan.read_scan` does. Messages name the file as the user knows it. Not for several
    threads at once: Python's warnings are caught for the whole process.

    Parameters
    ----------
    files : sequence of (name, content)

    Raises
    ------
    ScanError
        They are too many or too large, there is no scan among them or more than one, or it cannot be read.
    """
    _check_amount(files)
    contents = _by_safe_name(files)
    with TemporaryDirectory(prefix="affectvlm-") as folder:
        for other, content in contents.items():
            (Path(folder) / other).write_bytes(content)
        name = _scan_among([Path(folder) / other for other in contents])
        with own_warnings() as caught:
            try:
                scan = read_scan(Path(folder) / name)
                texture = None if scan.texture is None else np.asarray(scan.texture)  # while its file is there
            except ScanError as error:
                raise ScanError(_without(folder, str(error))) from error
    for warning in caught:
        warnings.warn(_without(folder, str(warning.message)), warning.category, stacklevel=2)
    return replace(scan, source=name, texture=texture)


def safe_name(name: str) -> str:
    """Reduce a file's name to what can be written into a folder and stays there: no path, not too long."""
    # A lone surrogate or a control character (the zero byte among them) cannot stand in every file system.
    base = "".join(c for c in name.replace("\\", "/").rsplit("/", 1)[-1] if c.isprintable() and c != ":")
    base = base.encode("utf-8", "ignore").decode().lstrip(".") or "unnamed"
    if len(base.encode()) > MAX_NAME_BYTES:
        # Any other name would do; a character has up to four bytes.
        base = Path(base).stem[:40] + Path(base).suffix[-12:]
    return base


def _check_amount(files: Sequence[Dropped]) -> None:
    if len(files) > MAX_FILES:
        raise ScanError(f"expected one scan of at most {MAX_FILES} files, found {len(files)}; drop one scan at a time")
    size_mb = sum(len(content) for _, content in files) / 2**20
    if size_mb > MAX_UPLOAD_MB:
        raise ScanError(
            f"expected at most {MAX_UPLOAD_MB} MB in all, found {size_mb:.0f} MB; drop the mesh and its picture alone, "
            "or thin the mesh"
        )


def _by_safe_name(files: Sequence[Dropped]) -> dict[str, bytes]:
    contents: dict[str, bytes] = {}
    for name, content in files:
        safe = safe_name(name)
        if contents.get(safe, content) != content:
            raise ScanError(f"{safe}: two different files of this name were dropped; drop one scan at a time")
        contents[safe] = content
    return contents


def _scan_among(files: Sequence[Path]) -> str:
    """Find the one scan."""
    names = [file.name for file in files]
    meshes = [file.name for file in files if is_scan(file)]
    if len(meshes) > 1:
        raise ScanError(f"expected one scan, found {len(meshes)}: {', '.join(meshes)}; drop one at a time")
    if not meshes:
        raise ScanError(
            f"expected a scan that ends in {', '.join(SCAN_SUFFIXES)}, found only {', '.join(names)}; "
            "drop the mesh together with its picture"
        )
    return meshes[0]


def _without(folder: str, message: str) -> str:
    """Take the temporary folder out of a message."""
    return message.replace(f"{folder}{os.sep}", "")
