"""BU-3DFE: 100 people, each with a neutral scan and six expressions at four intensities (Yin et al. 2006).

Read from public descriptions, never run on the licensed files. Layout::

    F0001/F0001_AN01WH_F3D.wrl    subject, expression, level, ancestry, kind; F3D is the face, cut out
    F0001/F0001_AN01WH_F3D.bmp    its colours
    F0001/F0001_AN01WH_F3D.bnd    its 83 landmarks
    F0001/F0001_AN01WH_RAW.wrl    as it was scanned; not used: it is not cut, and lies elsewhere than F3D and landmarks
"""

from __future__ import annotations

import os
import re
from typing import ClassVar

from affectvlm.datasets.dataset import Dataset, Protocol, everything, sex_of, showing
from affectvlm.datasets.file_tree import Folder, add_scan, scans_in, walk
from affectvlm.datasets.found import Findings, Problem
from affectvlm.datasets.inspection import Whole
from affectvlm.emotions import EMOTIONS

EXPRESSIONS = {
    "AN": "anger",
    "DI": "disgust",
    "FE": "fear",
    "HA": "happiness",
    "SA": "sadness",
    "SU": "surprise",
    "NE": "neutral",
}
LEVELS = (1, 2, 3, 4)

ANCESTRIES = {
    "AE": "asian",
    "AM": "middle-eastern",
    "BL": "african",
    "IN": "indian",
    "LA": "latino",
    "WH": "european",
}
"""As attributes name them; AE and AM are the set's East Asians and Middle-East Asians."""

_NAME = re.compile(
    rf"([FM])(\d{{1,4}})_({'|'.join(EXPRESSIONS)})(\d{{1,2}})([A-Z]{{2}})_(F3D|RAW)", re.IGNORECASE | re.ASCII
)


class Bu3dfe(Dataset):
    """BU-3DFE; files are known by their names, wherever they stand."""

    name = "bu3dfe"
    title = "BU-3DFE"
    example = "F0001/F0001_AN01WH_F3D.wrl"
    protocols: ClassVar = {
        "subset-2": Protocol(
            "six emotions at all four intensities (Subset II of the literature)",
            showing(*EMOTIONS),
        ),
        "subset-1": Protocol(
            "six emotions at the two highest intensities (Subset I of the literature)",
            lambda scans: [scan for scan in scans if scan.emotion in EMOTIONS and (scan.intensity or 0) >= 3],
        ),
        "with-neutral": Protocol("six emotions at all four intensities, and neutral: 25 a subject (ours)", everything),
    }
    whole = Whole(
        {"subjects": 100, "female": 56, "male": 44, "with all six emotions": 100, "scans": 2500},
        (("neutral", None), *((emotion, level) for emotion in EMOTIONS for level in LEVELS)),
        landmarks=True,
    )

    def _find(self) -> Findings:
        findings = Findings()
        for folder in walk(self.root, findings):
            for stem, entry in scans_in(folder, (".wrl", ".wrl.gz"), findings):
                named = _NAME.fullmatch(stem)
                if named is None:
                    findings.count("other meshes")
                elif named[6].upper() == "RAW":
                    findings.count("raw meshes (not used)")
                else:
                    _add(findings, folder, stem, entry, named)
        return findings


def _add(findings: Findings, folder: Folder, stem: str, entry: os.DirEntry[str], named: re.Match[str]) -> None:
    letter, number, code, level, ancestry, _ = (text.upper() for text in named.groups())
    subject, emotion, intensity = f"{letter}{int(number):04d}", EXPRESSIONS[code], int(level)
    if intensity not in ((0,) if emotion == "neutral" else LEVELS):
        what = f"expected level 00 for neutral and 01 to 04 for the others, found {code}{level}; it is not used"
        findings.problems.append(Problem(entry.path, what, subject))
        return
    attributes = sex_of(letter)
    if ancestry in ANCESTRIES:
        attributes["ancestry"] = ANCESTRIES[ancestry]
    add_scan(
        findings,
        folder,
        stem,
        entry,
        key=f"{subject}/{subject}_{code}{intensity:02d}{ancestry}",
        subject=subject,
        emotion=emotion,
        intensity=intensity or None,
        attributes=attributes,
        landmarks=folder.first(stem, ".bnd", ".lm3"),
    )
