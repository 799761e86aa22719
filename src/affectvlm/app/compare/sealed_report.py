"""A run's report made fit to be shown inside the page: it cannot run a script, and loads nothing."""

from __future__ import annotations

import html

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:"
"""A report holds its pictures and styles itself. The frame within inherits this, and cannot be led elsewhere."""


def sealed(report: str) -> str:
    """Put a report into a frame within a frame, which may be read and nothing else; the outer one says so.

    Streamlit's own frames let scripts run, as of the page itself. A run may come from anybody, and its report with it.

    Parameters
    ----------
    report : str
        HTML.

    Returns
    -------
    str
        HTML, as tall as the frame that it is put into.
    """
    return (
        f'<!doctype html><meta http-equiv="Content-Security-Policy" content="{html.escape(POLICY)}">'
        "<style>html, body { margin: 0; height: 100%; overflow: hidden }"
        " iframe { display: block; width: 100%; height: 100%; border: 0; color-scheme: light dark }</style>"
        f'<iframe sandbox title="The run\'s report" srcdoc="{html.escape(report)}"></iframe>'
    )
