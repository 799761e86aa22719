"""What a face scan is, the files it comes from, and how it is brought to the camera."""

from affectvlm.scan.face_scan import FaceScan

__all__ = ["FaceScan"]
