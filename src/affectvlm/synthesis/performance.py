"""How a face moves over time, whether it was made up or captured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Performance:
    """Strengths of action units and the turn of the head, frame by frame.

    Parameters
    ----------
    fps : float
        Frames a second; frame t is at t / fps seconds.
    strengths : (T, A, 2) float32
        As :func:`~affectvlm.synthesis.action_units.action_strengths` lays them out.
    head_deg : (T, 3) float32
        Yaw, pitch and roll, for ``Rotation.from_euler("yxz", head_deg, degrees=True)`` of scipy: first yaw about +y,
        then pitch about +x, then roll about +z, all about the axes of the camera's frame, which do not move (+x the
        subject's left, +y up, +z to the camera). Positive yaw turns the face to the subject's left, positive pitch
        downwards, and positive roll brings the crown to the subject's right.
    """

    fps: float
    strengths: np.ndarray
    head_deg: np.ndarray

    def __len__(self) -> int:
        return len(self.strengths)

    @property
    def seconds(self) -> float:
        """From the first frame to the last."""
        return (len(self) - 1) / self.fps

    def resampled(self, fps: float) -> Performance:
        """Give the same movement at another rate: linear in time, exact where old and new frames coincide."""
        # The margin keeps a last frame that rounding puts just beyond the end.
        count = int(self.seconds * fps + 1e-6) + 1
        at = np.arange(count) * (self.fps / fps)  # in old frames
        nearest = np.rint(at)
        at = np.where(np.abs(at - nearest) < 1e-6, nearest, at)
        before = np.minimum(at.astype(int), len(self) - 1)
        after = np.minimum(before + 1, len(self) - 1)
        share = (at - before).astype(np.float32)

        def between(values: np.ndarray) -> np.ndarray:
            shares = share.reshape(-1, *[1] * (values.ndim - 1))
            return values[before] + shares * (values[after] - values[before])

        return Performance(fps, between(self.strengths), between(self.head_deg))
