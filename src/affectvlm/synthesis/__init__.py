"""Faces without licence: face models, expressions as people make them, and made-up studies."""

from affectvlm.synthesis.face_model import FaceModel
from affectvlm.synthesis.generate import FaceSource, generate, load_face_model

__all__ = ["FaceModel", "FaceSource", "generate", "load_face_model"]
