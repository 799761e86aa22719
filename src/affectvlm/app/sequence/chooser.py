"""The choice of a sequence; it is remembered while the visitor looks at other parts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import streamlit as st

from affectvlm.app.face.uploads import COMPANION_SUFFIXES
from affectvlm.app.made_face import FIRST, choose_made_face
from affectvlm.app.sequence.frames_upload import ZIP
from affectvlm.app.sequence.sources import (
    LONGEST_S,
    SHOWN,
    CapturedSequence,
    DroppedSequence,
    GeneratedSequence,
    SequenceSource,
)
from affectvlm.app.settings import AppSettings, capture_files
from affectvlm.errors import DataError
from affectvlm.recognizer.timeline import USUAL_FPS
from affectvlm.scan.read import SCAN_SUFFIXES
from affectvlm.synthesis.live_link import read_live_link

MADE, CAPTURED, OWN = "Made up on the spot", "Captured movement", "Your own frames"

RATES = (5.0, 12.5, 25.0)

LEAST_S = 0.5
"""Of a capture; parts of it are chosen in steps of this."""

SLIDER_PX = 190

USUAL_S = 6.0
"""Of a capture, until another part is chosen."""

CHOSEN = "sequence_chosen"
"""In the visitor's session: the last choice. Streamlit forgets a widget that another part does not show."""


def choose_kind(settings: AppSettings) -> str:
    """Let the visitor say where the sequence is to come from: :data:`MADE`, :data:`CAPTURED` or :data:`OWN`."""
    kinds = [MADE, CAPTURED, OWN] if capture_files(settings) else [MADE, OWN]
    of = {GeneratedSequence: MADE, CapturedSequence: CAPTURED, DroppedSequence: OWN}[type(_last())]
    return st.radio(
        "Source", kinds, kinds.index(of), horizontal=True, label_visibility="collapsed", key="sequence_source"
    )


def choose_source(settings: AppSettings, kind: str) -> SequenceSource | None:
    """Let the visitor choose one of a kind; None while there is nothing to recognise.

    Raises
    ------
    DataError
        The chosen capture cannot be read.
    """
    last = _last()
    if kind == OWN:
        dropped = _dropped(last)
        st.session_state[CHOSEN] = replace(dropped, files=())  # a visitor's files are kept by the uploader alone
        return dropped if dropped.files else None
    chosen = _generated(settings, last) if kind == MADE else _captured(settings, capture_files(settings), last)
    st.session_state[CHOSEN] = chosen
    return chosen


def _last() -> SequenceSource:
    last: SequenceSource = st.session_state.get(CHOSEN, GeneratedSequence())
    return last


def _generated(settings: AppSettings, last: SequenceSource) -> GeneratedSequence:
    before = last if isinstance(last, GeneratedSequence) else GeneratedSequence()
    words = list(SHOWN)
    shown = st.selectbox("Expression", words, index=words.index(before.shown), width=150, key="sequence_shown_by")
    return GeneratedSequence(choose_made_face(settings, before.face, "sequence"), shown, _rate(before.fps))


def _captured(settings: AppSettings, files: list[Path], last: SequenceSource) -> CapturedSequence:
    before = last if isinstance(last, CapturedSequence) and last.file in files else None
    file = st.selectbox(
        "Capture",
        files,
        index=files.index(before.file) if before else 0,
        format_func=lambda path: path.stem,
        width=215,
        key="sequence_capture",
    )
    length = _length_s(file)
    begin, end = (before.start_s, before.end_s) if before and before.file == file else (0.0, min(length, USUAL_S))
    start = st.slider(
        "Begin at, in seconds",
        0.0,
        length,
        begin,
        step=LEAST_S,
        width=SLIDER_PX,
        key=f"sequence_start_{file.name}",
    )
    seconds = st.slider(
        "Length, in seconds",
        LEAST_S,
        min(length, LONGEST_S),
        end - begin,
        step=LEAST_S,
        width=SLIDER_PX,
        key=f"sequence_length_{file.name}",
    )
    face = choose_made_face(settings, before.face if before else FIRST, "sequence")
    start = min(start, length - seconds)  # a part that would go on beyond the end is the last one
    return CapturedSequence(face, file, start, start + seconds, _rate(before.fps if before else RATES[-1]))


def _dropped(last: SequenceSource) -> DroppedSequence:
    suffixes = dict.fromkeys(suffix.rsplit(".", 1)[-1] for suffix in (ZIP, *SCAN_SUFFIXES, *COMPANION_SUFFIXES))
    files = st.file_uploader(
        "Frames of one face, their folder, or one zip of them",
        type=list(suffixes),
        accept_multiple_files=True,
        width=520,
        key="sequence_files",
        help="One scan a file, in the order of the numbers in their names: OBJ, PLY, STL, OFF, glTF, VRML, or range "
        "images. Their pictures may come along. They are read on this machine and not kept.",
    )
    fps = st.number_input(
        "Frames a second",
        0.1,
        1000.0,
        last.fps if isinstance(last, DroppedSequence) else USUAL_FPS,
        step=1.0,
        key="sequence_own_fps",
        placeholder="not known",
        width=150,
        help="At which they were recorded. Leave it empty where that is not known: frames are then counted.",
    )
    return DroppedSequence(tuple((file.name, file.getvalue()) for file in files), fps)


def _rate(before: float) -> float:
    return st.select_slider(
        "Frames a second",
        RATES,
        value=before,
        format_func=lambda rate: f"{rate:g}",
        width=SLIDER_PX,
        key="sequence_rate",
    )


@st.cache_data(max_entries=50, show_spinner=False)
def _length_s(file: Path) -> float:
    """How long a capture is: seconds, in whole steps. Kept for all: the file is the page's, not a visitor's."""
    seconds = read_live_link(file).seconds
    if seconds < LEAST_S:
        raise DataError(
            f"{file}: expected movement of {LEAST_S:g} s or more, found {seconds:.2f} s; record a longer take"
        )
    return LEAST_S * int(seconds / LEAST_S)
