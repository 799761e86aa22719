"""Bosphorus: 105 people, 4,666 range images: expressions, action units, turned and covered faces (Savran et al. 2008).

Read from public descriptions, never run on the licensed files. Layout::

    bs000/bs000_E_HAPPY_0.bnt    subject, kind of scan, what is shown, which take of it
    bs000/bs000_E_HAPPY_0.png    its picture; .lm2 and .lm3 its landmarks

Kinds: N neutral, E emotion, LFAU, UFAU and CAU lower, upper and combined action units, YR, PR and CR turned heads,
O something before the face. Unverified: IGN (counted with the others), and that not everybody shows all six emotions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import ClassVar

from affectvlm.datasets.dataset import Dataset, Protocol, showing
from affectvlm.datasets.file_tree import add_scan, scans_in, walk
from affectvlm.datasets.found import Findings, FoundScan, Problem, with_all_six
from affectvlm.datasets.inspection import Whole
from affectvlm.emotions import EMOTIONS

EXPRESSIONS = {
    "ANGER": "anger",
    "DISGUST": "disgust",
    "FEAR": "fear",
    "HAPPY": "happiness",
    "SADNESS": "sadness",
    "SURPRISE": "surprise",
}

_NAME = re.compile(r"bs(\d{1,4})_([A-Z]+)_(\w+?)(?:_(\d+))?", re.IGNORECASE | re.ASCII)


def _with_neutral(scans: Sequence[FoundScan]) -> Iterable[FoundScan]:
    whole = with_all_six(scans)
    return [scan for scan in scans if scan.subject in whole]


def _expressions(scans: Sequence[FoundScan]) -> Iterable[FoundScan]:
    return [scan for scan in _with_neutral(scans) if scan.emotion in EMOTIONS]


class Bosphorus(Dataset):
    """Bosphorus; files are known by their names, wherever they stand."""

    name = "bosphorus"
    title = "Bosphorus"
    example = "bs000/bs000_E_HAPPY_0.bnt"
    protocols: ClassVar = {
        "expressions": Protocol(
            "six emotions of the subjects who show all of them (65 in the literature, which often draws 60 of them)",
            _expressions,
        ),
        "all-emotions": Protocol("six emotions of all subjects (ours)", showing(*EMOTIONS)),
        "with-neutral": Protocol("as expressions, and the same subjects' neutral scans (ours)", _with_neutral),
        "neutral": Protocol("neutral scans of all subjects (ours)", showing("neutral")),
    }
    whole = Whole({"subjects": 105, "with all six emotions": 65, "scans": 4666}, landmarks=True)

    def _find(self) -> Findings:
        findings = Findings()
        for folder in walk(self.root, findings):
            for stem, entry in scans_in(folder, (".bnt",), findings):
                named = _NAME.fullmatch(stem)
                if named is None:
                    findings.count("other meshes")
                    continue
                subject, kind, shown = f"bs{int(named[1]):03d}", named[2].upper(), named[3].upper()
                emotion = EXPRESSIONS.get(shown) if kind == "E" else "neutral" if kind == "N" else None
                if kind == "E" and emotion is None:
                    what = f"expected one of {', '.join(EXPRESSIONS)}, found {shown}; it has no label"
                    findings.problems.append(Problem(entry.path, what, subject))
                add_scan(
                    findings,
                    folder,
                    stem,
                    entry,
                    key=f"{subject}/{subject}_{kind}_{shown}" + ("" if named[4] is None else f"_{int(named[4])}"),
                    subject=subject,
                    emotion=emotion,
                    kind=kind,
                    landmarks=folder.first(stem, ".lm3", ".lm2"),
                )
        return findings
