"""Captured movement: an iPhone's Live Link Face csv, and what such captures show at the apex of an emotion.

The file has a row for each frame: ``Timecode`` (HH:MM:SS:FF.sss, where FF counts sixtieths of a second whatever the
frame rate), ``BlendShapeCount``, ARKit's 52 face shapes with the subject's own left and right, and angles of the head
and the eyes. The app saves a raw file and, where the face was calibrated, one ending in ``_cal``; both read alike. In
a raw file the face at rest is not zero: shapes of the mouth commonly stand at 0.1 to 0.2.

ARKit's shapes become action units by the inverse of what :mod:`~affectvlm.synthesis.ict_facekit` makes of them, so
that a face model of ARKit's shapes shows what was captured:

=========================  =============================================================================
action unit                from ARKit's shapes
=========================  =============================================================================
AU1, 2, 4, 5, 6, 9, 43     browInnerUp, browOuterUp, browDown, eyeWide, cheekSquint, noseSneer, eyeBlink
AU7                        eyeSquint beyond the 0.3 cheekSquint that AU6 squints by itself
AU12, 14, 15, 20, 24       mouthSmile, mouthDimple, mouthFrown, mouthStretch, mouthPress
AU17, 18, 22, 29, 34       mouthShrugLower, mouthPucker, mouthFunnel, jawForward, cheekPuff, on both sides
AU25                       half of what mouthLowerDown and mouthUpperUp share, in AU25's own 0.5 to 0.3
AU16, 10                   what is left of mouthLowerDown and of mouthUpperUp
AU26, 27                   the mouth's opening, jawOpen - 1.2 mouthClose: AU26 alone up to 0.6, then into AU27
AU28                       mean of mouthRollLower and mouthRollUpper
AU30                       left: jawLeft; right: jawRight
=========================  =============================================================================

No model here drops the jaw behind closed lips, so that mouthClose takes from the opening. Lips that part with the jaw
alone are not counted as AU25. Half the share is a choice: it leaves happiness parted lips and disgust a raised upper
one, and changes nothing in a face of ARKit's shapes. What has no action unit of ours is left out: gaze, tongueOut,
mouthLeft, mouthRight and mouthShrugUpper; AU11 and AU23 cannot be told from the shapes that they share with others.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from affectvlm.errors import DataError
from affectvlm.synthesis.action_units import ACTION_UNITS, UNIT_INDEX
from affectvlm.synthesis.performance import Performance

SIDED = {
    "AU2": "browOuterUp",
    "AU4": "browDown",
    "AU5": "eyeWide",
    "AU6": "cheekSquint",
    "AU9": "noseSneer",
    "AU12": "mouthSmile",
    "AU14": "mouthDimple",
    "AU15": "mouthFrown",
    "AU20": "mouthStretch",
    "AU24": "mouthPress",
    "AU43": "eyeBlink",
}
"""Action unit -> the ARKit shape, one on each side, that is it."""
WHOLE = {
    "AU1": "browInnerUp",
    "AU17": "mouthShrugLower",
    "AU18": "mouthPucker",
    "AU22": "mouthFunnel",
    "AU29": "jawForward",
    "AU34": "cheekPuff",
}
"""Action unit -> the ARKit shape, of the whole face, that is it."""
_MIXED_SIDED = ("eyeSquint", "mouthLowerDown", "mouthUpperUp")
_MIXED_WHOLE = ("jawOpen", "mouthClose", "mouthRollLower", "mouthRollUpper", "jawLeft", "jawRight")
SHAPES = (
    *(shape + side for shape in (*SIDED.values(), *_MIXED_SIDED) for side in ("Left", "Right")),
    *WHOLE.values(),
    *_MIXED_WHOLE,
)
"""Every ARKit shape that is used."""

# What AU6, AU25 and AU26 are made of in ``ict_facekit.ACTION_UNITS``.
AU6_SQUINT, AU25_LOWER, AU25_UPPER, AU26_JAW = 0.3, 0.5, 0.3, 0.6
CLOSING = 1.2
"""A mouthClose of 1 lifts ICT-FaceKit's lower lip by 38.9 mm, where a jawOpen of 1 parts its lips by 32.8 mm."""
PARTED = 0.5
"""The part of what both lips share that AU25 takes."""

