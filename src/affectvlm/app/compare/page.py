"""Compare: two models on the same face, what is known of each, and the report of a run."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from affectvlm.app.compare.comparison import apart, in_rows, verdict
from affectvlm.app.compare.model_summary import summary_of
from affectvlm.app.compare.run_folders import Run, find_runs
from affectvlm.app.compare.sealed_report import sealed
from affectvlm.app.face.answer import show_bars
from affectvlm.app.face.bars import percent
from affectvlm.app.face.chooser import read_chosen, show_gallery, show_other_sample
from affectvlm.app.face.reading import Reading
from affectvlm.app.markdown import literal
from affectvlm.app.models import model_name
from affectvlm.app.settings import AppSettings
from affectvlm.errors import DataError, ModelError
from affectvlm.recognizer import UNSURE
from affectvlm.views.picture import pictures

VIEW_PX, REPORT_PX = 104, 760

MAX_REPORT_MB = 20
"""A report of a hundred folds has a tenth of this."""


@dataclass(frozen=True)
class Candidate:
    """A model that can be chosen, and the run that it comes from."""

    name: str
    model: Path
    run: Path | None = None


@dataclass(frozen=True, eq=False)
class Side:
    """A model that was chosen, where it is shown, and what it makes of the face."""

    candidate: Candidate
    column: DeltaGenerator
    reading: Reading


def show(settings: AppSettings) -> None:
    """Lay out the page."""
    if settings.runs is None:
        st.info(
            "To compare this model with your own, start the page with the folder that holds your runs: "
            "`affectvlm app --runs runs`",
            icon=":material/compare:",
        )
        return
    runs = find_runs(settings.runs)
    candidates = _candidates(settings.model, runs)
    if len(candidates) > 1:
        _compare(settings.runs, candidates)
    else:
        st.info(
            "There is no model to compare with: the folder of runs holds none. `affectvlm demo`, `affectvlm train` and "
            "`affectvlm evaluate` each leave one in the folder that is named with `--out`.",
            icon=":material/compare:",
        )
    _show_report([run for run in runs if run.report is not None])


def _candidates(model: Path, runs: list[Run]) -> list[Candidate]:
    """List the page's own model, then those of the runs, each once."""
    of_runs = [Candidate(run.name, run.model, run.folder) for run in runs if run.model is not None]
    own = Path(os.path.realpath(model))
    mine = next((candidate for candidate in of_runs if candidate.model == own), Candidate(model_name(model), model))
    return [mine, *(candidate for candidate in of_runs if candidate != mine)]


def _compare(runs: Path, candidates: list[Candidate]) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        with st.container(width="content"):
            show_gallery("compare")
        show_other_sample("compare")
    choosers = st.columns(2, gap="large")
    words = st.container()
    columns = st.columns(2, gap="large")
    sides = []
    for number, word in enumerate(("Left", "Right")):
        candidate = choosers[number].selectbox(
            f"{word} model", candidates, number, format_func=lambda c: c.name, key=f"compare_{word.lower()}"
        )
        with columns[number]:
            try:
                sides.append(Side(candidate, columns[number], read_chosen(candidate.model)))
            except ModelError as error:
                # A run may be old or half copied; the visitor knows it by its name, not by the server's folders.
                st.error(literal(str(error).replace(f"{os.path.realpath(runs)}/", "")), icon=":material/error:")
    if len(sides) == 2:
        with words:
            _say_differences(*sides)
        _show_answer(sides[0], sides[1], "compare_left_bars")
        _show_answer(sides[1], sides[0], "compare_right_bars")
        _show_summaries(sides)
    elif sides:
        _show_answer(sides[0], sides[0], "compare_only_bars")


def _say_differences(left: Side, right: Side) -> None:
    answers = left.reading.answer, right.reading.answer
    st.subheader(literal(verdict(*answers)), anchor=False)
    told = apart(*answers) or ["Their probabilities are within ten points of each other."]
    st.caption(literal(" · ".join(told)))


def _show_answer(side: Side, other: Side, key: str) -> None:
    answer = side.reading.answer
    shares = in_rows(answer, other.reading.answer)
    with side.column:
        label = "unsure" if answer.label == UNSURE else f"{answer.label}, {percent(max(shares.values()))}"
        st.markdown(f"Apparent expression: **{literal(label)}**")
        show_bars(list(shares), np.array(list(shares.values())), key, "The probability of each expression, as bars.")
        views = side.reading.views
        name, seen = next(iter(pictures(views).items()))
        st.caption(f"Its views, drawn as {name.replace('_', ' ')}")
        with st.container(horizontal=True, gap="small"):
            for view, picture in zip(views.rig.names, seen, strict=True):
                st.image(picture, caption=literal(view), width=VIEW_PX)


def _show_summaries(sides: list[Side]) -> None:
    """Set what is known of both models side by side."""
    st.subheader("The two models", anchor=False)
    left, right = (summary_of(side.candidate.model, side.candidate.run) for side in sides)
    names = [literal(side.candidate.name) for side in sides]
    lines = [f"| | {names[0]} | {names[1]} |", "|---|---|---|"]
    lines += [f"| **{row}** | {literal(left[row])} | {literal(right[row])} |" for row in left]
    st.markdown("\n".join(lines))


def _show_report(runs: list[Run]) -> None:
    if not runs:
        return
    st.subheader("The report of a run", anchor=False)
    run = st.selectbox(
        "Run",
        runs,
        index=None,
        format_func=lambda run: run.name,
        placeholder="Choose a run to read its report",
        label_visibility="collapsed",
        key="compare_report",
    )
    if run is not None:
        st.iframe(sealed(_read_report(run)), height=REPORT_PX, alt=f"The report of {run.name}")


def _read_report(run: Run) -> str:
    assert run.report is not None
    try:
        size_mb = run.report.stat().st_size / 2**20
        if size_mb > MAX_REPORT_MB:
            raise DataError(f"{run.name}: expected a report of at most {MAX_REPORT_MB} MB, found {size_mb:.0f} MB")
        return run.report.read_text("utf-8", errors="replace")
    except OSError as error:
        raise DataError(f"{run.name}: cannot read its report ({error.strerror}); check the permissions") from error
