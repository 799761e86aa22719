"""A zip from a stranger, unpacked into a folder of its own: nothing outside it is written, and nothing huge.

What a hostile zip can do, and what is done about it: names that lead elsewhere, links and devices are refused before
anything is written; sizes are bounded by what the directory announces, and zipfile gives no more of a file than that;
methods of compression whose reader has no such bound (bzip2, LZMA) are refused; the directory itself is read within
a bound. Archives inside are never opened.
"""

from __future__ import annotations

import io
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from shutil import copyfileobj

from affectvlm.errors import ScanError, in_one_line

MAX_MEMBERS = 5_000
"""Files and folders of all kinds; a sequence of 600 textured OBJ frames has 1,800."""

MAX_DIRECTORY_BYTES = 2_000_000
"""Of the zip's own list of files, which is read into memory at once: 400 bytes for each of so many."""

MAX_FILE_BYTES = 200_000_000
"""Of one unpacked file; a textured scan has a tenth of this."""

MAX_TOTAL_BYTES = 2_000_000_000
"""Of all unpacked files."""

MAX_RATIO = 100
"""Unpacked to packed bytes, beyond the first :data:`SMALL_BYTES`; scans have 2 to 10, bombs 1,000."""

SMALL_BYTES = 1_000_000
"""So little may be packed as tightly as it likes."""

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

_PLAIN = (0, stat.S_IFREG, stat.S_IFDIR)
"""Kinds of files that are what they seem; 0 where the packing system did not say."""


def unpack(name: str, content: bytes, folder: Path, wanted: Callable[[str], bool]) -> list[Path]:
    """Unpack the wanted files of a zip; their folders are kept.

    Parameters
    ----------
    name : str
        Of the zip, for messages.
    content : bytes
        Of the zip.
    folder : Path
        An empty one.
    wanted : callable
        Tells by a file's name, without its folders, whether it is unpacked; the others are left in the zip.

    Returns
    -------
    list of Path
        What was unpacked.

    Raises
    ------
    ScanError
        It is no zip, damaged, hostile, too large, or protected by a password.
    """
    try:
        with zipfile.ZipFile(_BoundedReads(name, content)) as archive:
            members = archive.infolist()
            if len(members) > MAX_MEMBERS:
                raise ScanError(f"{name}: expected at most {MAX_MEMBERS} files in a zip, found {len(members)}")
            for member in members:
                _check_place(name, member)
            chosen = [m for m in members if not m.is_dir() and wanted(_parts(m)[-1]) and "__MACOSX" not in _parts(m)]
            _check_sizes(name, chosen)
            return [_unpack_one(name, archive, member, folder) for member in chosen]
    except ScanError:
        raise
    # What zipfile meets damage with.
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, RuntimeError, OSError) as error:
        reason = in_one_line(str(error).replace(str(folder), "it"), 120)
        raise ScanError(f"{name}: expected a zip, found a damaged or other file ({reason}); zip it again") from error


class _BoundedReads(io.BytesIO):
    """A zip's bytes, of which only little can be asked for at once: the directory is the one thing read whole."""

    def __init__(self, name: str, content: bytes) -> None:
        super().__init__(content)
        self._name, self._length = name, len(content)

    def read(self, size: int | None = -1, /) -> bytes:
        rest = max(self._length - self.tell(), 0)
        if (rest if size is None or size < 0 else min(size, rest)) > MAX_DIRECTORY_BYTES:
            raise ScanError(f"{self._name}: expected a zip of at most {MAX_MEMBERS} files, found a list of many more")
        return super().read(size)


def _parts(member: zipfile.ZipInfo) -> list[str]:
    """Folders and name, by either system's separators."""
    return [part for part in re.split(r"[/\\]", member.filename) if part not in ("", ".")] or [""]


def _check_place(name: str, member: zipfile.ZipInfo) -> None:
    """Refuse what leads out of the folder, and what is neither a file nor a folder."""
    inner = in_one_line(repr(member.filename), 80)
    if re.match(r"[/\\]|[A-Za-z]:", member.filename) or ".." in _parts(member):
        raise ScanError(f"{name}: expected names inside the zip, found one that leads out of it: {inner}; zip it again")
    if stat.S_IFMT(member.external_attr >> 16) not in _PLAIN:
        raise ScanError(f"{name}: expected files and folders only, found a link or device: {inner}; zip it without")


def _check_sizes(name: str, members: list[zipfile.ZipInfo]) -> None:
    """Refuse what cannot be unpacked, or is too much; nothing is opened for it."""
    for member in members:
        inner = in_one_line(member.filename, 80)
        if member.flag_bits & 0x1:
            raise ScanError(f"{name}: {inner} is protected by a password; zip it without")
        if member.compress_type not in _METHODS:
            raise ScanError(
                f"{name}: {inner} is packed by an unusual method ({member.compress_type}); zip it by deflate, the usual"
            )
        if member.file_size > MAX_FILE_BYTES:
            raise ScanError(
                f"{name}: expected files of at most {_megabytes(MAX_FILE_BYTES)}, found {inner} of "
                f"{_megabytes(member.file_size)}; export smaller scans"
            )
        if member.file_size > SMALL_BYTES + MAX_RATIO * member.compress_size:
            raise ScanError(
                f"{name}: {inner} would unpack from {member.compress_size:,} to {member.file_size:,} bytes, as no scan "
                "does; zip the scans again"
            )
    total = sum(member.file_size for member in members)
    if total > MAX_TOTAL_BYTES:
        raise ScanError(
            f"{name}: expected at most {_megabytes(MAX_TOTAL_BYTES)} unpacked, found {_megabytes(total)}; zip fewer "
            "frames"
        )


def _unpack_one(name: str, archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> Path:
    target = folder.joinpath(*_parts(member))
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        inner = in_one_line("/".join(_parts(member)), 80)
        raise ScanError(f"{name}: holds two files called {inner}; zip one sequence alone")
    with archive.open(member) as packed, target.open("xb") as file:
        copyfileobj(packed, file)
    return target


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
