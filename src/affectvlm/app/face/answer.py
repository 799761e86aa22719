"""An answer on the page: the expression or "unsure", and a bar for each class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from affectvlm.app.face.bars import INK, bars, percent
from affectvlm.recognizer import UNSURE, Prediction, Recognizer

PLAIN = {"displayModeBar": False}


def show_answer(recognizer: Recognizer, answer: Prediction, key: str) -> None:
    """Say the answer and draw its probabilities.

    Parameters
    ----------
    recognizer : Recognizer
    answer : Prediction
        Over the recognizer's own classes.
    key : str
        One for each place on a page.
    """
    shares = np.array(list(answer.probabilities.values()))
    highest = f"{recognizer.classes[int(shares.argmax())]}, {percent(shares.max())}"
    if answer.label == UNSURE:
        st.subheader("Apparent expression: unsure", anchor=False)
        least = percent(recognizer.encoder.unsure_below)
        st.caption(f"The most probable one, {highest}, is not probable enough to be named: that takes {least}.")
    else:
        st.subheader(f"Apparent expression: {highest}", anchor=False)
    show_bars(recognizer.classes, shares, key, "The probability of each expression, as bars.")


def show_bars(
    labels: Sequence[str], shares: np.ndarray, key: str, alt: str, values: Sequence[str] | None = None
) -> None:
    """Draw a bar for each share, in the ink that the visitor's theme asks for."""
    ink = INK["dark" if st.context.theme.type == "dark" else "light"]
    st.plotly_chart(bars(labels, shares, ink, values), key=key, config=PLAIN, alt=alt)
