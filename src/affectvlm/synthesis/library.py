"""The face models by name, and their parsed form in the user's cache."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Literal
from zipfile import BadZipFile

import numpy as np
from platformdirs import user_cache_path

from affectvlm import __version__
from affectvlm.errors import ConfigError, DataError
from affectvlm.files import written_whole
from affectvlm.synthesis.embedded import embedded_face
from affectvlm.synthesis.face_model import FaceModel
from affectvlm.synthesis.ict_facekit import ict_facekit_files, read_ict_facekit
from affectvlm.synthesis.makehuman import makehuman_files, read_makehuman
from affectvlm.synthesis.upright import upright_turn

FaceModelName = Literal["embedded", "ict-facekit", "makehuman"]

FORMAT = 8
"""Raised when a reader changes what it makes of the same files."""

_READERS: dict[str, tuple[Callable[[Path], list[Path]], Callable[[Path], FaceModel]]] = {
    "ict-facekit": (ict_facekit_files, read_ict_facekit),
    "makehuman": (lambda folder: list(makehuman_files(folder).values()), read_makehuman),
}
"""Name -> the files that are read from a folder, and their reader."""


@dataclass(frozen=True)
class FaceSource:
    """A face model that is ready to be loaded; small, so that it can be sent to worker processes.

    Parameters
    ----------
    name : str
    parsed : Path, optional
        The model's parsed form in the cache; the embedded face is built from code and has none.
    """

    name: FaceModelName = "embedded"
    parsed: Path | None = None

    @classmethod
    def find(cls, name: FaceModelName, folder: Path | None = None) -> FaceSource:
        """Check a face model's folder and parse it, unless the same content was parsed before.

        Parameters
        ----------
        name : str
        folder : Path, optional
            The model's own folder, never written to; the embedded face needs none.

        Raises
        ------
        ConfigError
            A folder is missing, or given for the embedded face.
        DataError
            The folder does not hold the model.
        """
        if name == "embedded":
            if folder is not None:
                raise ConfigError(f"the embedded face needs no folder, but {folder} was given; name another face model")
            return cls()
        if folder is None:
            raise ConfigError(f"{name} is read from its own folder: name it with --from DIR")
        list_files, read = _READERS[name]
        digest = hashlib.sha256(repr((name, FORMAT, __version__)).encode())
        for file in list_files(folder):
            with open(file, "rb") as content:
                digest.update(hashlib.file_digest(content, "sha256").digest())
        parsed = user_cache_path("affectvlm") / "faces" / f"{name}-{digest.hexdigest()[:16]}.npz"
        if not parsed.exists():
            _write(_upright(read(folder)), parsed)
            for older in parsed.parent.glob(f"{name}-*.npz"):
                if older != parsed:
                    older.unlink()
        return cls(name, parsed)


@cache
def load_face_model(source: FaceSource) -> FaceModel:
    """Build or load a face model, once a process."""
    return embedded_face() if source.parsed is None else _load(source.name, source.parsed)


def _upright(model: FaceModel) -> FaceModel:
    """Turn a model to the axes that every face model has (:mod:`~affectvlm.synthesis.upright`)."""
    embedded = embedded_face()
    found, _ = upright_turn(model.neutral[model.landmarks], embedded.neutral[embedded.landmarks])
    turn = found.astype(np.float32)

    def turned(vectors: np.ndarray) -> np.ndarray:
        return np.einsum("xy,...vy->...vx", turn, vectors)

    return replace(
        model,
        neutral=turned(model.neutral),
        axes=turned(model.axes),
        shapes=turned(model.shapes),
        shape_changes={name: turned(change) for name, change in model.shape_changes.items()},
    )


def _write(model: FaceModel, path: Path) -> None:
    """Keep a model as plain arrays."""
    arrays = {field.name: getattr(model, field.name) for field in fields(FaceModel) if field.name != "shape_changes"}
    arrays |= {f"shape_changes/{name}": change for name, change in model.shape_changes.items()}
    with written_whole(path) as unfinished:
        # The checker fears an array named as an argument of savez; none is.
        np.savez(unfinished, **{name: np.asarray(array) for name, array in arrays.items() if array is not None})  # type: ignore[arg-type]


def _load(name: str, path: Path) -> FaceModel:
    try:
        with np.load(path, allow_pickle=False) as kept:
            arrays = {key: kept[key] for key in kept.files}
    except (OSError, ValueError, BadZipFile) as error:
        raise DataError(
            f"{path}: expected a parsed face model, found a damaged file; delete it and try again"
        ) from error
    changes = {key.partition("/")[2]: arrays.pop(key) for key in list(arrays) if key.startswith("shape_changes/")}
    names = {key: tuple(arrays.pop(key).tolist()) for key in ("axis_names", "shape_names")}
    return FaceModel(**{**arrays, **names, "name": name, "shape_changes": changes})
