"""The page itself, run by Streamlit from top to bottom at every change: what all its parts share, and one of them.

Started by ``affectvlm app`` with :class:`affectvlm.app.settings.AppSettings` as the one argument. Nothing is kept on
disk, and what is kept in memory of a scan goes with the visitor's session.
"""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from affectvlm.app.compare import page as compare_page
from affectvlm.app.live import page as live_page
from affectvlm.app.look import set_look
from affectvlm.app.markdown import literal
from affectvlm.app.notice import show_footer, show_notice_once
from affectvlm.app.read import page as read_page
from affectvlm.app.readiness import getting_ready, wait_until_ready
from affectvlm.app.sequence import page as sequence_page
from affectvlm.app.settings import AppSettings, settings_of_this_page
from affectvlm.app.words import page as words_page
from affectvlm.errors import AffectVLMError

# Path in the address -> title, icon and content of each part. (Streamlit would print a text that stands by itself.)
PARTS: dict[str, tuple[str, str, Callable[[AppSettings], None]]] = {
    "read": ("Read a scan", ":material/face:", read_page.show),
    "words": ("Ask in words", ":material/chat:", words_page.show),
    "sequence": ("Sequences", ":material/movie:", sequence_page.show),
    "live": ("Live", ":material/videocam:", live_page.show),
    "compare": ("Compare models", ":material/compare:", compare_page.show),
}


def main() -> None:
    """Lay out the page."""
    # Without an icon of the page's own the browser asks an outside server for the one of each part.
    st.set_page_config(page_title="AffectVLM", page_icon="🙂", layout="wide")
    set_look()
    try:
        settings = settings_of_this_page()
    except AffectVLMError as error:
        st.error(literal(str(error)), icon=":material/error:")
        return
    part = st.navigation(
        [
            st.Page(_guarded(show, settings), title=title, icon=icon, url_path=path, default=path == "read")
            for path, (title, icon, show) in PARTS.items()
        ],
        position="top",
    )
    told = show_notice_once()
    # Behind the notice nobody waits: a click on its button is answered only when the page has come to its end.
    if told or not getting_ready(settings.model).running:
        wait_until_ready(settings.model)
        part.run()
    show_footer(settings)


def _guarded(show: Callable[[AppSettings], None], settings: AppSettings) -> Callable[[], None]:
    """Say what a user can do about an error where it happened; the page stays."""

    def run() -> None:
        try:
            show(settings)
        except AffectVLMError as error:
            st.error(literal(str(error)), icon=":material/error:")

    return run


if __name__ == "__main__":
    main()
