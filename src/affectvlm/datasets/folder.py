"""A plain folder of labelled scans: ``root/<subject>/<emotion>/<any name>.obj``, or any folders with a ``labels.csv``.

``labels.csv`` stands in the root and tells everything (see :mod:`affectvlm.datasets.labels_csv`); names of folders
mean nothing then.
"""

from __future__ import annotations

from typing import ClassVar

from affectvlm.datasets.dataset import Dataset, Protocol, everything, showing
from affectvlm.datasets.file_tree import SCANS, add_scan, scans_in, split_suffix, walk
from affectvlm.datasets.found import Findings, Problem
from affectvlm.datasets.labels_csv import LABELS, emotion_named, emotions_known, read_labels
from affectvlm.emotions import EMOTIONS

LISTED = (*SCANS, ".png")
"""Endings of files that a list may name: a picture is a scan, with depths for colours, only where a list says so."""


class FolderDataset(Dataset):
    """Labelled scans in a folder for each subject, and in it a folder for each emotion; or listed in ``labels.csv``.

    Names that begin with a dot are passed over, and so are files that are no scans.
    """

    name = "folder"
    title = "labelled scans"
    example = "<subject>/<emotion>/<name>.obj"
    protocols: ClassVar = {
        "all": Protocol("all scans", everything),
        "six-emotions": Protocol("scans of the six emotions", showing(*EMOTIONS)),
    }

    def _find(self) -> Findings:
        findings = Findings()
        if (self.root / LABELS).is_file():
            self._find_listed(findings)
        else:
            self._find_by_folders(findings)
        return findings

    def _nothing_found(self) -> str:
        found = super()._nothing_found().partition("found ")[2].partition(";")[0]
        return (
            f"{self.root}: expected scans as <subject>/<emotion>/<name>, or listed in {LABELS}, with the ending "
            f"{', '.join(SCANS)}; found {found}; arrange them so"
        )

    def _find_by_folders(self, findings: Findings) -> None:
        for folder in walk(self.root, findings):
            scans = list(scans_in(folder, (), findings)) if folder.below else []
            if len(folder.below) != 2:
                if scans:
                    what = f"expected scans as <subject>/<emotion>/<name>; the scans in it ({len(scans)}) are not used"
                    findings.problems.append(Problem(str(folder.path), what))
                continue
            subject, shown = folder.below
            emotion = emotion_named(shown, self.classes)
            if scans and emotion is None:
                known = emotions_known(self.classes)
                what = (
                    f"expected a folder named after an emotion, found {shown!r}; rename it to one of {known}, or name "
                    "a vocabulary that has it (--vocabulary)"
                )
                findings.problems.append(Problem(str(folder.path), what, subject, blocks=True))
                continue
            for stem, entry in scans:
                key = "/".join((subject, shown, entry.name))
                add_scan(findings, folder, stem, entry, key=key, subject=subject, emotion=emotion)

    def _find_listed(self, findings: Findings) -> None:
        """Take the files that the list names, as far as the walk comes upon them: no other is ever opened."""
        file = self.root / LABELS
        labels, problems = read_labels(file, own=self.classes)
        findings.problems += problems
        listed = {label.path: label for label in labels}
        for folder in walk(self.root, findings):
            unlisted = []
            for name, entry in folder.files.items():
                stem, suffix = split_suffix(name)
                label = listed.pop("/".join((*folder.below, name)), None)
                if label is None and suffix in SCANS:
                    unlisted.append(name)
                elif label is not None and suffix not in LISTED:
                    what = f"expected a scan that ends in {', '.join(LISTED)}, found {label.path}"
                    findings.problems.append(Problem(f"{file}, line {label.line}", what, label.subject, blocks=True))
                elif label is not None:
                    add_scan(
                        findings,
                        folder,
                        stem,
                        entry,
                        key=label.path,
                        subject=label.subject,
                        emotion=label.emotion,
                        intensity=label.intensity,
                        sequence=label.sequence,
                        frame=label.frame,
                        attributes=label.attributes,
                    )
            if unlisted:
                what = (
                    f"holds scans ({len(unlisted)}) that are not in {LABELS}, such as {unlisted[0]}; they are not used"
                )
                findings.problems.append(Problem(str(folder.path), what))
        findings.problems += [
            Problem(
                f"{file}, line {label.line}", f"{label.path} is no file below {self.root}", label.subject, blocks=True
            )
            for label in listed.values()
        ]
