"""What ``affectvlm app`` serves: Streamlit's page, and beside it the frames of live faces."""

from __future__ import annotations

import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import streamlit as st

from affectvlm.app.live import route as live_route
from affectvlm.app.settings import settings_of_this_page
from affectvlm.errors import AffectVLMError


@asynccontextmanager
async def _opened(app: st.App) -> AsyncIterator[dict[str, Any]]:
    """Begin what takes long, and open the page in the user's browser.

    Streamlit's own way of being served does the latter, but not one with further routes.
    """
    from affectvlm.app.readiness import getting_ready  # its caches want Streamlit to be at work when they are made

    with suppress(AffectVLMError):  # the page says it
        getting_ready(settings_of_this_page().model)
    if not st.get_option("server.headless"):
        address, port, base = (st.get_option(f"server.{name}") for name in ("address", "port", "baseUrlPath"))
        webbrowser.open(f"http://{address}:{port}{live_route.prefix(base)}")
    yield {}


app = st.App(
    Path(__file__).with_name("page.py"),
    routes=[live_route.route(st.get_option("server.baseUrlPath"))],
    lifespan=_opened,
)
