"""A face that is followed from frame to frame: where it was tells where to look for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from affectvlm.scan import Pose
from affectvlm.views import Views

Frame = TypeVar("Frame")

ANEW = 25
"""In one frame of so many a face is looked for everywhere: a second of a usual film."""


class Following(Generic[Frame]):
    """Looks at the frames of one face, one after the other.

    The pose that a face had tells only where the search for it begins in the next frame. It is looked for everywhere
    where it does not fit there, after a frame without a face, and every so often: a wrong pose is not followed for
    ever. What comes out depends on the frames and their order alone.

    Parameters
    ----------
    look : callable
        Frame and pose in the frame before, if known -> views and pose, if there was one to be found; raises ScanError.
    """

    def __init__(self, look: Callable[[Frame, Pose | None], tuple[Views, Pose | None]]) -> None:
        self._look = look
        self._pose: Pose | None = None
        self._since = 0

    def __call__(self, frame: Frame) -> Views:
        """Draw the next frame's views.

        Raises
        ------
        ScanError
            It cannot be read, or shows no face.
        """
        near, self._pose = self._pose, None
        self._since = (self._since + 1) % ANEW if near is not None else 0
        views, self._pose = self._look(frame, near if self._since else None)
        return views
