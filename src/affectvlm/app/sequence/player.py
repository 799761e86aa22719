"""The player of a sequence: a part of the page that plays in the browser alone, smoothly, without the network."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import streamlit as st

from affectvlm.app.sequence.frame_pictures import SIZE_PX
from affectvlm.app.sequence.reading import SequenceReading
from affectvlm.emotions import NEUTRAL
from affectvlm.recognizer.class_colours import class_colours
from affectvlm.recognizer.timeline import USUAL_FPS

NAME = "affectvlm_player"

_HTML, _CSS, _JS = (Path(__file__).with_suffix(f".{kind}").read_text("utf-8") for kind in ("html", "css", "js"))


def show_player(reading: SequenceReading, key: str) -> None:
    """Lay out the player: the face, the answer at the frame that is shown, the course, slider and buttons."""
    st.components.v2.component(NAME, html=_HTML, css=_CSS, js=_JS)(key=key, data=player_data(reading))


def player_data(reading: SequenceReading) -> dict[str, Any]:
    """Give all that the player shows, fit for JSON.

    Returns
    -------
    dict
        ``pictures`` (T base64 or None), ``classes`` (name and colour, neutral first: the lowest band), ``shares`` (T
        lists in the order of ``classes``, or None), ``labels`` (T, None where there is no answer), ``errors`` (frame ->
        why), ``onset``, ``apex`` and ``offset`` (frames), ``fps``, ``size`` (of the pictures, pixels), and ``key``,
        which tells it from every other.
    """
    timeline = reading.timeline
    names = band_order(timeline.classes)
    colours = class_colours(names)
    data: dict[str, Any] = {
        "pictures": [None if p is None else base64.b64encode(p).decode() for p in reading.pictures],
        "classes": [{"name": name, "colour": colours[name]} for name in names],
        "shares": [
            [round(a.probabilities[n], 4) for n in names] if a.error is None else None for a in timeline.answers
        ],
        "labels": [a.label for a in timeline.answers],
        "errors": {str(number): reason for number, reason in reading.errors.items()},
        "onset": timeline.onset,
        "apex": timeline.apex,
        "offset": timeline.offset,
        "fps": timeline.fps,
        "usual_fps": USUAL_FPS,
        "size": SIZE_PX,
    }
    return {**data, "key": hashlib.sha256(json.dumps(data).encode()).hexdigest()[:16]}


def band_order(classes: tuple[str, ...]) -> list[str]:
    """Order the classes as their bands lie, the lowest first: neutral, which the others rise from."""
    return sorted(classes, key=lambda name: name != NEUTRAL)
