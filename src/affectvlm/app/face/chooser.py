"""The face that a visitor looks at: a sample from the gallery, another sample, or his own scan.

It is the same in every part of the page that reads one face, and stays chosen while he goes from part to part.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import streamlit as st

from affectvlm.app.face.display_mesh import lit
from affectvlm.app.face.reading import Reading, read_face
from affectvlm.app.face.samples import GALLERY, INTENSITY_WORDS, MAX_PERSON, SampleFace
from affectvlm.app.face.thumbnails import thumbnails
from affectvlm.app.face.uploads import COMPANION_SUFFIXES, Dropped, read_upload
from affectvlm.app.launch import MAX_UPLOAD_MB
from affectvlm.app.models import load_recognizer
from affectvlm.emotions import EMOTIONS, NEUTRAL
from affectvlm.scan.read import SCAN_SUFFIXES

CHOSEN = "face_chosen"

SUFFIXES = sorted({suffix.rsplit(".", 1)[-1] for suffix in (*SCAN_SUFFIXES, *COMPANION_SUFFIXES)})


@dataclass(frozen=True)
class OwnScan:
    """A visitor's own files.

    Parameters
    ----------
    drop : tuple of str
        Tells this drop from any other; cheaper to compare than the content.
    files : tuple of (name, content)
    """

    drop: tuple[str, ...]
    files: tuple[Dropped, ...]


def chosen_face() -> SampleFace | OwnScan:
    """Tell which face this visitor has chosen; the first of the gallery before he has."""
    chosen: SampleFace | OwnScan = st.session_state.get(CHOSEN, GALLERY[0])
    return chosen


def read_chosen(folder: Path) -> Reading:
    """Read the chosen face with a model.

    Raises
    ------
    ScanError
        The dropped files cannot be read, or show no face.
    """
    face = chosen_face()
    return read_sample(folder, face) if isinstance(face, SampleFace) else _read_own(folder, face.drop, face)


def show_gallery(part: str) -> None:
    """Let the visitor take a sample face.

    Parameters
    ----------
    part : str
        Of the page: no two have a widget of one key.
    """
    face, key = chosen_face(), f"{part}_gallery"
    pictures = dict(zip(GALLERY, gallery_pictures(), strict=True))
    # What another part, or a drop, has chosen since is shown here too.
    st.session_state[key] = face if face in GALLERY else None
    st.pills(
        "Take a sample face",
        GALLERY,
        format_func=lambda sample: f"![]({pictures[sample]}) {sample.emotion}",
        key=key,
        on_change=_choose_from,
        args=(key,),
        help="Made by this program's own face model, the first seven people: none was chosen for its answer.",
    )


def show_other_sample(part: str) -> None:
    """Let the visitor have any other person, expression and intensity made."""
    face = chosen_face()
    shown = face if isinstance(face, SampleFace) else GALLERY[0]
    keys = {name: f"{part}_{name}" for name in ("emotion", "intensity", "person")}
    for name, key in keys.items():
        st.session_state[key] = getattr(shown, name)
    with st.popover("Another face", icon=":material/tune:", help="Another person, expression or intensity."):
        st.selectbox("Expression", (*EMOTIONS, NEUTRAL), key=keys["emotion"], on_change=_choose_other, args=(part,))
        st.select_slider(
            "Intensity",
            list(INTENSITY_WORDS),
            format_func=INTENSITY_WORDS.__getitem__,
            key=keys["intensity"],
            disabled=shown.emotion == NEUTRAL,
            on_change=_choose_other,
            args=(part,),
        )
        st.number_input(
            "Person",
            1,
            MAX_PERSON,
            key=keys["person"],
            help="Each number is another made-up face.",
            on_change=_choose_other,
            args=(part,),
        )


def show_uploader(part: str) -> None:
    """Let the visitor drop his own scan."""
    key = f"{part}_files"
    files = st.file_uploader(
        "or drop a scan of your own",
        type=SUFFIXES,
        accept_multiple_files=True,
        key=key,
        on_change=_choose_own,
        args=(key,),
        help="An OBJ, PLY, STL, OFF, glTF or VRML mesh, or a range image. Drop it together with its picture (and an "
        f"OBJ's .mtl) to have its colours. At most {MAX_UPLOAD_MB} MB. Read on this machine and not kept.",
    )
    if files and isinstance(chosen_face(), SampleFace):
        st.button("Show my scan again", key=f"{part}_back", icon=":material/undo:", on_click=_choose_own, args=(key,))


def _choose_from(key: str) -> None:
    # Clicked again, a pill is let go; the face stays.
    if (sample := st.session_state[key]) is not None:
        st.session_state[CHOSEN] = sample


def _choose_other(part: str) -> None:
    st.session_state[CHOSEN] = SampleFace(
        *(st.session_state[f"{part}_{name}"] for name in ("emotion", "intensity", "person"))
    )


def _choose_own(key: str) -> None:
    """Take what lies in the uploader; nothing, when the last file was taken out: the first sample again."""
    if files := st.session_state[key]:
        st.session_state[CHOSEN] = OwnScan(
            tuple(file.file_id for file in files), tuple((file.name, file.getvalue()) for file in files)
        )
    elif isinstance(chosen_face(), OwnScan):
        del st.session_state[CHOSEN]


@st.cache_resource(show_spinner=False)
def gallery_pictures() -> tuple[str, ...]:
    """Draw the samples once for all visitors: they are nobody's."""
    return thumbnails(GALLERY)


@st.cache_data(max_entries=8, scope="session", show_spinner="Reading the face …")
def read_sample(folder: Path, sample: SampleFace) -> Reading:
    """Make a sample face and read it."""
    reading = read_face(load_recognizer(folder), sample.scan)
    return replace(reading, mesh=lit(reading.mesh))


@st.cache_data(max_entries=4, scope="session", show_spinner="Reading the scan …")
def _read_own(folder: Path, drop: tuple[str, ...], _face: OwnScan) -> Reading:
    """Read dropped files; ``drop`` stands for them in the cache."""
    return read_face(load_recognizer(folder), lambda: read_upload(_face.files))
