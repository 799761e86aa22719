"""The page itself, run by Streamlit from top to bottom at every change: choose a face, see it, ask about it.

Started by ``affectvlm app`` with the model's folder as the one argument. Nothing is kept on disk, and what is kept in
memory of a scan goes with the visitor's session.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import streamlit as st

from affectvlm.app.bars import INK, bars, percent
from affectvlm.app.mesh_figure import mesh_figure
from affectvlm.app.reading import Reading, read_face
from affectvlm.app.samples import INTENSITY_WORDS, MAX_PERSON, SampleFace
from affectvlm.app.uploads import COMPANION_SUFFIXES, Dropped, read_upload
from affectvlm.emotions import EMOTIONS
from affectvlm.errors import AffectVLMError
from affectvlm.recognizer import UNSURE, Recognizer
from affectvlm.recognizer.source import BUNDLED
from affectvlm.scan.read import SCAN_SUFFIXES
from affectvlm.views import Rig
from affectvlm.views.picture import pictures

SAMPLE, OWN = "Sample face", "Your own scan"

MOST_DESCRIPTIONS = 20

# No strings stand alone in this file but docstrings: Streamlit would write them on the page.
PLAIN = {"displayModeBar": False}
# The other reset button goes to a camera of plotly's own, not to ours.
TURNABLE = {
    "displayModeBar": True,
    "displaylogo": False,
    "scrollZoom": True,
    "modeBarButtons": [["resetCameraLastSave3d", "toImage"]],
}


@st.cache_resource(max_entries=2, show_spinner="Loading the model …")
def load_recognizer(folder: str) -> Recognizer:
    """Load a model once for all visitors."""
    return Recognizer.from_pretrained(folder)


@st.cache_data(max_entries=8, scope="session", show_spinner="Reading the face …")
def read_sample(folder: str, sample: SampleFace) -> Reading:
    """Make a sample face and read it."""
    return read_face(load_recognizer(folder), sample.scan)


@st.cache_data(max_entries=4, scope="session", show_spinner="Reading the scan …")
def read_dropped(folder: str, files: tuple[Dropped, ...]) -> Reading:
    """Read dropped files; the same content is read once a session."""
    return read_face(load_recognizer(folder), lambda: read_upload(files))


def main() -> None:
    """Lay out the page."""
    st.set_page_config(page_title="AffectVLM", layout="wide")
    st.title("AffectVLM", anchor=False)
    st.markdown("The apparent expression of a face, read from a 3D scan: what the face shows, not the emotion felt.")
    try:
        folder = _model_folder()
        recognizer = load_recognizer(folder)
        reading = _chosen(folder)
        if reading is not None:
            _show(recognizer, reading)
    except AffectVLMError as error:
        st.error(_literal(str(error)), icon=":material/error:")


def _model_folder() -> str:
    if len(sys.argv) != 2:
        raise AffectVLMError("this page needs a model; start it with `affectvlm app`")
    return sys.argv[1]


def _chosen(folder: str) -> Reading | None:
    """Let the visitor choose a face, and read it; None while there is nothing to read."""
    with st.sidebar:
        st.subheader("Face", anchor=False)
        source = st.radio("Source", [SAMPLE, OWN], horizontal=True, label_visibility="collapsed", key="source")
        if source == SAMPLE:
            sample = _sample_chooser()
        else:
            files = _uploader()
        _about_model(folder)
    if source == SAMPLE:
        return read_sample(folder, sample)
    if not files:
        st.info("Drop a scan of a face on the left to see what the model reads from it.", icon=":material/upload_file:")
        return None
    return read_dropped(folder, files)


def _sample_chooser() -> SampleFace:
    emotion = st.selectbox("Expression", EMOTIONS, index=EMOTIONS.index("happiness"), key="emotion")
    intensity = st.select_slider(
        "Intensity", list(INTENSITY_WORDS), value=3, format_func=INTENSITY_WORDS.__getitem__, key="intensity"
    )
    person = st.number_input("Person", 1, MAX_PERSON, 1, key="person", help="Each number is another made-up face.")
    return SampleFace(emotion, int(intensity), int(person))


def _uploader() -> tuple[Dropped, ...]:
    files = st.file_uploader(
        "Scan, with its material and picture",
        type=sorted({suffix.rsplit(".", 1)[-1] for suffix in (*SCAN_SUFFIXES, *COMPANION_SUFFIXES)}),
        accept_multiple_files=True,
        key="files",
        help="An OBJ, PLY, STL, OFF, glTF or VRML mesh, or a range image. Drop it together with its picture "
        "(and an OBJ's .mtl) to have its colours.",
    )
    st.caption("The files are read on this machine and not kept.")
    return tuple((file.name, file.getvalue()) for file in files)


def _about_model(folder: str) -> None:
    recognizer = load_recognizer(folder)
    st.divider()
    name = "the one that comes along" if Path(folder) == BUNDLED else _literal("/".join(Path(folder).parts[-2:]))
    st.caption(
        f"Model: {name}. It knows {len(recognizer.classes)} expressions and "
        f"looks at {len(recognizer.rig.names)} views of a face."
    )


def _show(recognizer: Recognizer, reading: Reading) -> None:
    for note in reading.notes:
        st.info(_literal(note), icon=":material/info:")
    left, right = st.columns(2, gap="medium")
    with left:
        _show_face(reading)
        _show_views(reading)
    with right:
        _show_answer(recognizer, reading)
        _show_descriptions(recognizer, reading)


def _show_face(reading: Reading) -> None:
    st.plotly_chart(
        mesh_figure(reading.mesh), key="face", config=TURNABLE, alt="The face in 3D, turned to the front; drag to turn."
    )
    st.caption(f"{_literal(reading.source)} · drag to turn, scroll to zoom")


def _show_views(reading: Reading) -> None:
    st.subheader("What the model sees", anchor=False)
    maps = pictures(reading.views)
    seen = list(reading.views.rig.maps)
    chosen = st.segmented_control("Map", seen, default=seen[0], required=True, label_visibility="collapsed", key="map")
    for column, name, picture in zip(st.columns(len(maps[chosen])), reading.views.rig.names, maps[chosen], strict=True):
        column.image(picture, caption=_view_caption(reading.views.rig, name), width="stretch")


def _view_caption(rig: Rig, name: str) -> str:
    yaw = rig.yaw_deg[name]
    side = "front" if yaw == 0 else "left cheek" if yaw > 0 else "right cheek"
    return f"{side}, {yaw:+g}°" if yaw else side


def _show_answer(recognizer: Recognizer, reading: Reading) -> None:
    answer = reading.answer
    shares = np.array(list(answer.probabilities.values()))
    highest = f"{recognizer.classes[int(shares.argmax())]}, {percent(shares.max())}"
    if answer.label == UNSURE:
        st.subheader("Apparent expression: unsure", anchor=False)
        least = percent(recognizer.encoder.unsure_below)
        st.caption(f"The most probable one, {highest}, is not probable enough to be named: that takes {least}.")
    else:
        st.subheader(f"Apparent expression: {highest}", anchor=False)
    _show_bars(recognizer.classes, shares, "answer", "The probability of each expression, as bars.")


def _show_descriptions(recognizer: Recognizer, reading: Reading) -> None:
    st.subheader("Ask in words", anchor=False)
    text = st.text_area(
        "Describe in your own words, one description a line",
        "\n".join(recognizer.encoder.class_prompts),
        height=180,
        max_chars=2000,
        key="descriptions",
    )
    lines = (line.strip() for line in text.splitlines())
    descriptions = list(dict.fromkeys(line for line in lines if line))[:MOST_DESCRIPTIONS]
    if len(descriptions) > 1:
        shares = recognizer.predict_proba(reading.views, labels=descriptions)
        _show_bars(descriptions, shares, "described", "How well each description fits, as bars.")
    else:
        st.info("Write two descriptions or more: they are compared with each other.", icon=":material/info:")
    st.caption(
        "How well each line fits, among those given. A small model's language is only the words of its own prompts, "
        "such as “a joyful person”; other words mean little to it."
    )


def _show_bars(labels: Sequence[str], shares: np.ndarray, key: str, alt: str) -> None:
    ink = INK["dark" if st.context.theme.type == "dark" else "light"]
    st.plotly_chart(bars(labels, shares, ink), key=key, config=PLAIN, alt=alt)


def _literal(text: str) -> str:
    """Keep a file's name or a message from being read as Markdown."""
    return "".join(f"\\{c}" if c in r"\`*_{}[]<>()#+-!|~$:" else c for c in text)


if __name__ == "__main__":
    main()
