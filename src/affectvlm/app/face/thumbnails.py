"""Small pictures of the sample faces, drawn by our own renderer."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

from affectvlm.app.face.display_mesh import lit_colours
from affectvlm.app.face.samples import SampleFace
from affectvlm.recognizer.recognizer import WORKERS
from affectvlm.scan import FaceScan
from affectvlm.views import Rig, render
from affectvlm.views.picture import pictures

SIZE_PX = 144
"""Twice what a thumbnail has on the page: screens of high density show all of it."""

RIG = Rig(
    yaw_deg={"side": 14.0}, size_px=SIZE_PX, field_mm=196.0, centre_mm=(0.0, 10.0, -45.0), maps=("texture", "normals")
)
"""A little from the side, where a nose and cheeks show that they stand out."""


def thumbnails(samples: Sequence[SampleFace]) -> tuple[str, ...]:
    """Draw each sample; an address (``data:``) that holds its picture, for a browser.

    Parameters
    ----------
    samples : sequence of SampleFace
    """
    with ThreadPoolExecutor(WORKERS) as pool:
        return tuple(pool.map(lambda sample: _address(thumbnail(sample.scan())), samples))


def thumbnail(scan: FaceScan) -> Image.Image:
    """Draw a face with its colours and relief on a transparent ground.

    Parameters
    ----------
    scan : FaceScan
        Nearly upright, mm, nose tip near the origin, as the face models make them.
    """
    views = render(scan, RIG)
    drawn = pictures(views, scale=1)
    # The picture on a made face has no light in it.
    colours = lit_colours(np.asarray(drawn["texture"][0]), np.asarray(drawn["surface"][0]))
    return Image.fromarray(np.dstack([colours, 255 * views.mask[0].astype(np.uint8)]), "RGBA")


def _address(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=85)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
