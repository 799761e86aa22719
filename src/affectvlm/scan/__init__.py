"""What a face scan is, the files it comes from, and how it is brought to the camera."""

from affectvlm.scan.face_scan import FaceScan
from affectvlm.scan.landmarks import Landmarks, read_landmarks
from affectvlm.scan.normalize import FACE_RADIUS_MM, NormalizedScan, face_mask, normalize
from affectvlm.scan.pose import Pose, find_pose
from affectvlm.scan.quality import Quality
from affectvlm.scan.read import read_scan
from affectvlm.scan.read_range import read_range_image
from affectvlm.scan.sample import Sample
from affectvlm.scan.sequence import ScanSequence
from affectvlm.scan.write import write_scan

__all__ = [
    "FACE_RADIUS_MM",
    "FaceScan",
    "Landmarks",
    "NormalizedScan",
    "Pose",
    "Quality",
    "Sample",
    "ScanSequence",
    "face_mask",
    "find_pose",
    "normalize",
    "read_landmarks",
    "read_range_image",
    "read_scan",
    "write_scan",
]
