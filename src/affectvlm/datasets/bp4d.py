"""BP4D-Spontaneous and BP4D+: people whose emotions are elicited by tasks (Zhang et al. 2014, 2016).

Read from public descriptions, never run on the licensed files. Layout::

    Sequences(2D+3D)/F001/T1/0001.obj       BP4D: subject, task, frame; .mtl and .jpg beside it
    2D+3D/F001.zip                          BP4D+: to be unpacked; what is in it is taken to be F001/T1/...
    AUCoding/AU_OCC/F001_T1.csv             which action units a coder saw

Unverified: that a frame is an .obj with its .jpg, or a .wrl with one (both are read); the folders within BP4D+'s
archives; which emotion a task of BP4D+ elicits, but for T1, T6, T7 and T8.
A frame's label is its task's: what the task is meant to elicit, in everybody and in every frame alike.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from affectvlm.datasets.action_units import ActionUnits, read_occurrence
from affectvlm.datasets.dataset import Dataset, Protocol, everything, sex_of, showing, subject_of
from affectvlm.datasets.file_tree import SCANS, Folder, add_scan, scans_in, split_suffix, walk
from affectvlm.datasets.found import Findings, Problem
from affectvlm.datasets.inspection import Whole
from affectvlm.errors import DataError

BP4D_TASKS = {
    1: "happiness",
    2: "sadness",
    3: "surprise",
    4: "embarrassment",
    5: "fear",
    6: "pain",
    7: "anger",
    8: "disgust",
}

BP4D_PLUS_TASKS = {
    1: "happiness",
    2: "surprise",
    3: "sadness",
    6: "embarrassment",
    7: "fear",
    8: "pain",
    9: "anger",
    10: "disgust",
}
"""Unverified but for 1, 6, 7 and 8. Tasks 4 (startle) and 5 (scepticism) are taken to elicit none of the classes."""

LAYOUTS = {"sequences(2d+3d)": "bp4d", "2d+3d": "bp4d-plus"}
"""Folder, lower case and without spaces -> the data set that has it."""

_TASK = re.compile(r"T(\d{1,2})", re.IGNORECASE | re.ASCII)
_FRAME = re.compile(r"(?:[FM]\d+_T\d+_)?(\d{1,9})", re.IGNORECASE | re.ASCII)
_CODING = re.compile(r"([FM]\d{1,4})_T(\d{1,2})", re.IGNORECASE | re.ASCII)


class Bp4d(Dataset):
    """BP4D-Spontaneous; a frame is known by its last two folders and its number."""

    name = "bp4d"
    title = "BP4D-Spontaneous"
    example = "Sequences(2D+3D)/F001/T1/0001.obj"
    protocols: ClassVar = {
        "tasks": Protocol("all frames of the eight tasks, as eight classes", everything),
        "happiness-disgust": Protocol(
            "frames of the tasks for happiness (T1) and disgust (T8): the literature's test of what BU-4DFE taught",
            showing("happiness", "disgust"),
        ),
    }
    whole = Whole(
        {"subjects": 41, "female": 23, "male": 18, "sequences": 328}, tuple((e, None) for e in BP4D_TASKS.values())
    )
    tasks: ClassVar = BP4D_TASKS
    """Number -> what the task elicits."""

    def _find(self) -> Findings:
        findings = Findings()
        self._coding: dict[str, Path] = {}
        strange = None
        for folder in walk(self.root, findings):
            self._note_others(findings, folder)
            subject = subject_of(folder.names[-2] if len(folder.names) > 1 else "")
            task = _TASK.fullmatch(folder.names[-1])
            strange = strange or self._strange(folder, int(task[1]) if subject and task else 0)
            if subject and task:
                self._add_frames(findings, folder, subject, int(task[1]))
            elif meshes := sum(1 for _ in scans_in(folder, (), findings)):
                findings.count("other meshes", meshes)
        if strange is not None:
            findings.problems.append(strange)
        return findings

    def _strange(self, folder: Folder, task: int) -> Problem | None:
        """Tell what shows that a folder is the other data set's, where the same tasks mean other emotions."""
        if not any(split_suffix(name)[1] in (*SCANS, ".zip") for name in folder.files):
            return None
        known = ((name, LAYOUTS.get("".join(name.lower().split()))) for name in reversed(folder.names))
        name, layout = next((pair for pair in known if pair[1]), ("", None))
        if layout not in (None, self.name):
            what = f"expected {self.title}, found a folder {name!r}, which is that of `{layout}`"
            remedy = f"tasks mean other emotions there: use `{layout}`, or rename the folder if it is none"
            return Problem(str(folder.path), f"{what}; {remedy}", blocks=True)
        if max(self.tasks) < task <= max(BP4D_PLUS_TASKS):
            what = f"expected tasks T1 to T{max(self.tasks)} of {self.title}, found T{task}, which only BP4D+ has"
            return Problem(str(folder.path), f"{what}; its tasks mean other emotions: use `bp4d-plus`", blocks=True)
        return None

    def _note_others(self, findings: Findings, folder: Folder) -> None:
        for name, entry in folder.files.items():
            stem, suffix = split_suffix(name)
            if suffix == ".zip":
                findings.count("archives (not unpacked)")
            elif suffix == ".csv" and folder.names[-1].upper() == "AU_OCC" and (coded := _CODING.fullmatch(stem)):
                self._coding[f"{subject_of(coded[1])}/T{int(coded[2])}"] = Path(entry.path)

    def _add_frames(self, findings: Findings, folder: Folder, subject: str, task: int) -> None:
        sequence, attributes, misnamed = f"{subject}/T{task}", sex_of(subject[0]), 0
        for stem, entry in scans_in(folder, (".obj", ".wrl"), findings):
            numbered = _FRAME.fullmatch(stem)
            if numbered is None:
                misnamed += 1
                continue
            add_scan(
                findings,
                folder,
                stem,
                entry,
                key=f"{sequence}/{int(numbered[1]):04d}",
                subject=subject,
                emotion=self.tasks.get(task),
                sequence=sequence,
                frame=int(numbered[1]),
                attributes=attributes,
            )
        if misnamed:
            what = f"holds meshes ({misnamed}) without a frame's number for their names; they are not used"
            findings.problems.append(Problem(str(folder.path), what, subject))

    def action_units(self, sequence: str, frame_offset: int = 0) -> ActionUnits:
        """Read which action units are present in a sequence.

        Parameters
        ----------
        sequence : str
            As the samples name it: ``F001/T1``.
        frame_offset : int
            See :func:`~affectvlm.datasets.action_units.read_occurrence`.

        Raises
        ------
        DataError
            It was not coded, or its file is damaged.
        """
        if sequence not in {scan.sequence for scan in self._findings.scans} | set(self._coding):
            raise DataError(f"{self.root}: expected a sequence such as F001/T1, found {sequence!r}; see the samples'")
        if sequence not in self._coding:
            raise DataError(
                f"{self.root}: expected AU_OCC/{sequence.replace('/', '_')}.csv below it, found none; not all tasks "
                "are coded, or the codes stand elsewhere: name the folder that holds both"
            )
        return read_occurrence(self._coding[sequence], frame_offset)


class Bp4dPlus(Bp4d):
    """BP4D+: laid out as BP4D-Spontaneous once its archives are unpacked (unverified)."""

    name = "bp4d-plus"
    title = "BP4D+"
    example = "2D+3D/F001/T1/0001.obj"
    protocols: ClassVar = {
        "tasks": Protocol(
            "all frames of T1-T3 and T6-T10, as eight classes (unverified but for T1, T6, T7, T8)", everything
        ),
        "coded-tasks": Protocol(
            "all frames of T1, T6, T7 and T8, whose action units are coded, as four classes (ours)",
            showing("happiness", "embarrassment", "fear", "pain"),
        ),
        "happiness-disgust": Protocol(
            "frames of the tasks for happiness (T1) and disgust (T10, unverified) (ours, after BP4D-Spontaneous)",
            showing("happiness", "disgust"),
        ),
    }
    whole = Whole({"subjects": 140, "sequences": 1400}, tuple((e, None) for e in BP4D_PLUS_TASKS.values()))
    tasks: ClassVar = BP4D_PLUS_TASKS
