"""A made-up study on disk, laid out as BU-3DFE or BU-4DFE is: for the programs that read those.

Layout of the folder::

    plan.json                       what the tree is; another study's is refused
    F0001/F0001_AN01WH_F3D.wrl      BU-3DFE: the mesh, with its picture (.bmp) and 83 landmarks (.bnd) beside it
    F001/Angry/000.wrl              BU-4DFE: a frame, with its picture (.jpg)
    BU4DFE_BND_V1.1/F001/Angry/000.bnd    its landmarks
    subjects.parquet                who the subjects are
    action_units.parquet            what each face shows; written last: the tree is whole
    README.txt                      that nobody in it is real

Meshes can be PLY or OBJ instead; a range sensor's grid can be written as in Bosphorus (``.bnt``, ``.png``, ``.lm3``).
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np
from scipy.spatial import cKDTree

from affectvlm import __version__
from affectvlm.errors import DataError
from affectvlm.files import check_claim, claim_folder, written_whole
from affectvlm.scan.write import PictureSuffix, write_scan
from affectvlm.scan.write_bnt import write_bnt
from affectvlm.scan.write_landmarks import write_bnd, write_lm3
from affectvlm.synthesis.generate import Study, Take
from affectvlm.synthesis.labels import LABELS, write_labels
from affectvlm.synthesis.landmark_schemes import bosphorus_points, bu_points
from affectvlm.synthesis.library import load_face_model
from affectvlm.synthesis.sensors import ideal_grid

TreeFormat = Literal["ply", "obj", "wrl", "bnt"]

PART_TAKES = 25
"""Made by one worker in one go: all of a BU-3DFE subject, whose face is drawn once."""

BLOCK_BYTES = 4096
"""A file takes up whole blocks on disk."""

PICTURE: dict[str, PictureSuffix] = {"bu3dfe": ".bmp", "bu4dfe": ".jpg", "neutral": ".jpg"}
BU4DFE_LANDMARKS = "BU4DFE_BND_V1.1"


def write_tree(
    study: Study,
    folder: Path,
    format: TreeFormat,
    jobs: int = 1,
    on_progress: Callable[[int], None] = lambda done: None,
) -> None:
    """Write a study's scans, landmarks and labels, or finish a tree that was interrupted.

    Parameters
    ----------
    study : Study
    folder : Path
        Where the tree goes. One that holds anything else is refused, never overwritten.
    format : str
        ``wrl`` as the data sets have it, ``ply``, ``obj``, or ``bnt`` for the sensor's grid; an ideal one where the
        sensor ``clean`` has none.
    jobs : int
        Worker processes (joblib's active backend). The files are the same for any number.
    on_progress : callable
        Called with the number of finished takes each time some more are.

    Raises
    ------
    DataError
        The folder holds something else, or the disk is too small.
    """
    import joblib  # only whoever writes a tree needs it: it comes with the extra `train`

    folder = Path(folder)
    takes = study.takes()
    plan = _plan(study, format, len(takes))
    check_claim(folder, plan, "scans")
    folder.mkdir(parents=True, exist_ok=True)
    # A take's mesh is written last, so that a finished take is known by it.
    todo = [take for take in takes if not _mesh_file(study, take, folder, format).exists()]
    if todo:
        # Before the folder is claimed: whoever is told to take fewer subjects may take them to the same folder.
        with TemporaryDirectory() as place:
            _check_space(folder, _write_take(study, todo[0], Path(place), format), len(todo))
    claim_folder(folder, plan, "scans")
    done = len(takes) - len(todo)
    parts = [todo[start : start + PART_TAKES] for start in range(0, len(todo), PART_TAKES)]
    work = (joblib.delayed(_write_part)(study, part, folder, format) for part in parts)
    for count in joblib.Parallel(n_jobs=jobs, return_as="generator_unordered")(work):
        done += count
        on_progress(done)
    if todo or not (folder / LABELS).exists():
        _finish(folder, study, format)
    on_progress(len(takes))


def _plan(study: Study, format: TreeFormat, scans: int) -> dict[str, object]:
    return {
        "faces": study.source.name,
        "face_model": load_face_model(study.source).fingerprint,
        "lenders": [[lender.name, load_face_model(lender).fingerprint] for lender in study.lenders],
        "protocol": study.protocol,
        "capture": study.capture and [study.capture.name, hashlib.sha256(study.capture.read_bytes()).hexdigest()],
        "subjects": study.subjects,
        "sensor": study.sensor,
        "variety": study.variety,
        "fps": study.fps,
        "textured": study.textured,
        "seed": study.seed,
        "format": format,
        "scans": scans,
        "affectvlm": __version__,
    }


def _check_space(folder: Path, example: Sequence[Path], scans: int) -> None:
    """Refuse to begin what would end with a full disk."""
    blocks = sum(-(-file.stat().st_size // BLOCK_BYTES) for file in example)
    needed, free = blocks * BLOCK_BYTES * scans, shutil.disk_usage(folder).free
    if needed > free:
        raise DataError(
            f"{folder}: {scans} scans take about {needed / 1e9:.1f} GB, found {free / 1e9:.1f} GB free; "
            "choose another disk, fewer subjects, or --format ply, which is the smallest"
        )


def _mesh_file(study: Study, take: Take, folder: Path, format: TreeFormat) -> Path:
    return folder / f"{take.key}{'_F3D' if study.protocol == 'bu3dfe' else ''}.{format}"


def _write_part(study: Study, takes: Sequence[Take], folder: Path, format: TreeFormat) -> int:
    for take in takes:
        _write_take(study, take, folder, format)
    return len(takes)


def _write_take(study: Study, take: Take, folder: Path, format: TreeFormat) -> list[Path]:
    """Record one take and write its files, the mesh last."""
    recording = study.record(take)
    mesh_file = _mesh_file(study, take, folder, format)
    if format == "bnt":
        labelled = bosphorus_points(recording.landmarks)
        landmark_file = mesh_file.with_suffix(".lm3")
        write_lm3(landmark_file, list(labelled), np.stack(list(labelled.values())))
        grid = ideal_grid(recording.scan) if recording.grid is None else recording.grid
        return [landmark_file, *write_bnt(mesh_file, grid)]
    vertices = recording.scan.vertices
    # Built once for 83 questions: a tree that is quickly made serves better than one that answers quickly.
    nearest = cKDTree(vertices, balanced_tree=False, compact_nodes=False).query(bu_points(recording.landmarks))[1]
    beside = mesh_file if study.protocol == "bu3dfe" else folder / BU4DFE_LANDMARKS / take.key
    landmark_file = beside.with_suffix(".bnd")
    write_bnd(landmark_file, nearest, vertices[nearest])
    return [landmark_file, *write_scan(mesh_file, recording.scan, PICTURE[study.protocol])]


def _finish(folder: Path, study: Study, format: TreeFormat) -> None:
    """Write what is known of all, and last the table that says that the tree is whole."""
    with written_whole(folder / "README.txt") as path:
        path.write_text(_readme(study, format), encoding="utf-8", newline="\n")
    for leftover in folder.rglob(".*.unfinished.*"):
        leftover.unlink()  # of a run that was killed outright: half a mesh that a search for *.wrl would find
    write_labels(study, folder)


def _readme(study: Study, format: TreeFormat) -> str:
    data_set = "BU-3DFE" if study.protocol == "bu3dfe" else "BU-4DFE"
    return f"""Synthetic faces: nobody here is real, and nobody was scanned.

Made by AffectVLM {__version__}. Folders and files are named as in {data_set}, so that the same programs read
them; nothing was taken from that data set.

Face model: {", with expressions of ".join(source.name for source in (study.source, *study.lenders))}
Subjects:   {study.subjects}
{f"Performed:  {study.capture.name}" if study.capture else f"Protocol:   {study.protocol}"}
Sensor:     {study.sensor}
Variety:    {study.variety:g}
Sequences:  {study.fps:g} frames a second; their emotion is that of the apex, they begin and end at rest
Textured:   {"yes" if study.textured else "no"}
Format:     {format}
Seed:       {study.seed}

The same version, face model and settings make the same files again.

subjects.parquet      each subject's sex, age and ancestry, as far as the face model knows them; where it does not
                      know the sex, the letters F and M in the names are given in turn and mean nothing
action_units.parquet  what each face shows: grades 0 to 5 of FACS for each action unit, on the subject's own left (L)
                      and right (R) side; key is the file without its kind and ending

Coordinates are millimetres: +x to the viewer's right, +y up, +z towards the camera.
Landmarks are those of the face model, brought to the number and order of BU-3DFE (.bnd) or Bosphorus (.lm3), whose
"left" is the viewer's left: an approximation.
"""
