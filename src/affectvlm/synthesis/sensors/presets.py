"""The sensors by name, and where their numbers come from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sensor:
    """A depth sensor in numbers; as it stands, a perfect one.

    Lengths on the face are in mm. Noise and steps are given at ``reference_mm`` and grow with the square of the
    distance, as the disparity of every triangulating sensor says.

    Parameters
    ----------
    name : str
    distance_mm : (float, float), optional
        From the camera to the nose, at least and at most; None for no camera at all: the mesh stays as it is.
    reference_mm : float
        The distance at which the other numbers hold.
    spacing_mm : float
        Between pixels, on a surface that faces the camera.
    baseline_mm : float
        From the camera to the projector or second camera, sideways; what that one does not see is a gap.
    footprint_mm : float
        Standard deviation of the Gaussian over which one measurement averages the surface.
    noise_mm : float
        Standard deviation of the depth on a surface that faces the camera.
    correlation_mm : float
        Standard deviation of the Gaussian that neighbouring errors have in common.
    white : float
        Share of the noise's variance that differs from pixel to pixel.
    slant_noise : float
        The noise is 1 + this x (t / (90 - t))^2 times as much at a slant of t degrees.
    step_mm : float
        Depth comes in steps of this; 0 for none.
    spikes : float
        Share of the pixels that are far off.
    spike_mm : float
        How far on average.
    flying_mm : float
        How far behind the edge of a surface its outermost pixels are dragged, at most; 0 for not at all.
    fading_deg : (float, float)
        Slants between which points go missing: none yet, all.
    brow_loss, nostril_loss, eye_loss : float
        Share of the points missing in the middle of brows and nostrils, and on eyeballs; brows (and beards, half as
        much) and eyes differ from scan to scan, up to twice this average.
    eye_dent_mm : float
        How much too deep the wet, translucent eyeball comes out, at most.
    hair, beard : float
        Share of the scans with hair in front of the face, and with a beard.
    width : (float, float)
        Half the width of what is kept of the face, in parts of half the distance between the ends of the jaw line.
    below_chin_mm, above_brows_mm : (float, float)
        How far down and up it is kept.
    island_mm2, filled_mm2 : float
        The scanner's software drops pieces smaller than this, and closes gaps up to a size of at most that.
    jump_mm : float
        For :meth:`~affectvlm.scan.range_image.RangeImage.mesh`.
    """

    name: str
    distance_mm: tuple[float, float] | None = None
    reference_mm: float = 1000.0
    spacing_mm: float = 0.6
    baseline_mm: float = 0.0
    footprint_mm: float = 0.0
    noise_mm: float = 0.0
    correlation_mm: float = 0.0
    white: float = 1.0
    slant_noise: float = 0.0
    step_mm: float = 0.0
    spikes: float = 0.0
    spike_mm: float = 0.0
    flying_mm: float = 0.0
    fading_deg: tuple[float, float] = (90.0, 91.0)
    brow_loss: float = 0.0
    nostril_loss: float = 0.0
    eye_loss: float = 0.0
    eye_dent_mm: float = 0.0
    hair: float = 0.0
    beard: float = 0.0
    width: tuple[float, float] = (1.3, 1.3)
    below_chin_mm: tuple[float, float] = (20.0, 20.0)
    above_brows_mm: tuple[float, float] = (70.0, 70.0)
    island_mm2: float = 0.0
    filled_mm2: float = 0.0
    jump_mm: float = 4.0


CLEAN = Sensor("clean")
"""No sensor: the mesh goes on as it is."""

STRUCTURED_LIGHT = Sensor(
    "structured-light",
    distance_mm=(1050.0, 1350.0),
    reference_mm=1200.0,
    spacing_mm=0.65,
    baseline_mm=250.0,
    footprint_mm=0.5,
    noise_mm=0.2,
    correlation_mm=2.0,
    white=0.05,
    slant_noise=0.08,
    spikes=2e-4,
    spike_mm=4.0,
    fading_deg=(66.0, 76.0),
    brow_loss=0.35,
    nostril_loss=0.5,
    eye_loss=0.2,
    eye_dent_mm=1.0,
    hair=0.35,
    beard=0.15,
    width=(0.95, 1.3),
    below_chin_mm=(-3.0, 35.0),
    above_brows_mm=(25.0, 80.0),
    island_mm2=150.0,
    filled_mm2=40.0,
    jump_mm=3.0,
)
"""A laboratory's face scanner, as behind BU-3DFE, BU-4DFE and Bosphorus.

