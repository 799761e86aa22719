"""What a real scanner makes of a perfect surface: cameras, noise, gaps and hair, as presets by name."""

from affectvlm.synthesis.sensors.camera import ideal_grid
from affectvlm.synthesis.sensors.observe import observe
from affectvlm.synthesis.sensors.presets import SENSORS, Sensor

__all__ = ["SENSORS", "Sensor", "ideal_grid", "observe"]
