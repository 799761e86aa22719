"""The live part of the page that the browser draws by itself: the face, the answer and the sliders."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import streamlit as st

from affectvlm.app.live.performer import MOST_PITCH_DEG, MOST_YAW_DEG, SHOWN, Controls
from affectvlm.app.live.route import PATH, prefix
from affectvlm.synthesis.action_units import ACTION_UNITS

NAME = "affectvlm_live_stage"

UNIT_GROUPS: dict[str, tuple[str, ...]] = {
    "Brows and eyes": ("AU1", "AU2", "AU4", "AU5", "AU7", "AU43"),
    "Nose and cheeks": ("AU6", "AU9", "AU11", "AU34"),
    "Mouth": ("AU10", "AU12", "AU14", "AU15", "AU16", "AU18", "AU20", "AU22", "AU23", "AU24", "AU25", "AU28"),
    "Jaw and chin": ("AU17", "AU26", "AU27", "AU29", "AU30"),
}
"""How the sliders are laid out."""

Leader = Literal["hand", "movement", "files"]
"""What leads the face: the sliders, a movement that they follow, or files, which have none."""

_HTML, _CSS, _JS = (Path(__file__).with_suffix(kind).read_text("utf-8") for kind in (".html", ".css", ".js"))


def show_stage(
    key: str, leader: Leader, classes: Sequence[str], units: Sequence[str] = (), controls: Controls | None = None
) -> None:
    """Lay out the stage.

    Parameters
    ----------
    key : str
        Under which frames are to be had (:func:`affectvlm.app.live.route.admit`).
    leader : str
    classes : sequence of str
        The recognizer's, in the order of its probabilities.
    units : sequence of str
        Action units that the face can show.
    controls : Controls, optional
        Where the sliders stand at first.
    """
    data = stage_data(key, leader, classes, units, controls or Controls())
    st.components.v2.component(NAME, html=_HTML, css=_CSS, js=_JS)(key="live_stage", data=data)


def stage_data(
    key: str, leader: Leader, classes: Sequence[str], units: Sequence[str], controls: Controls
) -> dict[str, Any]:
    """Give what the browser has to know, fit for JSON; ``key`` tells it from every other stage."""
    known = {name: [u for u in members if u in units] for name, members in UNIT_GROUPS.items()}
    data: dict[str, Any] = {
        "path": f"{prefix(st.get_option('server.baseUrlPath'))}/{PATH}/{key}",
        "leader": leader,
        "classes": list(classes),
        "emotions": list(SHOWN),
        "units": [[name, [[u, ACTION_UNITS[u]] for u in members]] for name, members in known.items() if members],
        "most_yaw": MOST_YAW_DEG,
        "most_pitch": MOST_PITCH_DEG,
    }
    told_apart = hashlib.sha256(json.dumps(data).encode()).hexdigest()[:16]
    return {**data, "controls": controls.model_dump(), "key": told_apart}
