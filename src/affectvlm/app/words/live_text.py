"""Lines of text that reach the page while they are typed; Streamlit's own wait until one leaves them."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

NAME = "affectvlm_live_text"

HTML = '<textarea spellcheck="false"></textarea>'

CSS = """
textarea {
    box-sizing: border-box; width: 100%; resize: vertical; padding: 0.6rem 0.75rem; display: block;
    font: inherit; font-size: 0.95rem; line-height: 1.5;
    color: var(--st-text-color); background: var(--st-secondary-background-color);
    border: 1px solid var(--st-border-color); border-radius: var(--st-base-radius);
}
textarea:focus { outline: none; border-color: var(--st-primary-color); }
"""

JS = Path(__file__).with_suffix(".js").read_text("utf-8")

MOST_LETTERS = 4000


def live_text(label: str, text: str, rows: int, key: str) -> str:
    """Show lines that can be edited, and give what they are now.

    Parameters
    ----------
    label : str
        For who cannot see them.
    text : str
        What they are at first; another text needs another key.
    rows : int
        Height.
    key : str
    """
    component = st.components.v2.component(NAME, html=HTML, css=CSS, js=JS)
    data = {"label": label, "text": text, "rows": rows, "most": MOST_LETTERS}
    written = component(key=key, data=data, default={"text": text}, on_text_change=lambda: None)
    # What comes from a browser may be anything.
    return str(written.text)[:MOST_LETTERS]
