"""Models in memory: each is loaded once, for all visitors."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from affectvlm.recognizer import Recognizer
from affectvlm.recognizer.source import BUNDLED

MOST = 4
"""A laboratory compares a few; the one that was used least lately makes room."""


@st.cache_resource(max_entries=MOST, show_spinner=False)
def load_recognizer(folder: Path) -> Recognizer:
    """Load a model once for all visitors; the one that comes along with whatever runs it fastest."""
    return Recognizer.from_pretrained(None if folder == BUNDLED else folder)


def model_name(folder: Path) -> str:
    """Call a model by its folder, for people."""
    return "the one that comes along" if folder == BUNDLED else "/".join(folder.parts[-2:])
