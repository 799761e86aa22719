"""CoMA, and trees of PLY sequences like it: people who make extreme faces (Ranjan et al. 2018).

Read from public descriptions, never run on the data set's own files. Layout::

    FaceTalk_170725_00137_TA/bareteeth/bareteeth.000001.ply    subject, sequence, frame
    labels.csv                                                 yours: path, emotion

The twelve sequences of a subject are extreme poses, not emotions: which of them show one, if any, only a list of labels
can say, in the root; see :mod:`affectvlm.datasets.labels_csv`. Without it the set can be inspected and read.
"""

from __future__ import annotations

import re
from typing import ClassVar

from affectvlm.datasets.dataset import Protocol, everything
from affectvlm.datasets.file_tree import add_scan, scans_in, walk
from affectvlm.datasets.found import Findings, Problem
from affectvlm.datasets.inspection import Whole
from affectvlm.datasets.unlabelled import UnlabelledDataset

_FRAME = re.compile(r"(?:.*\D)?(\d{1,9})", re.ASCII)


class Coma(UnlabelledDataset):
    """CoMA; a frame is known by its last two folders and the number that its name ends in."""

    name = "coma"
    title = "CoMA"
    example = "FaceTalk_170725_00137_TA/bareteeth/bareteeth.000001.ply"
    protocols: ClassVar = {"labelled": Protocol("the frames that labels.csv names (ours)", everything)}
    whole = Whole({"subjects": 12, "sequences": 144})

    def _find_scans(self, findings: Findings) -> None:
        for folder in walk(self.root, findings):
            for stem, entry in scans_in(folder, (".ply",), findings):
                subject, shown = ("", *folder.names)[-2:]
                numbered = _FRAME.fullmatch(stem)
                if numbered is None:
                    findings.problems.append(Problem(entry.path, "has no frame's number in its name; it is not used"))
                    continue
                add_scan(
                    findings,
                    folder,
                    stem,
                    entry,
                    key=f"{subject}/{shown}/{int(numbered[1]):06d}",
                    subject=subject,
                    sequence=f"{subject}/{shown}",
                    frame=int(numbered[1]),
                )
