"""FRGC: range images for face recognition, many of a person, some with an expression (Phillips et al. 2005).

Read from public descriptions, never run on the licensed files. Layout (the names are unverified)::

    Spring2003range/02463d452.abs.gz    subject, d, number of the recording
    labels.csv                          yours: path, emotion

Its own lists of expressions are not read: which scan shows one, only a list of labels can say, in the root; see
:mod:`affectvlm.datasets.labels_csv`. Without it the set can be inspected and read.
"""

from __future__ import annotations

import re
from typing import ClassVar

from affectvlm.datasets.dataset import Protocol, everything
from affectvlm.datasets.file_tree import add_scan, scans_in, walk
from affectvlm.datasets.found import Findings
from affectvlm.datasets.unlabelled import UnlabelledDataset

_NAME = re.compile(r"(\d{1,6})d(\d{1,6})", re.IGNORECASE | re.ASCII)


class Frgc(UnlabelledDataset):
    """FRGC; files are known by their names, wherever they stand."""

    name = "frgc"
    title = "FRGC"
    example = "Spring2003range/02463d452.abs.gz"
    protocols: ClassVar = {"labelled": Protocol("the scans that labels.csv names (ours)", everything)}

    def _find_scans(self, findings: Findings) -> None:
        for folder in walk(self.root, findings):
            for stem, entry in scans_in(folder, (".abs", ".abs.gz"), findings):
                if named := _NAME.fullmatch(stem):
                    subject = f"{int(named[1]):05d}"
                    key = f"{subject}/{subject}d{int(named[2])}"
                    add_scan(findings, folder, stem, entry, key=key, subject=subject)
                else:
                    findings.count("other meshes")
