"""The content of a mesh file, plain or packed by gzip, with a bound on what comes out."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from affectvlm.errors import ScanError, in_one_line

MAX_BYTES = 500_000_000
"""A frame of BU-4DFE has 5 MB."""

MAX_PACKED = 30
"""Gzip makes a tenth of a mesh's numbers; what unpacks to far more is no scan."""

GZIP_START = b"\x1f\x8b"


def unpacked_stem(path: Path) -> str:
    """Return a file's name without its ending, which is a double one where it is packed: ``.wrl.gz``."""
    return Path(path.stem).stem if path.suffix.lower() == ".gz" else path.stem


def checked_size(path: Path) -> int:
    """Return a file's size in bytes, before it is read whole.

    Raises
    ------
    ScanError
        It is far too large.
    """
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise ScanError(f"{path}: expected a scan of at most {MAX_BYTES} bytes, found {size}; export it smaller")
    return size


def read_text(path: Path) -> bytes:
    """Read a file whole, unpacked if need be; its first bytes tell, not its ending.

    Raises
    ------
    ScanError
        It is far too large, or packed and damaged.
    """
    size = checked_size(path)
    with path.open("rb") as file:
        start = file.read(2)
        file.seek(0)
        if start != GZIP_START:
            return file.read()
        most = min(MAX_BYTES, MAX_PACKED * size + 100_000)
        try:
            content = gzip.GzipFile(fileobj=file).read(most + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise ScanError(
                f"{path}: expected a whole gzip file, found it damaged ({in_one_line(str(error))}); copy it again"
            ) from error
    if len(content) > most:
        if most == MAX_BYTES:
            raise ScanError(f"{path}: expected at most {most} bytes when unpacked, found more; export it smaller")
        raise ScanError(
            f"{path}: expected a packed scan, found {size} bytes that unpack to more than {most}: over {MAX_PACKED} "
            "times as many, which the text of a scan never does; export it again"
        )
    return content
