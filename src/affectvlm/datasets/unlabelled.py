"""Data sets that do not say which emotion is shown: one's own ``labels.csv`` can."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from pathlib import Path

from affectvlm.datasets.dataset import Dataset
from affectvlm.datasets.found import Findings, FoundScan, Problem
from affectvlm.datasets.labels_csv import LABELS, Label, read_labels


class UnlabelledDataset(Dataset):
    """A data set whose labels, if any, stand in ``labels.csv`` in its root: columns ``path`` and ``emotion``.

    ``intensity``, ``sex``, ``age`` and ``ancestry`` are read too; subject, sequence and frame are the data set's own.
    """

    @abstractmethod
    def _find_scans(self, findings: Findings) -> None:
        """Walk through the folder."""

    def _find(self) -> Findings:
        findings = Findings()
        self._find_scans(findings)
        file = self.root / LABELS
        if not file.is_file() or not findings.scans:
            return findings
        labels, problems = read_labels(file, subjects=False, own=self.classes)
        listed = {label.path: label for label in labels}
        findings.scans = [self._labelled(scan, listed) for scan in findings.scans]
        findings.problems += problems
        findings.problems += [
            Problem(
                f"{file}, line {label.line}", f"{label.path} is no scan of {self.title} below {self.root}", blocks=True
            )
            for label in listed.values()
        ]
        return findings

    def _labelled(self, scan: FoundScan, listed: dict[str, Label]) -> FoundScan:
        label = listed.pop(Path(scan.file).relative_to(self.root).as_posix(), None)
        if label is None:
            return scan
        return replace(scan, emotion=label.emotion, intensity=label.intensity, attributes=label.attributes)

    def _none_chosen(self, scans: int, labelled: int) -> str:
        return (
            f"{self.root}: {self.title} has no emotion labels, found {scans} scans; write {LABELS} there, with the "
            f"columns path and emotion, to say what they show (see docs/datasets.md)"
        )
