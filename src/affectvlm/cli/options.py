"""What several commands let one choose."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from affectvlm.cores import usable_cores


class Faces(StrEnum):
    """Face models."""

    embedded = "embedded"
    ict_facekit = "ict-facekit"
    makehuman = "makehuman"


class ProtocolOption(StrEnum):
    """What people do: as in a data set, or nothing but rest and speak."""

    bu3dfe = "bu3dfe"
    bu4dfe = "bu4dfe"
    neutral = "neutral"


class SensorOption(StrEnum):
    """What the faces are recorded with."""

    clean = "clean"
    structured_light = "structured-light"
    depth_camera = "depth-camera"
    phone = "phone"
    mixed = "mixed"


class ScanFormat(StrEnum):
    """File formats that scans are written in."""

    ply = "ply"
    obj = "obj"
    wrl = "wrl"
    bnt = "bnt"


class Style(StrEnum):
    """How answers are printed."""

    table = "table"
    json = "json"
    csv = "csv"


class DatasetOption(StrEnum):
    """Data sets that are read."""

    bu3dfe = "bu3dfe"
    bu4dfe = "bu4dfe"
    bosphorus = "bosphorus"
    bp4d = "bp4d"
    bp4d_plus = "bp4d-plus"
    coma = "coma"
    frgc = "frgc"
    folder = "folder"


class BackendOption(StrEnum):
    """What runs the workers."""

    loky = "loky"
    ray = "ray"
    dask = "dask"


class RuntimeOption(StrEnum):
    """What runs a model."""

    torch = "torch"
    onnx = "onnx"


class MapOption(StrEnum):
    """Maps that a view can hold."""

    depth = "depth"
    normals = "normals"
    texture = "texture"
    mean_curvature = "mean_curvature"
    shape_index = "shape_index"


Variety = Annotated[
    float, typer.Option(help="How far people depart from the face model and the textbook.", min=0, max=1)
]
LARGEST_VIEW = 2048
"""As in :class:`~affectvlm.views.Rig`, which would be slow to import here."""
LARGEST_SEED = 2**32 - 1
"""As in :class:`~affectvlm.training.TrainConfig`, which would be slow to import here."""
Jobs = Annotated[int, typer.Option(help="Processes at a time.", min=1)]
Words = Annotated[
    Path | None,
    typer.Option("--vocabulary", help="YAML with words and classes of your own (docs/language.md)."),
]
Model = Annotated[
    str | None,
    typer.Option(
        help="Folder or hub id (owner/name) of a trained model; by default the one that comes along.", metavar="MODEL"
    ),
]
DEFAULT_MODEL: str | None = None
"""The one that comes with the package."""
CORES = usable_cores()
