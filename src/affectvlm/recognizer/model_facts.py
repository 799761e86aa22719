"""What a model's files say of it, read without loading the model."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from affectvlm.errors import ModelError, in_one_line
from affectvlm.model_files import CONFIG, EXPORTED, WEIGHTS
from affectvlm.views import Rig

_NOT_LEARNED = ("running_mean", "running_var", "num_batches_tracked", "logit_scale", "unsure_below", "typical_rest")
"""Ends of the names of numbers that no training step learns."""


@dataclass(frozen=True)
class ModelFacts:
    """A model as its files describe it.

    Parameters
    ----------
    name : str
    classes : tuple of str
    rig : Rig
    time : str
        How frames become one.
    frames : int, optional
        Of a sequence, that it looks at.
    unsure_below : float
        Answers whose highest probability is lower are withheld; 0 where none is.
    parameters : int, optional
        None for a model that was exported, and lies without its weights.
    files : dict of name -> bytes
        That hold weights.
    """

    name: str
    classes: tuple[str, ...]
    rig: Rig
    time: str
    frames: int | None
    unsure_below: float
    parameters: int | None
    files: dict[str, int]

    @classmethod
    def of(cls, folder: Path, name: str | None = None) -> ModelFacts:
        """Read them from a model's folder.

        Parameters
        ----------
        folder : Path
        name : str, optional
            By default the folder's.

        Raises
        ------
        ModelError
            It is no model's folder.
        """
        description = next((folder / file for file in (CONFIG, EXPORTED) if (folder / file).is_file()), None)
        if description is None:
            raise ModelError(f"{folder}: expected a model, found neither {CONFIG} nor {EXPORTED}; name its folder")
        try:
            kept = json.loads(description.read_text("utf-8"))
            parameters, unsure_below = None, kept.get("unsure_below")
            if description.name == CONFIG:
                parameters, unsure_below = _weighed(folder / WEIGHTS)
            sizes = {file.name: file.stat().st_size for file in sorted(folder.iterdir())}
            return cls(
                name=name or folder.resolve().name,
                classes=tuple(kept["classes"]),
                rig=Rig(**kept["rig"]),
                time=kept["time"],
                frames=kept["frames"],
                unsure_below=unsure_below,
                parameters=parameters,
                files={file: size for file, size in sizes.items() if file.endswith((".safetensors", ".onnx"))},
            )
        except (OSError, ValueError, TypeError, AttributeError, LookupError, SafetensorError) as error:
            raise ModelError(f"{folder}: the model is damaged ({in_one_line(str(error))}); copy it again") from error


def _weighed(file: Path) -> tuple[int, float]:
    """Count the learned numbers in a file of weights, and read the threshold."""
    with safe_open(file, "numpy") as weights:
        shapes = {name: weights.get_slice(name).get_shape() for name in weights.keys()}  # noqa: SIM118
        unsure_below = float(weights.get_tensor("unsure_below"))
    return sum(math.prod(shape) for name, shape in shapes.items() if not name.endswith(_NOT_LEARNED)), unsure_below