Bosphorus (Savran et al., BIOID 2008) was scanned from 1.5 m at 0.3 x 0.3 x 0.4 mm, smoothed by median and Gaussian
filters, and is handed out with some 35,000 points a face, which is a spacing of 0.7 mm; its authors name the gaps at
brows, hair and the nose's sides and the spikes at hair, beard and eyes. The makers of the systems behind the BU sets
(3dMD; Di3D, in Yin et al., FG 2008) state an error of 0.2 mm. How noise grows with slant is as for ``depth-camera``.
The distance between camera and projector (12 degrees of triangulation), all shares of losses, of hair and of beards,
and the crops are our choice, set by looking.
"""

DEPTH_CAMERA = Sensor(
    "depth-camera",
    distance_mm=(600.0, 900.0),
    reference_mm=750.0,
    spacing_mm=1.5,
    baseline_mm=50.0,
    footprint_mm=1.5,
    noise_mm=0.6,
    correlation_mm=3.0,
    white=0.1,
    slant_noise=0.08,
    step_mm=0.7,
    spikes=3e-4,
    spike_mm=8.0,
    flying_mm=25.0,
    fading_deg=(70.0, 80.0),
    brow_loss=0.03,
    nostril_loss=0.3,
    eye_loss=0.05,
    eye_dent_mm=2.0,
    hair=0.35,
    beard=0.15,
    width=(1.0, 1.35),
    below_chin_mm=(0.0, 60.0),
    above_brows_mm=(30.0, 90.0),
    island_mm2=400.0,
    filled_mm2=150.0,
    jump_mm=6.0,
)
"""A consumer's stereo or structured-light depth camera, such as Kinect or RealSense D400, near its closest range.

Noise: 1.425e-3 z^2 with z in metres (Khoshelham and Elberink, Sensors 2012: half a unit of disparity), so 0.8 mm at
750 mm, of which a temporal filter takes a quarter: it would halve what is new in each frame (RealSense's averages with
a weight of 0.4, which leaves sqrt(0.4 / 1.6) = 0.5), but much stays from frame to frame; the share is our choice.
Slant: the axial noise of Nguyen, Izadi and Lovell (3DIMPVT 2012), 1.2 + 1.9 (z - 0.4)^2 + 0.1 z^-1/2 (t / (90 - t))^2
mm with z in metres, whose last term is 0.08 of the first two at 750 mm. Spacing: a focal length of 500 pixels, between
a D435's 450 at 848 columns and a Kinect's 580 at 640. Steps: 1/32 pixel of disparity over a baseline of 50 mm (Intel's
white paper on subpixel linearity, D400 series), 750^2 / (32 x 500 x 50) = 0.7 mm. Block matching over some 7 pixels
smooths surface and noise alike; flying pixels, losses, hair and crops are our choice.
"""

PHONE = Sensor(
    "phone",
    distance_mm=(300.0, 400.0),
    reference_mm=350.0,
    spacing_mm=0.6,
    baseline_mm=27.0,
    footprint_mm=1.3,
    noise_mm=0.4,
    correlation_mm=3.0,
    white=0.01,
    slant_noise=0.08,
    step_mm=0.24,
    spikes=0.0,
    flying_mm=4.0,
    fading_deg=(66.0, 78.0),
    brow_loss=0.02,
    nostril_loss=0.3,
    eye_loss=0.02,
    eye_dent_mm=1.0,
    hair=0.35,
    beard=0.15,
    width=(0.8, 1.05),
    below_chin_mm=(-12.0, 12.0),
    above_brows_mm=(20.0, 55.0),
    island_mm2=300.0,
    filled_mm2=600.0,
    jump_mm=4.0,
)
"""A phone's front depth sensor, such as Apple's TrueDepth, at arm's length or nearer.

The maker gives over 30,000 dots: over a picture of 400 x 300 mm at 350 mm they lie 2 mm apart, so that nothing much
smaller comes out, whatever the 640 x 480 pixels of the depth map suggest (spacing 0.6 mm, from a focal length of
590 pixels). Disparity is handed out in half precision, in steps of 2^-9 per metre at 350 mm: 0.24 mm of depth.
Breitbarth et al. (SPIE 11144, 2019) measured errors in the range of a millimetre, larger beyond 400 mm; of these 0.4
mm are taken as noise. The baseline is our estimate from pictures of the device; slant as for ``depth-camera``; losses,
hair and crops are our choice.
"""

SENSORS: dict[str, Sensor] = {sensor.name: sensor for sensor in (CLEAN, STRUCTURED_LIGHT, DEPTH_CAMERA, PHONE)}
