"""Where a trained model lies: with the package, in a folder, or on the hub of Hugging Face."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from affectvlm.errors import ModelError, in_one_line
from affectvlm.model_files import FORMS, MODEL_FILES

BUNDLED = Path(__file__).parent / "bundled"
"""The model that comes with the package."""

_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")

ANSWER_WITHIN_S = 3.0
"""The hub, or what was fetched before serves: a machine without network does not wait."""


def find_model_folder(source: str | Path | None) -> Path:
    """Find a model's folder; a text that names no folder and can be a hub id is asked for there, the newest is fetched.

    Without an answer, what was fetched before serves.

    Raises
    ------
    ModelError
        There is no such folder, or the hub does not give it.
    """
    if source is None:
        return BUNDLED
    folder = Path(source).expanduser()
    if isinstance(source, Path) or folder.exists() or not _HUB_ID.fullmatch(source):
        return folder
    return _fetched(source)


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
    for name in FORMS:
        if (folder / name).is_file():
            shutil.copyfile(folder / name, to / name)