HEAD = ("headYaw", "headPitch", "headRoll")
HEAD_SIGNS = (-1.0, 1.0, -1.0)
"""From the file's angles to ours. See :func:`read_live_link` for how far they are known."""

TIMECODE_BASE = 60.0
HALF_DAY_S = 12 * 3600.0
LONGEST_GAP_S = 10.0
"""What is longer is no dropped frames but two takes in one file: filling it in would invent minutes of movement."""
FASTEST_FPS = 240.0
"""Of any camera that sees a face so."""
FEWEST_SEEN = 0.05
"""The least part of a take's frames that must be in the file: a few rows would else ask for any number of frames."""
LARGEST = 1e6
"""Shapes run from 0 to 1 and angles are radians; what is beyond this overflows before long."""
_TIMECODE = re.compile(r"([0-9]{1,4}):([0-5]?[0-9]):([0-5]?[0-9]):([0-5]?[0-9](?:\.[0-9]{1,12})?)")
_SHOWN = 40
"""How much of a cell is shown in a message."""

MEASURED_APEXES: dict[str, dict[str, float]] = {
    "anger": {"browDown": 0.8, "eyeSquint": 0.5, "mouthPress": 0.6, "noseSneer": 0.5, "mouthShrugLower": 0.5},
    "disgust": {
        "mouthLowerDown": 0.70,
        "browDown": 0.64,
        "mouthUpperUp": 0.52,
        "mouthSmile": 0.38,
        "noseSneer": 0.37,
        "eyeSquint": 0.34,
        "cheekSquint": 0.29,
    },
    "fear": {
        "eyeWide": 0.82,
        "browInnerUp": 0.75,
        "browOuterUp": 0.70,
        "jawOpen": 0.50,
        "mouthLowerDown": 0.42,
        "mouthStretch": 0.29,
    },
    "happiness": {
        "mouthSmile": 0.83,
        "mouthLowerDown": 0.72,
        "cheekSquint": 0.48,
        "eyeSquint": 0.47,
        "mouthUpperUp": 0.37,
        "noseSneer": 0.27,
        "browDown": 0.25,
    },
    "sadness": {
        "browInnerUp": 0.55,
        "browDown": 0.35,
        "eyeSquint": 0.19,
        "cheekSquint": 0.16,
        "mouthShrugLower": 0.13,
    },
    "surprise": {
        "eyeWide": 0.78,
        "jawOpen": 0.54,
        "browOuterUp": 0.36,
        "browInnerUp": 0.35,
        "mouthLowerDown": 0.30,
        "mouthStretch": 0.27,
    },
}
"""Emotion -> ARKit's shapes at the apex, both sides alike, as one performer's captures show them.

Only the names are known of anger's: its numbers are ours.
"""


def measured_apex(emotion: str) -> np.ndarray:
    """Give a captured emotion's apex as (A, 2) float32 strengths of action units."""
    shown = MEASURED_APEXES[emotion]
    both = {name: weight for shape, weight in shown.items() for name in (shape, shape + "Left", shape + "Right")}
    return strengths_of({shape: np.array(both.get(shape, 0.0)) for shape in SHAPES})


