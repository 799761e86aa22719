"""Read a scan: choose a face, see it, what the model sees of it, the answer, and why."""

from __future__ import annotations

import streamlit as st

from affectvlm.app.face.answer import show_answer
from affectvlm.app.face.bars import percent
from affectvlm.app.face.chooser import read_chosen, show_gallery, show_other_sample, show_uploader
from affectvlm.app.face.display_mesh import DisplayMesh, in_clay
from affectvlm.app.face.mesh_figure import TURNABLE, mesh_figure
from affectvlm.app.face.reading import Reading
from affectvlm.app.markdown import literal
from affectvlm.app.models import load_recognizer
from affectvlm.app.read.why import explained, painted_by_importance, show_why, view_words
from affectvlm.app.settings import AppSettings
from affectvlm.recognizer import Recognizer
from affectvlm.recognizer.explanation import view_weights
from affectvlm.views.picture import pictures

FACE_PX, VIEW_PX = 380, 112

COLOURS, SHAPE, IMPORTANCE = "Colours", "Shape", "Importance"


def show(settings: AppSettings) -> None:
    """Lay out the page."""
    with st.container(horizontal=True, horizontal_alignment="distribute", gap="medium", key="read_chooser"):
        with st.container(width="content", key="read_samples"):
            show_gallery("read")
        with st.container(width=400, key="read_drop"):
            show_uploader("read")
    reading = read_chosen(settings.model)
    recognizer = load_recognizer(settings.model)
    for note in reading.notes:
        st.info(literal(note), icon=":material/info:")
    with st.container(key="read_columns"):
        face, answer, views = st.columns([1.25, 1, 0.85], gap="medium")
    with face:
        _show_face(recognizer, reading)
    with answer:
        show_answer(recognizer, reading.answer, "answer")
    with views:
        _show_views(recognizer, reading)
    show_why(recognizer, reading, "read_why")


def _show_face(recognizer: Recognizer, reading: Reading) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        paint = st.segmented_control(
            "Paint",
            [COLOURS, SHAPE, IMPORTANCE],
            default=COLOURS,
            required=True,
            label_visibility="collapsed",
            key="read_paint",
            persist_state="session",
        )
        show_other_sample("read")
    mesh = _painted(recognizer, reading, paint)
    st.plotly_chart(
        mesh_figure(mesh, FACE_PX),
        key="face",
        config=TURNABLE,
        alt="The face in 3D, turned to the front; drag to turn.",
    )
    meaning = " · orange speaks for the answer, blue against it" if paint == IMPORTANCE else ""
    st.caption(f"{literal(reading.source)} · drag to turn{meaning}")


def _painted(recognizer: Recognizer, reading: Reading, paint: str) -> DisplayMesh:
    if paint == SHAPE:
        return in_clay(reading.mesh)
    if paint == IMPORTANCE:
        return painted_by_importance(reading.mesh, reading.views, explained(recognizer, reading.views))
    return reading.mesh


def _show_views(recognizer: Recognizer, reading: Reading) -> None:
    st.subheader("What the model sees", anchor=False)
    rig = reading.views.rig
    maps = pictures(reading.views)
    chosen = st.segmented_control(
        "Map", rig.maps, default=rig.maps[0], required=True, label_visibility="collapsed", key="map"
    )
    weights = view_weights(recognizer.encoder, reading.views)
    with st.container(horizontal=True, gap="small", key="read_views"):
        for number, (name, picture) in enumerate(zip(rig.names, maps[chosen], strict=True)):
            with st.container(horizontal=True, width=240, gap="small", vertical_alignment="center"):
                st.image(picture, width=VIEW_PX, alt=f"{chosen} of the face, {view_words(rig, name)}")
                words = f"{literal(view_words(rig, name))}  \n**{percent(weights[number])}** of the answer"
                st.caption(words, width="stretch")
