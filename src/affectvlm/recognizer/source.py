"""Where a trained model lies: with the package, in a folder, or on the hub of Hugging Face."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from affectvlm.errors import ModelError, in_one_line

BUNDLED = Path(__file__).parent / "bundled"
"""The model that comes with the package."""

_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")

CARD, RECORD = "README.md", "training.json"
"""What is said of a model, for people and for programs."""

MODEL_FILES = (
    *("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"),
    *("onnx.json", "faces.onnx", "words.onnx", "words.json"),
    *(RECORD, CARD),
)
"""What a model's folder holds, and a hub's repository is asked for: never a pickle, never code."""

ANSWER_WITHIN_S = 3.0
"""The hub, or what was fetched before serves: a machine without network does not wait."""


def find_model_folder(source: str | Path | None) -> Path:
    """Find a model's folder, fetching it from the hub if its id was given and it was not fetched before.

    Raises
    ------
    ModelError
        There is no such folder, or the hub does not give it.
    """
    if source is None:
        return BUNDLED
    folder = Path(source).expanduser()
    if folder.exists() or not _HUB_ID.fullmatch(str(source)):
        return folder
    return _fetched(str(source))


def _fetched(repo_id: str) -> Path:
    from huggingface_hub import HfApi, snapshot_download

    # Caught are errors of the hub's client and of the HTTP library beneath it, which changes.
    try:
        # Fetching asks the same, but would wait for an answer without end.
        HfApi().model_info(repo_id, timeout=ANSWER_WITHIN_S)
        return Path(snapshot_download(repo_id, allow_patterns=list(MODEL_FILES)))
    except Exception as error:
        try:
            return Path(snapshot_download(repo_id, local_files_only=True))
        except Exception:
            raise ModelError(
                f"{repo_id}: found no folder of that name, and the hub gives nothing "
                f"({in_one_line(str(error).partition(chr(10))[0])}); check the name, or copy the model into a folder"
            ) from error


def copy_model(folder: Path, to: Path) -> None:
    """Copy a model's files but card and record, and nothing else that lies beside them."""
    for name in MODEL_FILES:
        if name not in (CARD, RECORD) and (folder / name).is_file():
            shutil.copyfile(folder / name, to / name)
