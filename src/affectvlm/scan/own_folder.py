"""The files that a scan names: materials, buffers, pictures. None outside the scan's own folder is ever opened."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from PIL import Image

from affectvlm.errors import ScanError
from affectvlm.scan.picture_beside import file_beside
from affectvlm.scan.picture_file import PICTURE_SUFFIXES, PictureFile

MAX_COMPANION_BYTES = 2_000_000_000
"""Of a material or a buffer."""

PLAIN_SUFFIXES = (".mtl", ".bin")
"""What a mesh names beside its pictures: materials and glTF buffers."""


class OwnFolder:
    """Finds what a scan names, and remembers what could not be used.

    trimesh asks it for files too (``get`` and ``[]``). It gets materials and buffers as they are, and for a picture
    another one, of a single pixel, by which :meth:`real_picture` knows the file again: so trimesh decodes none.

    Parameters
    ----------
    scan : Path
    """

    def __init__(self, scan: Path) -> None:
        self.scan = scan
        self.folder = scan.parent.resolve()
        self.refused: dict[str, str] = {}
        """What the scan names and why it is not used."""
        self._pictures: dict[str, PictureFile] = {}

    def find(self, name: str) -> Path | None:
        """Return the file of this name in the scan's folder or below it; None, and it is refused, when there is none.

        Exporters write where the picture stood on their own machine; it usually travels beside the mesh.
        """
        inside = False
        written = name.strip().replace("\\", "/")
        for candidate in (written, unquote(written), unquote(written).rsplit("/", 1)[-1]):
            try:
                path = (self.folder / candidate).resolve()
                inside = path.is_relative_to(self.folder)
                if inside and path.is_file():
                    return path
            except (OSError, ValueError, RuntimeError):  # too long, a zero byte, links in a circle
                inside = True
        self.refused[written] = "is not in the scan's folder" if inside else "lies outside the scan's folder"
        return None

    def picture(self, name: str) -> PictureFile | None:
        """Return the picture of this name; None, and it is refused, when it is not there or is no picture."""
        path = self.find(name)
        return None if path is None else self._checked(path, name)

    def picture_of(self, names: Sequence[str], stem: str) -> PictureFile | None:
        """Return the first of the pictures that a scan names, or else the one beside it with the scan's own name.

        Parameters
        ----------
        names : sequence of str
        stem : str
            The scan's name without its ending.
        """
        for name in names:
            if found := self.picture(name):
                return found
        beside = file_beside(self.scan, (stem + suffix for suffix in PICTURE_SUFFIXES))
        if beside is None or (found := self._checked(beside.resolve(), beside.name)) is None:
            return None
        self.refused.clear()  # the name in the file was an old one
        return found

    def _checked(self, path: Path, name: str) -> PictureFile | None:
        picture = PictureFile(path)
        try:
            picture.shape  # noqa: B018  its header is read here, so that what is no picture is known at once
        except ScanError:
            self.refused[name] = "is not a readable picture"
            return None
        return picture

    def __getitem__(self, name: str) -> bytes:
        if not name.lower().strip().endswith(PLAIN_SUFFIXES):
            return self.get(name)
        path = self.find(name)
        if path is None or path.stat().st_size > MAX_COMPANION_BYTES:
            raise FileNotFoundError(name)
        return path.read_bytes()

    def get(self, name: str) -> bytes:
        """Give trimesh something to open for a picture.

        Raises
        ------
        FileNotFoundError
            There is no such picture in the scan's folder.
        """
        picture = self.picture(name)
        if picture is None:
            raise FileNotFoundError(name)
        key = f"affectvlm {len(self._pictures)}"
        self._pictures[key] = picture
        content = io.BytesIO()
        Image.new("P", (1, 1)).save(content, "GIF", comment=key)
        return content.getvalue()

    def real_picture(self, image: Any) -> PictureFile | None:
        """Return the file for which trimesh was given ``image``; None when the picture came from elsewhere."""
        key = getattr(image, "info", {}).get("comment", b"")
        return self._pictures.get(key.decode("latin-1")) if isinstance(key, bytes) else None
