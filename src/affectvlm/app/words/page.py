"""Ask in words: descriptions of one's own, two sets of them, and how well a face fits each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import streamlit as st

from affectvlm.app.face.answer import show_bars
from affectvlm.app.face.bars import percent
from affectvlm.app.face.chooser import read_chosen, show_gallery
from affectvlm.app.face.mesh_figure import TURNABLE, mesh_figure
from affectvlm.app.face.reading import Reading
from affectvlm.app.markdown import literal
from affectvlm.app.models import load_recognizer
from affectvlm.app.settings import AppSettings
from affectvlm.app.words.live_text import live_text
from affectvlm.app.words.words import OWN_PROMPTS, descriptions_in, fit, prompt_sets
from affectvlm.recognizer import Recognizer

FIRST_SETS = {"A": OWN_PROMPTS, "B": "what somebody does"}
"""What each set begins with."""

FACE_PX, ROWS = 330, 7


def show(settings: AppSettings) -> None:
    """Lay out the page."""
    with st.container(key="words_chooser"):
        show_gallery("words")
    reading = read_chosen(settings.model)
    recognizer = load_recognizer(settings.model)
    with st.container(key="words_columns"):
        face, *sets = st.columns([0.85, 1, 1], gap="medium")
    with face:
        st.plotly_chart(
            mesh_figure(reading.mesh, FACE_PX),
            key="words_face",
            config=TURNABLE,
            alt="The face in 3D, turned to the front; drag to turn.",
        )
        st.caption(literal(reading.source))
        st.caption(
            "The number beside each line is the cosine between the face and the words; the percentage is the line's "
            "share among its set. A small model's language is that of its own prompts, such as "
            f"“{literal(recognizer.encoder.class_prompts[-1])}”: other words mean little to it."
        )
    presets = prompt_sets(recognizer.encoder)
    for column, name in zip(sets, FIRST_SETS, strict=True):
        with column:
            _show_set(settings.model, recognizer, reading, presets, name)


@st.fragment
def _show_set(
    folder: Path, recognizer: Recognizer, reading: Reading, presets: dict[str, tuple[str, ...]], name: str
) -> None:
    """Show a set: while it is typed, nothing else of the page is worked out again."""
    key = f"words_{name}"
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.subheader(f"Set {name}", anchor=False, width="content")
        chosen = st.menu_button("Begin with", list(presets), key=f"{key}_begin", icon=":material/edit_note:")
    if chosen is not None:
        st.session_state[f"{key}_begun"] = st.session_state.get(f"{key}_begun", 0) + 1
        st.session_state[f"{key}_text"] = "\n".join(presets[chosen])
    text = st.session_state.setdefault(f"{key}_text", "\n".join(presets[FIRST_SETS[name]]))
    begun = st.session_state.get(f"{key}_begun", 0)
    text = live_text(f"Descriptions of set {name}, one a line", text, ROWS, f"{key}_lines_{begun}")
    st.session_state[f"{key}_text"] = text
    descriptions = descriptions_in(text)
    if not descriptions:
        st.info("Describe the face in your own words, one description a line.", icon=":material/edit:")
        return
    words = np.stack([_embedded(folder, description) for description in descriptions])
    fitting = fit(descriptions, recognizer.embed(reading.views), words, recognizer.encoder.logit_scale)
    st.markdown(f"Fits best: **{literal(fitting.best)}**")
    show_bars(
        fitting.descriptions,
        fitting.shares,
        f"{key}_bars",
        "How well each description fits, as bars.",
        [f"{cosine:.2f} · {percent(share)}" for cosine, share in zip(fitting.cosines, fitting.shares, strict=True)],
    )


@st.cache_data(max_entries=500, scope="session", show_spinner=False)
def _embedded(folder: Path, description: str) -> np.ndarray:
    """(D,): each line is encoded once, not with every letter that is typed in another."""
    embedding: np.ndarray = load_recognizer(folder).encoder.encode_text([description])[0]
    return embedding
