"""Scan -> images: the rig of cameras, the z-buffer, the maps, and the pictures that people look at."""

from affectvlm.views.render import Views, decode, encode, render, to_channels
from affectvlm.views.rig import Rig

__all__ = ["Rig", "Views", "decode", "encode", "render", "to_channels"]
