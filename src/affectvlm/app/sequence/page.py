"""Sequences: frames recognised one by one, and played with the course of the apparent expression."""

from __future__ import annotations

import streamlit as st

from affectvlm.app.face.bars import percent
from affectvlm.app.markdown import literal
from affectvlm.app.models import load_recognizer
from affectvlm.app.sequence.chooser import choose_kind, choose_source
from affectvlm.app.sequence.gif import sequence_gif
from affectvlm.app.sequence.player import show_player
from affectvlm.app.sequence.reading import SequenceReading, read_sequence
from affectvlm.app.sequence.sources import GeneratedSequence, SequenceSource
from affectvlm.app.settings import AppSettings
from affectvlm.app.work import Tell, Work
from affectvlm.recognizer import UNSURE, Recognizer

MOST_KEPT = 4
"""Readings of a visitor that are there at once when they are asked for again; each has about 1 MB of pictures."""

POLL_S = 0.3

WORK, SHOWN, KEPT = "sequence_work", "sequence_shown", "sequence_kept"
"""In the visitor's session: the work under way, the key of the reading that is shown, and the readings."""


def show(settings: AppSettings) -> None:
    """Lay out the page."""
    recognizer = load_recognizer(settings.model)
    state = st.session_state
    kept: dict[str, SequenceReading] = state.setdefault(KEPT, {})
    kind = choose_kind(settings)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="sequence_chooser"):
        source = choose_source(settings, kind)
        pressed = st.button("Recognise", type="primary", disabled=source is None, key="sequence_recognise")
    if pressed and source is not None:
        _begin(recognizer, source, settings)
    elif WORK not in state and SHOWN not in state and isinstance(source, GeneratedSequence):
        _begin(recognizer, source, settings)  # whoever comes here first sees what it is about
    work: Work[tuple[str, SequenceReading]] | None = state.get(WORK)
    if work is not None and (work.running or work.result is not None):
        _show_progress()
        return
    if work is not None:
        _say_why_not(work)
    if SHOWN in state:
        _show(recognizer, kept[state[SHOWN]])
    elif work is None:
        st.info("Choose a sequence and press “Recognise”.", icon=":material/movie:")


def _begin(recognizer: Recognizer, source: SequenceSource, settings: AppSettings) -> None:
    """Recognise a sequence, unless it is there already; one at a time for each visitor."""
    state = st.session_state
    if WORK in state:
        state.pop(WORK).stop()
    if source.key in state[KEPT]:
        state[SHOWN] = source.key
        return

    def do(tell: Tell) -> tuple[str, SequenceReading]:
        return source.key, read_sequence(recognizer, source, settings, tell)

    state[WORK] = Work(do)


@st.fragment(run_every=POLL_S)
def _show_progress() -> None:
    """Show how far the work is; it is asked again and again, the rest of the page stays as it is."""
    state = st.session_state
    work: Work[tuple[str, SequenceReading]] | None = state.get(WORK)
    if work is None:
        return
    if work.running:
        st.progress(work.share, "Stopping …" if work.stopped else f"{work.doing} …")
        st.button("Stop", icon=":material/stop:", disabled=work.stopped, on_click=work.stop, key="sequence_stop")
        return
    if work.result is not None:
        key, reading = work.result
        kept = state[KEPT]
        kept[key] = reading
        while len(kept) > MOST_KEPT:
            kept.pop(next(iter(kept)))
        state[SHOWN] = key
        state.pop(WORK)
    st.rerun()


def _say_why_not(work: Work[tuple[str, SequenceReading]]) -> None:
    if work.failure is not None:
        raise work.failure
    if work.error is not None:
        st.error(literal(str(work.error)), icon=":material/error:")
    else:
        st.info("Stopped. Press “Recognise” to begin again.", icon=":material/stop_circle:")


def _show(recognizer: Recognizer, reading: SequenceReading) -> None:
    answer = reading.answer
    best = max(answer.probabilities, key=answer.probabilities.__getitem__)
    share = percent(answer.probabilities[best])
    if answer.label == UNSURE:
        st.subheader("Apparent expression: unsure", anchor=False)
        least = percent(recognizer.encoder.unsure_below)
        why = f"The most probable one, {best}, {share}, is not probable enough to be named: that takes {least}. "
    else:
        st.subheader(f"Apparent expression: {best}, {share}", anchor=False)
        why = ""
    st.caption(literal(f"{why}{reading.title[0].upper()}{reading.title[1:]}."))
    if reading.note:
        st.info(literal(reading.note), icon=":material/info:")
    show_player(reading, "sequence_player")
    _show_downloads(reading)
    if reading.errors:
        _show_unusable(reading)


def _show_downloads(reading: SequenceReading) -> None:
    with st.container(horizontal=True):
        st.download_button(
            "Timeline (CSV)",
            lambda: reading.timeline.to_dataframe().to_csv(index=False),
            "timeline.csv",
            "text/csv",
            icon=":material/table:",
            on_click="ignore",
            key="sequence_csv",
        )
        st.download_button(
            "Film (GIF)",
            lambda: sequence_gif(reading),
            "sequence.gif",
            "image/gif",
            icon=":material/gif_box:",
            on_click="ignore",
            key="sequence_gif",
        )


def _show_unusable(reading: SequenceReading) -> None:
    count, total = len(reading.errors), len(reading.timeline)
    with st.expander(f"{count} of {total} frames could not be used", icon=":material/warning:"):
        rows = [{"frame": number + 1, "why": why} for number, why in reading.errors.items()]
        st.dataframe(rows, hide_index=True, width="stretch", key="sequence_errors")
