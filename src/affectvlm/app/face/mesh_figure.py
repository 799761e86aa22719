"""The face in 3D: a mesh that can be turned, on an empty ground, seen from the front."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from affectvlm.app.face.display_mesh import DisplayMesh

HEIGHT_PX = 440

RADIUS_MM = 100.0
"""Nothing of a normalised face is farther from its nose tip."""

TURNS_ABOUT_MM = (0.0, 0.0, -45.0)
"""About the middle of a head, not the tip of its nose."""

ZOOM = 1.95
"""Fills the height of the plot with ``2 RADIUS_MM``, nearly."""

TURNABLE = {
    "displayModeBar": True,
    "displaylogo": False,
    # With Ctrl alone: affectvlm.app.look keeps the plain wheel for the page.
    "scrollZoom": True,
    # Twice in each direction is plotly's default: four times the work without a graphics card, and hardly to be seen.
    "plotGlPixelRatio": 1,
    # The other reset button goes to a camera of plotly's own, not to ours.
    "modeBarButtons": [["orbitRotation", "zoom3d", "resetCameraLastSave3d", "toImage"]],
}
"""For the chart of a face: turned by dragging; nearer by two fingers, Ctrl and wheel, or dragging with that button."""

AS_PAINTED = {"ambient": 1.0, "diffuse": 0.0, "specular": 0.0, "fresnel": 0.0}
"""The colours have their light already."""


def mesh_figure(mesh: DisplayMesh, height_px: int = HEIGHT_PX) -> go.Figure:
    """Draw a face, without perspective, all faces at one scale.

    Parameters
    ----------
    mesh : DisplayMesh
        Of a normalised scan: nose tip at the origin, the camera looks along -z, with +y up.
    height_px : int
        Of the plot; its width is the page's matter.
    """
    x, y, z = mesh.vertices.T
    i, j, k = mesh.triangles.T
    surface = go.Mesh3d(
        x=x, y=y, z=z, i=i, j=j, k=k, vertexcolor=_hex(mesh.colours), lighting=AS_PAINTED, hoverinfo="skip"
    )
    axes = {
        f"{name}axis": {"visible": False, "range": [middle - RADIUS_MM, middle + RADIUS_MM]}
        for name, middle in zip("xyz", TURNS_ABOUT_MM, strict=True)
    }
    return go.Figure(
        surface,
        go.Layout(
            height=height_px,
            margin={"l": 0, "r": 0, "t": 0, "b": 0},
            paper_bgcolor="rgba(0, 0, 0, 0)",
            modebar={"bgcolor": "rgba(0, 0, 0, 0)", "color": "#8a8f98", "activecolor": "#3470c8"},
            scene={
                **axes,
                "aspectmode": "manual",
                "aspectratio": {"x": ZOOM, "y": ZOOM, "z": ZOOM},
                "dragmode": "orbit",
                "camera": {
                    "up": {"x": 0, "y": 1, "z": 0},
                    "eye": {"x": 0, "y": 0, "z": 2.5},
                    "projection": {"type": "orthographic"},
                },
            },
        ),
    )


def _hex(colours: np.ndarray) -> list[str]:
    """(V, 3) uint8 RGB -> V words such as "#d8ab92"."""
    return [f"#{value:06x}" for value in (colours.astype(np.int64) @ [1 << 16, 1 << 8, 1]).tolist()]
