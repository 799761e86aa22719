"""Live: a face that moves, and its expression recognised as it does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from affectvlm.app.live.live import Live
from affectvlm.app.live.performer import HAND, NATURE, Role
from affectvlm.app.live.route import Visit, admit
from affectvlm.app.live.sources import Stage, files_of
from affectvlm.app.live.stage import show_stage
from affectvlm.app.made_face import FIRST, choose_made_face
from affectvlm.app.models import load_recognizer
from affectvlm.app.settings import AppSettings, capture_files
from affectvlm.synthesis import FaceSource
from affectvlm.synthesis.library import FaceModelName, load_face_model

VISIT = "live_visit"
"""Where a session keeps its visit, the key to it, and what it was begun for."""

FILES = "files"

LEADER_WORDS: dict[str | Path, str] = {
    HAND: "sliders",
    NATURE: "a natural performance",
    FILES: "files in the watched folder",
}
"""What may move the face, beside captures."""


def show(settings: AppSettings) -> None:
    """Lay out the page."""
    recognizer = load_recognizer(settings.model)
    with st.container(horizontal=True, gap="small", key="live_chooser"):
        leader = _choose_leader(settings)
        role = None if leader == FILES else _choose_role(settings, leader)
    if role is None:
        assert settings.watch is not None
        folder = settings.watch
        _, key = _visit((settings.model, FILES), lambda: Visit(Live(recognizer, files_of(folder)), folder=folder))
        show_stage(key, "files", recognizer.classes)
        return
    textured = "texture" in recognizer.rig.maps

    def begin() -> Visit:
        stage = Stage(role, textured)
        return Visit(Live(recognizer, stage.frames), stage)

    visit, key = _visit((settings.model, "performer"), begin)
    assert visit.stage is not None
    visit.stage.role = role
    units = unit_names(role.face)
    show_stage(key, "hand" if leader == HAND else "movement", recognizer.classes, units, visit.stage.controls)
    st.caption(
        "The face is made up, and recorded anew for each frame. The model sees the recorded surface and nothing "
        "else: it has to find the face and how it is turned, as in any scan."
    )


@st.cache_resource(show_spinner="Opening the face model …")
def find_face(name: FaceModelName, folder: Path | None) -> FaceSource:
    """Open a face model, once for all visitors."""
    source = FaceSource.find(name, folder)
    load_face_model(source)
    return source


def unit_names(source: FaceSource) -> list[str]:
    """List the action units that a face model can show."""
    return list(dict.fromkeys(name.partition("_")[0] for name in load_face_model(source).shape_names))


def _choose_leader(settings: AppSettings) -> str | Path:
    words = dict(LEADER_WORDS)
    if settings.watch is None:
        del words[FILES]
    if (folder := settings.captures) is not None:
        words |= {file: f"capture: {file.relative_to(folder).with_suffix('')}" for file in capture_files(settings)}
    return st.selectbox("Moved by", list(words), format_func=words.__getitem__, width=215, key="live_leader")


def _choose_role(settings: AppSettings, leader: str | Path) -> Role:
    face = choose_made_face(settings, FIRST, "live")
    return Role(find_face(face.model, face.folder(settings)), face.person, face.sensor, leader)


def _visit(purpose: tuple[Path, str], begin: Callable[[], Visit]) -> tuple[Visit, str]:
    """Give the visit of this session, or begin one where it was for another purpose, and the key to it."""
    kept: tuple[tuple[Path, str], Visit, str] | None = st.session_state.get(VISIT)
    if kept is None or kept[0] != purpose:
        if kept is not None:
            kept[1].live.stop()
        visit = begin()
        kept = st.session_state[VISIT] = (purpose, visit, admit(visit))
    return kept[1], kept[2]
