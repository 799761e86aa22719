"""Why: what speaks for an expression where on the face, in which view, and in which words."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import streamlit as st

from affectvlm.app.face.bars import percent
from affectvlm.app.face.display_mesh import DisplayMesh
from affectvlm.app.face.mesh_figure import TURNABLE, mesh_figure
from affectvlm.app.face.reading import Reading
from affectvlm.app.markdown import literal
from affectvlm.recognizer import UNSURE, Explanation, Recognizer
from affectvlm.recognizer.explanation import NearPrompt
from affectvlm.recognizer.painting import (
    AGAINST,
    FAINTEST,
    FOR,
    NEITHER,
    importance_colours,
    importance_of_vertices,
    importance_pictures,
    on_screen,
)
from affectvlm.views import Rig, Views

THE_ANSWER = "the answer"

WORKING = "Looking for what the answer rests on …"

KEPT = "why_explanations"
"""Where a visitor's explanations are kept, the last :data:`MOST` of them."""

MOST = 16


def show_why(recognizer: Recognizer, reading: Reading, key: str) -> None:
    """Offer an explanation of an answer; it is worked out when it is opened.

    Parameters
    ----------
    recognizer : Recognizer
    reading : Reading
        Of a scan, by this recognizer.
    key : str
        One for each place on a page.
    """
    opened = st.expander("Why this answer?", key=f"{key}_open", on_change="rerun", icon=":material/help:")
    if not opened.open:
        return
    with opened:
        chosen = st.selectbox("Explain", [THE_ANSWER, *recognizer.classes], key=f"{key}_label", width=260)
        explanation = explained(recognizer, reading.views, None if chosen == THE_ANSWER else str(chosen))
        face, views = st.columns([1, 1.15], gap="medium")
        with face:
            st.plotly_chart(
                mesh_figure(painted_by_importance(reading.mesh, reading.views, explanation)),
                key=f"{key}_face",
                config=TURNABLE,
                alt=f"The face in 3D: orange where it speaks for {explanation.label}, blue where it speaks against.",
            )
            _show_legend(explanation)
        with views:
            _show_views(reading.views, explanation)
            _show_left_out(recognizer, reading.views.rig, explanation)
            _show_prompts(explanation)


def explained(recognizer: Recognizer, views: Views, label: str | None = None) -> Explanation:
    """Explain the answer for a face, or one expression; once for each visitor, with a bar that tells how far it is.

    Whatever the visitor changes meanwhile stops it.
    """
    kept: OrderedDict[tuple[str, str | None], Explanation] = st.session_state.setdefault(KEPT, OrderedDict())
    # What a model makes of a face tells both apart from all others.
    made = recognizer.embed(views).tobytes() + recognizer.encoder.class_embeddings.tobytes()
    which = (hashlib.sha256(made).hexdigest(), label)
    if which not in kept:
        bar = st.progress(0.0, WORKING)

        def tell(share: float) -> None:
            bar.progress(share, WORKING)

        kept[which] = recognizer.explain(views, label, tell)
        bar.empty()
    kept.move_to_end(which)
    while len(kept) > MOST:
        kept.popitem(last=False)
    return kept[which]


def painted_by_importance(mesh: DisplayMesh, views: Views, explanation: Explanation) -> DisplayMesh:
    """Paint a face by what speaks for the explained expression (orange) and against it (blue).

    Parameters
    ----------
    mesh : DisplayMesh
        Of the normalised face that the views show.
    views : Views
    explanation : Explanation
        Of these views.
    """
    importance = importance_of_vertices(mesh.vertices, views, explanation.importance)
    return replace(mesh, colours=importance_colours(mesh.vertices, mesh.triangles, importance))


def view_words(rig: Rig, name: str) -> str:
    """Call a view by what it shows."""
    yaw = rig.yaw_deg[name]
    return f"{'front' if yaw == 0 else 'left cheek' if yaw > 0 else 'right cheek'}{f', {yaw:+g}°' if yaw else ''}"


def strength_words(explanation: Explanation) -> str:
    """Say how much the strongest spots matter, in numbers that can be told to others."""
    label, most, least = explanation.label, explanation.importance.max(), explanation.importance.min()
    if max(most, -least) < FAINTEST:
        return f"No single spot matters: smooth any of them away in one view, and {label} stays as probable as it is."
    changes = {"orange": (most, "smaller"), "blue": (-least, "larger")}
    said = [
        f"without the strongest {colour} spot, {np.exp(change):.1f} times {direction}"
        for colour, (change, direction) in changes.items()
        if change >= FAINTEST
    ]
    return f"The odds of {label} would be: {'; '.join(said)}. (Smoothed away in one view, with all else as it is.)"


def _show_legend(explanation: Explanation) -> None:
    label = explanation.label
    against, neither, speaks_for = (f"rgb{tuple(on_screen(colour).tolist())}" for colour in (AGAINST, NEITHER, FOR))
    colours = f"linear-gradient(to right, {against}, {neither}, {speaks_for})"
    style = f"height: 0.7rem; border-radius: 0.35rem; background: {colours}"
    st.html(f'<div role="img" aria-label="blue to grey to orange" style="{style}"></div>')
    with st.container(horizontal=True, horizontal_alignment="distribute"):
        st.caption(f"speaks against {literal(label)}", width="content")
        st.caption(f"speaks for {literal(label)}", width="content")
    st.caption(literal(strength_words(explanation)))
    st.caption("This is what the model looks at. It says nothing of what the person feels.")


def _show_views(views: Views, explanation: Explanation) -> None:
    with st.container(horizontal=True, gap="small"):
        for name, picture in zip(views.rig.names, importance_pictures(views, explanation.importance), strict=True):
            with st.container(width=150):
                st.image(picture, caption=view_words(views.rig, name), width="stretch")


def _show_left_out(recognizer: Recognizer, rig: Rig, explanation: Explanation) -> None:
    st.markdown("**Without one of the views**")
    explained_class = explanation.classes.index(explanation.label)
    now = percent(explanation.probabilities[explained_class])
    rows = []
    for name, weight, shares in zip(rig.names, explanation.weights, explanation.left_out, strict=True):
        if np.isnan(shares).any():
            words, then = "none: no other view shows the face", "-"
        else:
            best = int(shares.argmax())
            label = explanation.classes[best] if shares[best] >= recognizer.encoder.unsure_below else UNSURE
            words, then = f"{label}, {percent(shares[best])}", percent(shares[explained_class])
        if weight == 0:
            words = f"{words} (this view shows too little of the face and is not used)"
        rows.append((view_words(rig, name), percent(weight), words, then))
    _show_table(("Without", "which counts", "the answer would be", f"{explanation.label} (now {now})"), rows)


def _show_prompts(explanation: Explanation) -> None:
    st.markdown("**The nearest words**")
    others = [p for p in explanation.prompts_of_classes if p not in explanation.prompts]

    def row(prompt: NearPrompt) -> tuple[str, str, str]:
        return f"“{prompt.text}”", prompt.label, f"{prompt.cosine:.3f}"

    _show_table(("Of all its prompts", "for", "cosine"), [row(prompt) for prompt in explanation.prompts])
    _show_table(("Of the other expressions", "for", "cosine"), [row(prompt) for prompt in others])


def _show_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    lines = [head, ["---"] * len(head), *rows]
    written = [[cell if cell == "---" else literal(cell) for cell in line] for line in lines]
    st.markdown("\n".join(f"| {' | '.join(line)} |" for line in written))
