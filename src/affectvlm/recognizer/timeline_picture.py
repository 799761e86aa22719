"""A sequence's course as a picture: how probable each expression is over time, and onset, apex and offset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from affectvlm.emotions import NEUTRAL
from affectvlm.recognizer.class_colours import class_colours
from affectvlm.recognizer.prediction import Prediction
from affectvlm.recognizer.timeline import Timeline

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, MUTED = "#1A1A1A", "#5A5A5A"
WIDTH_PX, HEIGHT_PX, DPI = 1600, 900, 160
LONGEST_NAME = 40
"""Of a folder, in the title."""


def draw_timeline(prediction: Prediction, to: Path) -> None:
    """Draw a sequence's probabilities as bands that fill the height, frame by frame, and write a PNG.

    Parameters
    ----------
    prediction : Prediction
        Of a sequence, with its timeline.
    to : Path
    """
    timeline = prediction.timeline
    assert timeline is not None
    figure = Figure(figsize=(WIDTH_PX / DPI, HEIGHT_PX / DPI), dpi=DPI, layout="constrained")
    axes = figure.subplots()
    rate = timeline.fps or 1.0
    _bands(axes, timeline, rate)
    _phases(axes, timeline, rate)
    empty = "; white: no answer" if any(answer.error is not None for answer in timeline.answers) else ""
    axes.set_xlabel(("frame" if timeline.fps is None else "seconds") + empty, color=MUTED)
    axes.xaxis.set_major_locator(MaxNLocator(integer=timeline.fps is None, nbins=10))
    axes.set_ylabel("probability of the apparent expression", color=MUTED)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    axes.tick_params(colors=MUTED, length=3)
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)
    figure.suptitle(_title(prediction), x=0.012, ha="left", fontsize=13, color=INK, fontweight="bold")
    handles, names = axes.get_legend_handles_labels()
    # In the order in which the bands lie; outside, where it covers nothing.
    figure.legend(handles[::-1], names[::-1], loc="outside right center", frameon=False, labelcolor=INK)
    figure.savefig(to, format="png")


def _title(prediction: Prediction) -> str:
    best, share = max(prediction.probabilities.items(), key=lambda item: item[1])
    called = best if prediction.label == best else f"{prediction.label}, perhaps {best}"
    name = Path(prediction.path).name
    name = name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
    return f"{name}: {called} ({100 * share:.0f} %)"


def _bands(axes: Axes, timeline: Timeline, rate: float) -> None:
    """Stack the classes, neutral at the bottom; a frame is as wide as it lasts, and one without an answer is empty."""
    names = sorted(timeline.classes, key=lambda name: name != NEUTRAL)
    shares = timeline.probabilities[:, [timeline.classes.index(name) for name in names]]
    edges = (np.arange(len(timeline) + 1) - 0.5) / rate
    tops = np.cumsum(shares, axis=1)
    colours = class_colours(names)
    for name, share, top in zip(names, shares.T, tops.T, strict=True):
        axes.stairs(top, edges, baseline=top - share, fill=True, color=colours[name], label=name, linewidth=0)
    for top in tops.T[:-1]:
        axes.stairs(top, edges, baseline=None, color="white", linewidth=0.8)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(0, 1)


def _phases(axes: Axes, timeline: Timeline, rate: float) -> None:
    """Mark onset, apex and offset by lines with their names above the bands, where close ones do not meet."""
    for name, side, height in (("onset", "right", 3), ("apex", "center", 18), ("offset", "left", 3)):
        frame = getattr(timeline, name)
        if frame is None:
            continue
        seconds = timeline.seconds(frame)
        axes.axvline(frame / rate, color=INK, linewidth=1.4, linestyle="-" if name == "apex" else "--")
        axes.annotate(
            f"{name} {frame}" if seconds is None else f"{name} {seconds:.2f} s",
            (frame / rate, 1),
            xytext=(0, height),
            textcoords="offset points",
            ha=side,
            va="bottom",
            color=INK,
            fontsize=10,
        )
