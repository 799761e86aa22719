"""Getting ready: what the first visitor would otherwise wait for is begun when the server is."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from affectvlm.app.face.chooser import gallery_pictures
from affectvlm.app.face.reading import read_face
from affectvlm.app.face.samples import GALLERY
from affectvlm.app.models import load_recognizer
from affectvlm.app.work import Tell, Work

POLL_S = 0.2

HINT = "This takes some seconds; a minute the first time after an installation, when parts of it are compiled."


@st.cache_resource(show_spinner=False)
def getting_ready(folder: Path) -> Work[None]:
    """Begin to load the model and whatever else reads a first face; once for all visitors.

    An error is left to the part of the page that will meet it again, and knows where to say it.
    """

    def do(tell: Tell) -> None:
        tell("Loading the model", 0.0)
        recognizer = load_recognizer(folder)
        tell("Drawing the sample faces", 0.2)
        gallery_pictures()
        tell("Reading a first face", 0.5)
        read_face(recognizer, GALLERY[0].scan)

    return Work(do)


def wait_until_ready(folder: Path) -> None:
    """Show how far it is, for as long as it takes; the visitor may go to another part meanwhile."""
    work = getting_ready(folder)
    if not work.running:
        return
    place = st.empty()
    while work.running:
        with place.container():
            # Each call is where Streamlit can leave this run for another one that the visitor has asked for.
            st.progress(work.share, f"Getting ready: {work.doing[0].lower()}{work.doing[1:]} …")
            st.caption(HINT)
        work.wait(POLL_S)
    place.empty()
