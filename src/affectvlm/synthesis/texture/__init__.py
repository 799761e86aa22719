"""Colours for generated faces: one painter for all face models, and texture coordinates that leave it room."""

from affectvlm.synthesis.texture.complexion import Complexion, draw_complexion
from affectvlm.synthesis.texture.paint import paint

__all__ = ["Complexion", "draw_complexion", "paint"]
