"""What is known of a made-up study: a table of its people, and one of the action units that each face shows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from affectvlm.files import written_whole
from affectvlm.synthesis.action_units import ACTION_UNITS, FACS_GRADES, UNIT_INDEX
from affectvlm.synthesis.face_model import FaceModel
from affectvlm.synthesis.generate import Study
from affectvlm.synthesis.library import load_face_model

if TYPE_CHECKING:
    import pandas as pd

SUBJECTS, LABELS = "subjects.parquet", "action_units.parquet"


def write_labels(study: Study, folder: Path) -> None:
    """Write ``subjects.parquet`` and, last, ``action_units.parquet``."""
    with written_whole(folder / SUBJECTS) as path:
        subjects_table(study).to_parquet(path)
    with written_whole(folder / LABELS) as path:
        action_units_table(study).to_parquet(path)


def subjects_table(study: Study) -> pd.DataFrame:
    """Lay out who takes part: ``subject``, ``sex``, ``age``, ``ancestry``, as far as the face model knows."""
    import pandas as pd  # only whoever writes labels needs it: it comes with the extra `train`

    people = pd.DataFrame([{"subject": person.name, **person.attributes} for person in study.people])
    columns = dict.fromkeys(["subject", "sex", "age", "ancestry", *people.columns])
    return people.reindex(columns=list(columns)).astype("string")


def action_units_table(study: Study) -> pd.DataFrame:
    """Lay out what is shown, a row for each scan or frame.

    Returns
    -------
    DataFrame
        ``key``, ``subject``, ``emotion``, ``intensity``, ``frame``, then ``AU1_L``, ``AU1_R``, ... in the grades of
        FACS, 0 to 5, on the subject's own left and right.
    """
    import pandas as pd

    model = load_face_model(study.source)
    rows = []
    for take in study.takes():
        grades = facs_grades(model, study.strengths(take)).ravel().tolist()
        rows.append([take.key, take.subject.name, take.emotion, take.intensity, take.frame, *grades])
    units = [f"{unit}_{side}" for unit in ACTION_UNITS for side in "LR"]
    table = pd.DataFrame(rows, columns=["key", "subject", "emotion", "intensity", "frame", *units])
    kinds = {"emotion": "string", "intensity": "Int64", "frame": "Int64", **dict.fromkeys(units, "float32")}
    return table.astype(kinds)


def facs_grades(model: FaceModel, strengths: np.ndarray) -> np.ndarray:
    """Tell what a face shows in the grades of FACS.

    Parameters
    ----------
    model : FaceModel
        What it has no shape for cannot be seen, and is 0; a shape without sides shows the mean of both on both.
    strengths : (A, 2) float

    Returns
    -------
    (A, 2) float32 in [0, 5]
    """
    grades = np.zeros((len(ACTION_UNITS), 2), np.float32)
    for name, weight in zip(model.shape_names, model.weights(strengths), strict=True):
        unit, _, side = name.partition("_")
        sides = {"L": slice(0, 1), "R": slice(1, 2), "": slice(0, 2)}[side]
        grades[UNIT_INDEX[unit], sides] = FACS_GRADES * weight
    return grades.clip(0, FACS_GRADES)
