"""What the tool is and is not: said once to each visitor, and again whenever he asks."""

from __future__ import annotations

import streamlit as st

from affectvlm.app.models import model_name
from affectvlm.app.settings import AppSettings

READ = "notice_read"

IS = """
**A research tool.** It reads the *apparent* expression of a face from a 3D scan: what a face looks like, not what
somebody feels.

- The model that comes along learned from **made-up faces alone**. On people it is often wrong; the
  answers are probabilities, and “unsure” is one of them.
- Everything is worked out **on this machine**. Scans are forgotten when you close the page; nothing is stored or sent.
"""

IS_NOT = """
**Not for decisions about people**: not for hiring or judging somebody at work or at school, not for policing, not for
diagnosis, not for lie detection. Some of these are forbidden by law, in the European Union among others.
Read only scans of people who have agreed to it.
"""


def show_notice_once() -> bool:
    """Ask a new visitor to read the notice; tell whether he has."""
    if st.session_state.get(READ, False):
        return True
    _notice()
    return False


def show_footer(settings: AppSettings) -> None:
    """Say below every part which model answers, and where the notice is."""
    with st.container(key="footer", horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(f"Model: {model_name(settings.model)} · Apparent expression, not emotion felt · Nothing is stored")
        if st.button("About this tool", key="about", type="tertiary", icon=":material/info:"):
            _notice()


@st.dialog("Before you begin", dismissible=False, icon=":material/waving_hand:")
def _notice() -> None:
    st.markdown(IS)
    st.warning(IS_NOT, icon=":material/block:")
    if st.button("I have read this", type="primary", key="notice_accept", width="stretch"):
        st.session_state[READ] = True
        st.rerun()