def strengths_of(weights: Mapping[str, np.ndarray]) -> np.ndarray:
    """Turn ARKit's shapes into action units.

    Parameters
    ----------
    weights : mapping of shape -> (...) float
        All of :data:`SHAPES`; values are clipped to [0, 1], which captures can exceed a little.

    Returns
    -------
    (..., A, 2) float32
    """
    w = {shape: np.clip(weights[shape], 0.0, 1.0) for shape in SHAPES}
    strengths = np.zeros((*w["jawOpen"].shape, len(ACTION_UNITS), 2), np.float32)

    def put(unit: str, left: np.ndarray, right: np.ndarray) -> None:
        strengths[..., UNIT_INDEX[unit], 0] = left
        strengths[..., UNIT_INDEX[unit], 1] = right

    for unit, shape in SIDED.items():
        put(unit, w[shape + "Left"], w[shape + "Right"])
    for unit, shape in WHOLE.items():
        put(unit, w[shape], w[shape])
    for column, side in enumerate(("Left", "Right")):
        squint = w["eyeSquint" + side] - AU6_SQUINT * w["cheekSquint" + side]
        lower, upper = w["mouthLowerDown" + side], w["mouthUpperUp" + side]
        parted = PARTED * np.minimum(np.minimum(lower / AU25_LOWER, upper / AU25_UPPER), 1.0)
        strengths[..., UNIT_INDEX["AU7"], column] = np.maximum(squint, 0.0)
        strengths[..., UNIT_INDEX["AU25"], column] = parted
        # Rounding may leave a trace below zero.
        strengths[..., UNIT_INDEX["AU16"], column] = np.maximum(lower - AU25_LOWER * parted, 0.0)
        strengths[..., UNIT_INDEX["AU10"], column] = np.maximum(upper - AU25_UPPER * parted, 0.0)
    opening = np.maximum(w["jawOpen"] - CLOSING * w["mouthClose"], 0.0)
    stretched = np.maximum(opening - AU26_JAW, 0.0) / (1.0 - AU26_JAW)
    dropped = np.minimum(opening / AU26_JAW, 1.0) - stretched
    rolled = 0.5 * (w["mouthRollLower"] + w["mouthRollUpper"])
    put("AU26", dropped, dropped)
    put("AU27", stretched, stretched)
    put("AU28", rolled, rolled)
    put("AU30", w["jawLeft"], w["jawRight"])
    return strengths


def read_live_link(path: Path) -> Performance:
    """Read a take of the app Live Link Face.

    Each row is put on the nearest frame of the take's steady rate; frames that were dropped, or that found no face
    (rows whose ``BlendShapeCount`` is 0), are filled in linearly.

    The head's angles are taken to be in radians and to have the eyes' signs: the files that could be had were
    recorded with the head's rotation switched off, its columns all zero, but show the eyes' yaw within 0.6 where the
    gaze shapes reach 1 (34 degrees), growing as the left eye looks inwards, to the subject's right, and the eyes' pitch
    growing as they look down. That is a frame mirrored against ours, which turns yaw and roll round. The sign of the
    roll is a conclusion from the other two, nothing more.

    Raises
    ------
    DataError
        The file cannot be read, lacks a column, or has a cell or a timecode that is none.
    """
    columns, lines, cells = _read_rows(path)
    seconds = _seconds(path, lines, [row[columns["timecode"]] for row in cells])
    names = (*SHAPES, *HEAD)
    values = _numbers(path, lines, cells, {name: columns[name.lower()] for name in names})

    fps, steps = _steady(path, seconds)
    known, rows = np.unique(steps, return_index=True)
    frames = np.arange(steps[-1] + 1)
    steady = np.stack([np.interp(frames, known, column) for column in values[rows].T], axis=1)
    weights = {name: steady[:, index] for index, name in enumerate(SHAPES)}
    head_deg = np.degrees(steady[:, len(SHAPES) :]) * HEAD_SIGNS
    return Performance(fps, strengths_of(weights), head_deg.astype(np.float32))


def _read_rows(path: Path) -> tuple[dict[str, int], list[int], list[list[str]]]:
    """Each column's place by its name in lower case; the rows that have a face, with their line numbers."""
    try:
        with open(path, encoding="utf-8-sig", errors="replace", newline="") as file:
            reader = csv.reader(file)
            numbered = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except (OSError, csv.Error) as error:
        raise DataError(f"{path}: expected a csv of Live Link Face, which cannot be read: {error}") from error
    if not numbered:
        raise DataError(f"{path}: expected a csv of Live Link Face, found an empty file; export the take again")
    columns = {name.strip().lower(): place for place, name in enumerate(numbered[0][1])}
    wanted = ("timecode", "blendShapeCount", *SHAPES, *HEAD)
    missing = [name[0].upper() + name[1:] for name in wanted if name.lower() not in columns]
    if missing:
        raise DataError(
            f"{path}: expected the columns of Live Link Face, {len(missing)} are missing: {', '.join(missing)}; "
            "export the take again"
        )
    lines, cells = [], []
    for line, row in numbered[1:]:
        if len(row) > columns["blendshapecount"] and row[columns["blendshapecount"]].strip() == "0":
            continue
        width = len(numbered[0][1])
        if len(row) < width:
            raise DataError(f"{path}, line {line}: expected {width} cells, found {len(row)}; the file is cut off")
        lines.append(line)
        cells.append(row)
    if len(cells) < 2:
        raise DataError(f"{path}: expected at least two frames with a face, found {len(cells)}; record the take again")
    return columns, lines, cells


