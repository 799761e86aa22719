"""BU-4DFE: 101 people, each with a sequence of every one of six expressions, 25 frames a second (Yin et al. 2008).

Read from public descriptions, never run on the licensed files. Layout::

    F001/Angry/000.wrl                   a frame, with its picture 000.jpg
    BU4DFE_BND_V1.1/F001/Angry/000.bnd   its 83 landmarks, which are handed out apart

A sequence goes from neutral to an apex and back, about 100 frames; no frame has a label of its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import ClassVar

from affectvlm.datasets.dataset import Dataset, Protocol, everything, sex_of, subject_of
from affectvlm.datasets.file_tree import Folder, add_scan, scans_in, split_suffix, walk
from affectvlm.datasets.found import Findings, FoundScan, Problem
from affectvlm.datasets.inspection import Whole
from affectvlm.emotions import EMOTIONS

FOLDERS = {
    "angry": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happiness",
    "sad": "sadness",
    "surprise": "surprise",
    "rest": "neutral",
    "speech": "neutral",
}
"""Lower case; the last two are not the data set's, but those of generated neutral sequences in its layout."""

APEX = (0.3, 0.7)
"""The part of a sequence that protocol ``apex`` takes: ours, since no frame is labelled.

Of the frames that it takes from generated sequences, 98 % show at least half of their sequence's apex.
"""

_FRAME = re.compile(r"\d{1,9}", re.ASCII)


def _near_apex(scans: Sequence[FoundScan]) -> list[FoundScan]:
    """Take the frames whose number lies in the middle of their sequence's numbers."""
    chosen: list[FoundScan] = []
    for _, frames in groupby(scans, lambda scan: scan.sequence):
        sequence = list(frames)
        numbers = [scan.frame or 0 for scan in sequence]
        first, length = min(numbers), max(numbers) - min(numbers) + 1
        # The middle of frame n covers the time (n + 1/2) / length.
        chosen += [
            scan
            for scan, number in zip(sequence, numbers, strict=True)
            if APEX[0] <= (number - first + 0.5) / length < APEX[1]
        ]
    return chosen


class Bu4dfe(Dataset):
    """BU-4DFE; a scan is known by its last two folders and its number, wherever the parts of the set stand."""

    name = "bu4dfe"
    title = "BU-4DFE"
    example = "F001/Angry/000.wrl"
    protocols: ClassVar = {
        "apex": Protocol("frames of the middle 40 % of each sequence (ours: no frame is labelled)", _near_apex),
        "all": Protocol("all frames, each labelled as its sequence is", everything),
    }
    whole = Whole(
        {"subjects": 101, "female": 58, "male": 43, "with all six emotions": 101, "sequences": 606, "scans": 60_600},
        tuple((emotion, None) for emotion in EMOTIONS),
        landmarks=True,
    )

    def _find(self) -> Findings:
        findings = Findings()
        landmarks: dict[str, str] = {}
        for folder in walk(self.root, findings):
            subject, shown = subject_of(folder.names[-2] if len(folder.names) > 1 else ""), folder.names[-1]
            if subject is None or shown.lower() not in FOLDERS:
                _tell_other(findings, folder, subject is not None)
                continue
            sequence = f"{subject}/{shown.capitalize()}"
            for name, entry in folder.files.items():
                stem, suffix = split_suffix(name)
                if suffix in (".bnd", ".lm3") and _FRAME.fullmatch(stem):
                    landmarks.setdefault(f"{sequence}/{int(stem):03d}", entry.path)
            _add_frames(findings, folder, sequence)
        findings.scans = [replace(scan, landmarks=landmarks.get(scan.key)) for scan in findings.scans]
        return findings


def _add_frames(findings: Findings, folder: Folder, sequence: str) -> None:
    subject, shown = sequence.split("/")
    attributes = sex_of(subject[0])
    for stem, entry in scans_in(folder, (".wrl", ".wrl.gz"), findings):
        if not _FRAME.fullmatch(stem):
            findings.problems.append(Problem(entry.path, "has no frame's number for its name; it is not used", subject))
            continue
        add_scan(
            findings,
            folder,
            stem,
            entry,
            key=f"{sequence}/{int(stem):03d}",
            subject=subject,
            emotion=FOLDERS[shown.lower()],
            sequence=sequence,
            frame=int(stem),
            attributes=attributes,
        )


def _tell_other(findings: Findings, folder: Folder, in_subject: bool) -> None:
    """Note the meshes of a folder that is no sequence."""
    meshes = sum(1 for _ in scans_in(folder, (), findings))
    if meshes and in_subject:
        expected = ", ".join(name.capitalize() for name in list(FOLDERS)[: len(EMOTIONS)])
        what = f"expected a folder named {expected}; the meshes in it ({meshes}) are not used"
        findings.problems.append(Problem(str(folder.path), what))
    elif meshes:
        findings.count("other meshes", meshes)
