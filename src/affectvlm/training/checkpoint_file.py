"""A checkpoint is there whole or not at all, wherever a training is killed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from affectvlm.files import written_whole


class WholeCheckpoints(TorchCheckpointIO):
    """Write each checkpoint beside the one that it replaces, then rename it.

    Lightning's own way writes to the system's temporary folder. Where that is on another disk, the move from there is
    a copy over the old checkpoint, and a process that is killed in it leaves none.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None) -> None:
        """Write a file of tensors and plain numbers."""
        # A handle, not a path: PyTorch writes the name of a path into the file.
        with written_whole(Path(path)) as unfinished, unfinished.open("wb") as file:
            torch.save(checkpoint, file)
