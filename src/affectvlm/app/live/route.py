"""The way of live frames to the browser: past Streamlit, which draws a page again for each and manages a few a second.

The page's script asks for the newest answer under a key that only its visitor has, and says in the same request where
the sliders stand. The reply is the picture, with all else in a header. Whoever asks again only after he has drawn gets
as many as his machine can draw.
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from affectvlm.app.live.live import Live, Shown
from affectvlm.app.live.performer import Controls
from affectvlm.app.live.sources import Stage
from affectvlm.errors import AffectVLMError
from affectvlm.synthesis.action_units import ACTION_UNITS

PATH = "live-frames"

HEADER = "Live-Answer"

LONGEST_BYTES = 8192
"""Of a request: all sliders together take a tenth."""

DIGITS = 4
"""Of what is told: no eye sees more."""


@dataclass(eq=False)
class Visit:
    """One visitor's live face; gone with his session.

    Parameters
    ----------
    live : Live
    stage : Stage, optional
        Where the sliders lead; None for files.
    folder : Path, optional
        Where the files come from, which is nothing to the visitor.
    """

    live: Live
    stage: Stage | None = None
    folder: Path | None = None

    def words(self, message: str) -> str:
        """Take the folder out of a message."""
        if self.folder is None:
            return message
        return message.replace(f"{self.folder}{os.sep}", "").replace(str(self.folder), self.folder.name)


VISITS: WeakValueDictionary[str, Visit] = WeakValueDictionary()
"""Key -> visit. Held by the visitors' sessions alone."""


class Ask(BaseModel):
    """What the page's script sends."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    after: int = Field(0, ge=0)
    """The number of the newest answer that it has."""
    controls: Controls = Controls()


def admit(visit: Visit) -> str:
    """Give a visit a key that nobody can guess."""
    key = secrets.token_urlsafe(18)
    VISITS[key] = visit
    return key


def route(base: str) -> Route:
    """Make the route, below the path that the whole page has on its server ("" for none)."""
    return Route(f"{prefix(base)}/{PATH}/{{key}}", _reply, methods=["POST"])


def prefix(base: str) -> str:
    """Write a base path as addresses begin: with a slash, or nothing at all."""
    return f"/{base.strip('/')}" if base.strip("/") else ""


async def _reply(request: Request) -> Response:
    """Answer with the newest frame: 200, 204 if there is no news, 409 with what is wrong, 404 if nobody has the key."""
    visit = VISITS.get(request.path_params["key"])
    if visit is None:
        return Response(status_code=404)
    if int(request.headers.get("content-length") or LONGEST_BYTES + 1) > LONGEST_BYTES:
        return Response(status_code=413)
    try:
        ask = Ask.model_validate_json(await request.body())
    except ValidationError:
        return Response(status_code=400)
    return await run_in_threadpool(_answer, visit, ask)


def _answer(visit: Visit, ask: Ask) -> Response:
    if visit.stage is not None:
        visit.stage.controls = ask.controls
    try:
        shown = visit.live.newest(ask.after)
    except AffectVLMError as error:
        return Response(status_code=409, headers=_told({"error": visit.words(str(error))}))
    if shown is None:
        return Response(status_code=204)
    return Response(shown.made.picture(), media_type="image/jpeg", headers=_told(_facts(visit, shown)))


def _facts(visit: Visit, shown: Shown) -> dict[str, Any]:
    """Lay out what the page's script writes beside the picture."""
    strengths = shown.made.strengths
    return {
        "number": shown.number,
        "label": shown.answer.label,
        "shares": [round(share, DIGITS) for share in shown.answer.probabilities.values()],
        "error": None if shown.answer.error is None else visit.words(shown.answer.error),
        "asked": shown.made.asked,
        "units": None if strengths is None else dict(zip(ACTION_UNITS, strengths.round(2).tolist(), strict=True)),
        "answers_a_second": round(shown.pace.answers_a_second, 1),
        "latency_ms": round(shown.pace.latency_ms),
    }


def _told(facts: dict[str, Any]) -> dict[str, str]:
    # A header is ASCII without line ends, which is what JSON is here.
    return {HEADER: json.dumps(facts, separators=(",", ":")), "Cache-Control": "no-store"}
