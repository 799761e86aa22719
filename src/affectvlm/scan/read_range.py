"""Range images of every kind, by one name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from affectvlm.errors import ScanError
from affectvlm.scan.range_image import RangeImage
from affectvlm.scan.read_abs import read_abs
from affectvlm.scan.read_bnt import read_bnt
from affectvlm.scan.read_depth import read_depth_picture
from affectvlm.scan.read_npz import read_npz

_READERS: dict[str, Callable[[Path], RangeImage]] = {
    ".bnt": read_bnt,
    ".abs": read_abs,
    ".abs.gz": read_abs,
    ".png": read_depth_picture,
    ".npz": read_npz,
}

RANGE_SUFFIXES: tuple[str, ...] = tuple(_READERS)
"""The endings that :func:`read_range_image` knows. Most files that end in ``.png`` are no depth pictures:
:func:`~affectvlm.scan.read_depth.is_depth_picture` tells."""


def read_range_image(path: str | Path) -> RangeImage:
    """Read the points that a scanner measured, on its grid; a picture that belongs to them is read when asked.

    Parameters
    ----------
    path : str or Path
        ``.bnt`` (Bosphorus), ``.abs`` or ``.abs.gz`` (FRGC), a 16-bit ``.png`` with its camera in a JSON file beside
        it, or ``.npz``.

    Returns
    -------
    RangeImage
        In millimetres.

    Raises
    ------
    ScanError
        The file is missing, of another kind, or damaged.
    """
    path = Path(path)
    read = next((read for suffix, read in _READERS.items() if path.name.lower().endswith(suffix)), None)
    if read is None:
        raise ScanError(
            f"{path}: expected a range image that ends in {', '.join(RANGE_SUFFIXES)}, "
            f"found {path.suffix or 'no ending'!r}"
        )
    if not path.is_file():
        found = "a directory or device" if path.exists() else "none"
        raise ScanError(f"{path}: expected a file, found {found}; check the path")
    try:
        return read(path)
    except OSError as error:
        raise ScanError(f"{path}: expected a file that can be read, found {error.strerror or error}") from error
