"""Faces without licence: face models, expressions as people make them, and made-up studies."""

from affectvlm.synthesis.face_model import FaceModel
from affectvlm.synthesis.library import FaceSource, load_face_model

__all__ = ["FaceModel", "FaceSource", "load_face_model"]
