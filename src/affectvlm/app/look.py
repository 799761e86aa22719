"""What Streamlit's own settings cannot say of how the page looks; by the keys that the page gives its containers."""

from __future__ import annotations

import streamlit as st

STYLE = """<style>
/* The parts' names stand in the bar at the top; a page title would only repeat them. */
[data-testid="stMainBlockContainer"] { max-width: 1500px; margin: 0 auto; padding-bottom: 1rem; }

/* Sample faces: a picture with its word below, in buttons that are one choice. */
[class*="st-key-"][class*="_gallery"] [role="radiogroup"] { gap: 0.35rem; }
[class*="st-key-"][class*="_gallery"] [role="radio"] {
    border-radius: 0.6rem; padding: 0.15rem 0.3rem; height: auto; min-height: 0;
}
[class*="st-key-"][class*="_gallery"] [role="radio"] p {
    display: flex; flex-direction: column; align-items: center; font-size: 0.78rem; line-height: 1.35;
}
[class*="st-key-"][class*="_gallery"] [role="radio"] img { height: 72px; width: 72px; max-height: none; margin: 0; }

/* On a tablet there is no room for three columns: one of them takes a row of its own. */
@media (max-width: 1000px) {
    .st-key-read_columns [data-testid="stHorizontalBlock"]:has(> [data-testid="stColumn"]),
    .st-key-words_columns [data-testid="stHorizontalBlock"]:has(> [data-testid="stColumn"]) { flex-wrap: wrap; }
    .st-key-read_columns [data-testid="stColumn"]:last-child,
    .st-key-words_columns [data-testid="stColumn"]:first-child { flex: 1 1 100%; }
}
.st-key-look_wheel { display: none; }
</style>"""

WHEEL = """
export default function () {
  if (window.affectvlmWheel) return;
  window.affectvlmWheel = true;
  const pass = (event) => {
    if (!event.ctrlKey && event.target.closest?.(".js-plotly-plot")) event.stopPropagation();
  };
  window.addEventListener("wheel", pass, { capture: true, passive: true });
}
"""
"""The wheel belongs to the page: a face in the middle of it must not catch whoever scrolls past. With Ctrl, which is
what browsers make of two fingers on a touchpad, it brings the face nearer; plotly knows all or nothing."""


def set_look() -> None:
    """Style the page."""
    st.html(STYLE)
    st.components.v2.component("affectvlm_wheel", js=WHEEL)(key="look_wheel")