def _numbers(path: Path, lines: list[int], cells: list[list[str]], columns: Mapping[str, int]) -> np.ndarray:
    """(T, columns) float64, none of them huge."""
    places = list(columns.values())
    try:
        values = np.array([[float(row[place]) for place in places] for row in cells])
        if (np.abs(values) < LARGEST).all():
            return values
    except ValueError:
        pass
    for line, row in zip(lines, cells, strict=True):
        for name, place in columns.items():
            if not _is_number(row[place]):
                column = name[0].upper() + name[1:]
                raise DataError(
                    f"{path}, line {line}, column {column}: expected a number, found {row[place][:_SHOWN]!r}; "
                    "mend the cell (a million is too much) or take the line out"
                )
    raise AssertionError("a cell that is no number has vanished")


def _is_number(cell: str) -> bool:
    try:
        return abs(float(cell)) < LARGEST
    except ValueError:
        return False


def _seconds(path: Path, lines: list[int], timecodes: list[str]) -> np.ndarray:
    """(T,) seconds since the first midnight, never falling."""
    seconds = np.empty(len(timecodes))
    for index, timecode in enumerate(timecodes):
        match = _TIMECODE.fullmatch(timecode.strip())
        if not match:
            raise DataError(
                f"{path}, line {lines[index]}, column Timecode: expected HH:MM:SS:FF.sss, found "
                f"{timecode[:_SHOWN]!r}; export the take again"
            )
        hours, minutes, whole, sixtieths = match.groups()
        seconds[index] = int(hours) * 3600 + int(minutes) * 60 + int(whole) + float(sixtieths) / TIMECODE_BASE
    seconds[1:] += 2 * HALF_DAY_S * np.cumsum(np.diff(seconds) < -HALF_DAY_S)
    back = np.flatnonzero(np.diff(seconds) < 0)
    if len(back):
        raise DataError(
            f"{path}, line {lines[back[0] + 1]}: expected a later timecode than the line before, found "
            f"{timecodes[back[0] + 1]} after {timecodes[back[0]]}; put the lines in order"
        )
    gaps = np.flatnonzero(np.diff(seconds) > LONGEST_GAP_S)
    if len(gaps):
        raise DataError(
            f"{path}, line {lines[gaps[0] + 1]}: expected frames at most {LONGEST_GAP_S:.0f} s apart, found "
            f"{timecodes[gaps[0] + 1]} after {timecodes[gaps[0]]}; give each take a file of its own"
        )
    return seconds


def _steady(path: Path, seconds: np.ndarray) -> tuple[float, np.ndarray]:
    """Frames a second, and (T,) int: the frame, from 0, that each row stands for."""
    gaps = np.diff(seconds)
    usual = np.median(gaps)
    if usual <= 0:
        raise DataError(f"{path}: expected timecodes that advance, found one again and again; export the take again")
    if usual < 1 / (1.5 * FASTEST_FPS):
        raise DataError(
            f"{path}: expected at most {FASTEST_FPS:.0f} frames a second, found timecodes {usual:.1g} s apart; "
            "export the take again"
        )
    # Counting from row to row follows a rate that is not quite the nominal one, however long the take.
    steps = np.concatenate([[0], np.cumsum(np.rint(gaps / usual).astype(int))])
    if len(seconds) < FEWEST_SEEN * steps[-1]:
        raise DataError(
            f"{path}: expected most of the take's {steps[-1] + 1} frames, found {len(seconds)}; record the take again"
        )
    return round(float(steps[-1] / (seconds[-1] - seconds[0])), 2), steps
