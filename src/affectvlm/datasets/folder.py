"""A plain folder of labelled scans: ``root/<subject>/<emotion>/<any name>.obj`` and the other mesh formats."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from affectvlm.emotions import EMOTIONS, FURTHER_EXPRESSIONS
from affectvlm.errors import DataError
from affectvlm.scan import Sample, read_scan
from affectvlm.scan.read import MESH_SUFFIXES

EMOTION_FOLDERS: dict[str, tuple[str, ...]] = {
    "anger": ("angry", "an"),
    "disgust": ("disgusted", "di"),
    "fear": ("afraid", "fearful", "scared", "fe"),
    "happiness": ("happy", "joy", "smile", "ha"),
    "sadness": ("sad", "sa"),
    "surprise": ("surprised", "su"),
    "neutral": ("ne",),
    "embarrassment": ("embarrassed",),
    "pain": ("painful",),
    "contempt": ("contemptuous",),
}
"""What people call their folders; upper and lower case are the same."""

_EMOTION_OF: dict[str, str] = {
    name: emotion for emotion in EMOTIONS + FURTHER_EXPRESSIONS for name in (emotion, *EMOTION_FOLDERS[emotion])
}


class FolderDataset:
    """Labelled scans in a folder for each subject, and in it a folder for each emotion.

    Names that begin with a dot are passed over, and so are files that are no meshes.

    Parameters
    ----------
    root : str or Path
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    def samples(self) -> list[Sample]:
        """List the scans, sorted by subject, emotion and file name.

        Raises
        ------
        DataError
            There is no such folder, an emotion's name is unknown, or there are no scans.
        """
        if not self.root.is_dir():
            raise DataError(f"{self.root}: expected a folder of scans, found none; check the path")
        samples = [
            Sample(
                key=path.relative_to(self.root).as_posix(),
                subject=subject.name,
                emotion=_emotion(folder),
                load=partial(read_scan, path),
                stamp=f"{path.stat().st_size}-{path.stat().st_mtime_ns}",
            )
            for subject in _folders(self.root)
            for folder in _folders(subject)
            for path in sorted(folder.iterdir())
            if path.suffix.lower() in MESH_SUFFIXES and path.is_file() and not path.name.startswith(".")
        ]
        if not samples:
            raise DataError(
                f"{self.root}: expected scans as <subject>/<emotion>/<name>, with the ending "
                f"{', '.join(MESH_SUFFIXES)}; found none"
            )
        return sorted(samples, key=lambda sample: (sample.subject, sample.emotion, sample.key))


def _folders(parent: Path) -> list[Path]:
    return sorted(path for path in parent.iterdir() if path.is_dir() and not path.name.startswith("."))


def _emotion(folder: Path) -> str:
    """Name the emotion that a folder stands for."""
    try:
        return _EMOTION_OF[folder.name.strip().lower()]
    except KeyError:
        raise DataError(
            f"{folder}: expected a folder named after an emotion, found {folder.name!r}; "
            f"rename it to one of {', '.join(EMOTION_FOLDERS)}"
        ) from None
