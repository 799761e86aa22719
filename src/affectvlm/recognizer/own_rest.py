"""A person's own face at rest, and what it takes away from the reading of the same person's other scans.

One person's brows at rest are another's frown: from a single scan nobody can tell them apart. Where a scan at rest is
known, what it shifts the face by in the space of faces and words is taken out of the person's other scans.
"""

from __future__ import annotations

import numpy as np

from affectvlm.errors import ModelError

MOMENT = 1 / 3
"""How much faces at rest of one person differ from moment to moment, in parts of how much those of several people do
(mean squares): one scan at rest counts for 3/4, four for 12/13.

The bundled model's embeddings of generated people at rest have 0.23 where people differ in all that they do, and 0.41
to 0.52 where by their faces alone."""


class OwnRest:
    """What a person's face at rest shifts embeddings by.

    Parameters
    ----------
    at_rest : (n, D) float32, unit length
        Embeddings of the person's scans at rest, one or more.
    typical : (D,) float32
        The mean of other people's (:attr:`Encoder.typical_rest <affectvlm.recognizer.encoder.Encoder>`).

    Raises
    ------
    ModelError
        The model knows no neutral face, or there is no scan at rest.
    """

    def __init__(self, at_rest: np.ndarray, typical: np.ndarray) -> None:
        if not typical.any():
            raise ModelError(
                "this model was trained without neutral faces and cannot take a face at rest into account; leave "
                "at_rest out, or train one with the class `neutral`"
            )
        if not len(at_rest):
            raise ModelError("at_rest: expected one scan or more of the person at rest, found none; leave it out")
        share = len(at_rest) / (len(at_rest) + MOMENT)
        self.shift = share * (at_rest.mean(axis=0) - typical)  # (D,)

    def taken_out(self, embeddings: np.ndarray) -> np.ndarray:
        """(..., D) unit length -> the same of a person whose face at rest is the typical one."""
        shifted = embeddings - self.shift
        unit: np.ndarray = shifted / np.linalg.norm(shifted, axis=-1, keepdims=True)
        return unit
