"""Writing files so that nothing half-written is ever left as if it were whole, and nothing is mixed up."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from affectvlm.errors import DataError


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a temporary path in the same folder to write to; it takes ``path``'s name when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished{path.suffix}")
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def claim_folder(folder: Path, plan: dict[str, Any], contents: str) -> None:
    """Write down in ``plan.json`` what a folder will hold, or make sure that it holds just that.

    Work that was interrupted can then go on in it, and nothing else can.

    Parameters
    ----------
    folder : Path
    plan : dict
        Plain numbers, texts and lists.
    contents : str
        What it holds, for messages: "scans".

    Raises
    ------
    DataError
        It holds something else.
    """
    file = folder / "plan.json"
    text = json.dumps(plan, indent=2)
    if file.exists():
        if file.read_text("utf-8") != text:
            raise DataError(
                f"{folder}: holds other {contents}, or such as were made with other settings or another version "
                f"(see {file}); choose another folder, or delete this one first"
            )
        return
    if folder.exists() and (not folder.is_dir() or any(not _is_leftover(item) for item in folder.iterdir())):
        raise DataError(f"{folder}: expected an empty folder for the {contents}; choose another one")
    with written_whole(file) as path:
        path.write_text(text, encoding="utf-8")


def _is_leftover(path: Path) -> bool:
    """Whether a file was being written by a process that was killed."""
    return path.name.startswith(".") and ".unfinished" in path.name
