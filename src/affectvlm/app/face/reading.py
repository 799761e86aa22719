"""From a scan to all that the page shows of it, worked out once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from affectvlm.app.face.display_mesh import DisplayMesh, display_mesh
from affectvlm.app.own_warnings import own_warnings
from affectvlm.recognizer import Prediction, Recognizer
from affectvlm.scan import FaceScan, normalize
from affectvlm.views import Views, render

_ONE_AT_A_TIME = Lock()


@dataclass(frozen=True, eq=False)
class Reading:
    """What the model makes of one scan.

    Parameters
    ----------
    source : str
        What the scan is called.
    mesh : DisplayMesh
        The normalised face, made for the screen.
    views : Views
        What the model looks at.
    answer : Prediction
        Of the views.
    notes : tuple of str
        What the reader should know of the scan: a guessed unit, a missing picture.
    """

    source: str
    mesh: DisplayMesh
    views: Views
    answer: Prediction
    notes: tuple[str, ...] = ()


def read_face(recognizer: Recognizer, load: Callable[[], FaceScan]) -> Reading:
    """Load a scan and read its expression.

    Parameters
    ----------
    recognizer : Recognizer
    load : callable -> FaceScan
        What it warns of becomes a note.

    Raises
    ------
    ScanError
        The scan cannot be read, or shows no face.
    """
    with _ONE_AT_A_TIME, own_warnings() as caught:
        scan = load()
        face = normalize(scan).face
        views = render(face, recognizer.rig)
    # Libraries warn their programmers in classes of their own; ours are meant for the user.
    notes = tuple(dict.fromkeys(str(warning.message) for warning in caught if warning.category is UserWarning))
    return Reading(scan.source, display_mesh(face), views, recognizer.predict(views), notes)
