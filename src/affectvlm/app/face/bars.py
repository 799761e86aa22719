"""Probabilities as bars that can be read off: a line of words with the number, the bar below it."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

TOP, OTHER, TRACK = "#4a86dc", "rgba(128, 134, 145, 0.55)", "rgba(128, 134, 145, 0.14)"
"""The highest bar, the others, and the ground of all; they stand out from a light and a dark page."""

INK: dict[str, str] = {"light": "#31333f", "dark": "#f0f0ee"}
"""Of the words on a page of each kind; Streamlit writes in charts with a grey that is hard to read on white."""

LINE_PX, BAR_PX, GAP_PX, FONT_PX = 20, 10, 10, 14

LABEL_LETTERS = 30
"""A longer label goes on in the next line, so that it fits a narrow column with the number beside it."""


def percent(share: float) -> str:
    """Write a probability out for people: 0.834 -> "83 %"."""
    return f"{100 * share:.0f} %"


def bars(labels: Sequence[str], shares: np.ndarray, ink: str, values: Sequence[str] | None = None) -> go.Figure:
    """Draw a bar for each share, from the top in the order given, the highest in colour.

    Parameters
    ----------
    labels : sequence of N str
        Any text; repeated ones keep a bar each.
    shares : (N,) float in [0, 1]
    ink : str
        Colour of the words, one of :data:`INK`.
    values : sequence of N str, optional
        What is written at the end of each line; by default the share in percent.
    """
    values = [percent(share) for share in shares] if values is None else values
    words = [textwrap.wrap(label, LABEL_LETTERS) or [""] for label in labels]
    # One unit of the y axis is one pixel, counted from the top.
    label_px = np.array([LINE_PX * len(lines) for lines in words])
    bottom = np.cumsum(label_px + BAR_PX + GAP_PX) - GAP_PX
    best = int(np.argmax(shares))
    place = {"orientation": "h", "y": bottom - BAR_PX / 2, "width": BAR_PX, "hoverinfo": "skip"}
    return go.Figure(
        [
            go.Bar(x=np.ones(len(words)), marker={"color": TRACK, "cornerradius": 3}, **place),
            go.Bar(
                x=shares,
                marker={"color": [TOP if row == best else OTHER for row in range(len(words))], "cornerradius": 3},
                **place,
            ),
        ],
        go.Layout(
            height=int(bottom[-1]) + GAP_PX,
            margin={"l": 0, "r": 0, "t": 0, "b": 0},
            barmode="overlay",
            showlegend=False,
            font={"size": FONT_PX, "color": ink},
            xaxis={"range": [0, 1], "visible": False, "fixedrange": True},
            yaxis={"range": [float(bottom[-1]) + GAP_PX, 0], "visible": False, "fixedrange": True},
            annotations=[
                note
                for lines, value, y in zip(words, values, bottom - BAR_PX, strict=True)
                for note in (
                    _text("<br>".join(html.escape(line, quote=False) for line in lines), 0, "left", y),
                    _text(value, 1, "right", y),
                )
            ],
        ),
    )


def _text(text: str, x: float, side: str, y: float) -> dict[str, object]:
    """Words that stand on the pixel row ``y``, at the left or right end of the bars."""
    return {
        "text": text,
        "x": x,
        "y": float(y),
        "xanchor": side,
        "align": side,
        "yanchor": "bottom",
        "borderpad": 0,
        "showarrow": False,
    }
