"""What a face scan is, the files it comes from, and how it is brought to the camera."""

from affectvlm.scan.face_scan import FaceScan
from affectvlm.scan.normalize import normalize
from affectvlm.scan.read import read_scan
from affectvlm.scan.sample import Sample

__all__ = ["FaceScan", "Sample", "normalize", "read_scan"]
