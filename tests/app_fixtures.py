"""The page without a browser: opened at one of its parts, and its charts read."""

import base64
import json
import sys

import numpy as np
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from affectvlm.app.launch import PAGE
from affectvlm.app.readiness import getting_ready
from affectvlm.app.settings import AppSettings


def open_page(settings: AppSettings, monkeypatch, part: str = "", *, wait: bool = True) -> AppTest:
    """Open the page as a new visitor, once it is ready; ``part`` is its path, the first one's is empty."""
    if wait:
        getting_ready(settings.model).wait()
    monkeypatch.setattr(sys, "argv", ["page.py", settings.model_dump_json()])
    page = AppTest.from_file(str(PAGE), default_timeout=300)
    page._page_hash = calc_hash(part)  # AppTest can go to pages that are files only
    return page.run()


def chart(page: AppTest, key: str) -> dict:
    """The face, or the bars above their ground: a chart's last trace, its numbers unpacked."""
    (found,) = [element.proto for element in page.get("plotly_chart") if element.proto.id.endswith(f"-{key}")]
    trace = json.loads(found.spec)["data"][-1]
    packed = {name: value for name, value in trace.items() if isinstance(value, dict) and "bdata" in value}
    return trace | {n: np.frombuffer(base64.b64decode(v["bdata"]), v["dtype"]) for n, v in packed.items()}
