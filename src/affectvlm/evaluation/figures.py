"""The curves of a training as SVG that sits inside a page and takes its colours from the page's CSS."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

INK, LINES, FIRST, SECOND = "#0a0b0c", "#0a0b0d", "#0a0b0e", "#0a0b0f"
"""Stand-ins for the colours that only the page knows: it may be light or dark."""

CSS_COLOURS = {
    INK: "var(--muted)",
    LINES: "var(--rule)",
    FIRST: "var(--accent)",
    SECOND: "var(--second)",
}


@dataclass(frozen=True)
class Curves:
    """One figure: columns of the folds' histories against the epoch."""

    title: str
    columns: dict[str, str]
    """Column of the history -> word for it; at most two."""
    percent: bool = False
    chosen: bool = False
    """Mark each fold's chosen epoch."""


FIGURES = (
    Curves("Training loss", {"loss": "loss"}),
    Curves("Its two terms", {"contrastive": "contrastive", "triplet": "triplet"}),
    Curves("Learned margin α", {"margin": "margin"}),
    Curves("UAR of the validation subjects", {"validation_uar": "validation UAR"}, percent=True, chosen=True),
)


def training_figures(histories: Mapping[int, pd.DataFrame], chosen_epochs: Mapping[int, int]) -> list[tuple[str, str]]:
    """Draw each of the :data:`FIGURES` whose columns the histories hold.

    Parameters
    ----------
    histories : mapping of fold -> DataFrame with ``epoch`` and further columns, one row an epoch
    chosen_epochs : mapping of fold -> epoch

    Returns
    -------
    list of (title, SVG element)
    """
    drawn = []
    for curves in FIGURES:
        if all(_holds(history, column) for column in curves.columns for history in histories.values()):
            drawn.append((curves.title, _draw(curves, histories, chosen_epochs)))
    return drawn


def _holds(history: pd.DataFrame, column: str) -> bool:
    """Whether the objective has this number at all: another one's column may be missing or blank."""
    return column in history and bool(history[column].notna().any())


def _draw(curves: Curves, histories: Mapping[int, pd.DataFrame], chosen_epochs: Mapping[int, int]) -> str:
    figure = Figure(figsize=(4.6, 2.7), layout="constrained")
    axes = figure.subplots()
    for colour, (column, word) in zip((FIRST, SECOND), curves.columns.items(), strict=False):
        _curve(axes, histories, column, colour, word)
        if curves.chosen:
            for fold, history in histories.items():
                at = history[history["epoch"] == chosen_epochs[fold]]
                axes.plot(at["epoch"], at[column], "o", color=colour, markersize=3.5, markeredgewidth=0)
    if len(curves.columns) > 1:
        axes.legend(frameon=False, labelcolor=INK, fontsize=9, handlelength=1.4)
    if curves.percent:
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    _plain(axes)
    return _svg(figure, curves.title)


def _curve(axes: Axes, histories: Mapping[int, pd.DataFrame], column: str, colour: str, word: str) -> None:
    """Draw every fold thinly and their mean thickly, as far as all folds went."""
    for history in histories.values():
        axes.plot(history["epoch"], history[column], color=colour, linewidth=0.8, alpha=0.35)
    series = [history.set_index("epoch")[column] for history in histories.values()]
    shared = series[0].index
    for each in series[1:]:
        shared = shared.intersection(each.index)
    mean = sum(each.loc[shared].to_numpy(float) for each in series) / len(series)
    axes.plot(shared, mean, color=colour, linewidth=2.2, label=word)


def _plain(axes: Axes) -> None:
    """Leave of the frame only what the eye needs."""
    axes.set_xlabel("epoch", color=INK, fontsize=9)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
    axes.grid(axis="y", color=LINES, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, labelsize=9, length=0)
    for side in ("top", "left", "right"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(LINES)
    axes.margins(x=0.02)


def _svg(figure: Figure, title: str) -> str:
    """Write the figure as an SVG element in the page's colours and letters, without a pointer elsewhere."""
    figure.patch.set_visible(False)
    for axes in figure.axes:
        axes.patch.set_visible(False)
    text = io.StringIO()
    # A salt of its own keeps the names inside each figure apart, and the same in every run.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": title}):
        figure.savefig(text, format="svg", metadata={"Date": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*">', "<g>", svg)
    # Inside HTML the element needs no namespace; its size is the page's business.
    svg = re.sub(r"<svg [^>]*?(viewBox=\"[^\"]*\")[^>]*>", rf'<svg \1 role="img" aria-label="{title}">', svg)
    for stand_in, colour in CSS_COLOURS.items():
        svg = svg.replace(stand_in, colour)
    return svg
