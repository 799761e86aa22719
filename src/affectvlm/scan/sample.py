"""One labelled scan, or frame of a sequence, of a data set, before it is loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from affectvlm.scan.face_scan import FaceScan


@dataclass(frozen=True)
class Sample:
    """A scan that can be loaded, and what is known about it.

    Parameters
    ----------
    key : str
        Unique and stable within its source, such as ``F0001/happiness/3``.
    subject : str
        Who it is: no subject may stand on both sides of a split.
    emotion : str
        One of the names in :mod:`affectvlm.emotions`.
    load : callable -> FaceScan
        Reads or makes the scan. Picklable (a ``functools.partial`` of a module's function), so that workers load what
        they need.
    intensity : int, optional
        1 (slight) to 4 (full), where the source grades its expressions.
    attributes : mapping of str -> str
        What words can say of the subject, such as ``{"sex": "female", "age": "young"}``.
    stamp : str
        Changes when the scan does (size and time of its file and of the picture beside it, a face model's hash): work
        done before is then not reused.
    sequence : str, optional
        Of a frame: the sequence's name, unique in the source, such as ``F001/Angry``.
    frame : int, optional
        Of a frame: its number in the sequence, as the source counts.
    normalized : bool
        Whether ``load`` gives the scan as :func:`~affectvlm.scan.normalize` would leave it.
    landmarks : Path, optional
        Its file of landmarks, where the source has one; :func:`~affectvlm.scan.landmarks.read_landmarks` reads it.
        They lie in the frame of the scan as ``load`` gives it, those of a ``.lm2`` in its picture.
    """

    key: str
    subject: str
    emotion: str
    load: Callable[[], FaceScan]
    intensity: int | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    stamp: str = ""
    sequence: str | None = None
    frame: int | None = None
    normalized: bool = False
    landmarks: Path | None = None
