"""Writing files so that nothing half-written is ever left as if it were whole, and nothing is mixed up."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from affectvlm.errors import DataError

LOCK = ".lock"


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a temporary path in the same folder to write to; it takes ``path``'s name when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Random, since processes of two machines may have the same number.
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(8)}.unfinished{path.suffix}")
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep a folder for this process until the block ends; the system frees it when the process dies, however it does.

    Parameters
    ----------
    folder : Path
        Made if it is not there.

    Raises
    ------
    DataError
        Another process keeps it, or it is no folder.
    """
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder}: expected an empty folder, found a file; choose another place")
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / LOCK
    with _lock(file) as handle:
        handle.truncate(0)
        handle.write(f"process {os.getpid()} on {socket.gethostname()}")
        handle.flush()
        try:
            yield
        finally:
            file.unlink(missing_ok=True)


@contextmanager
def _lock(file: Path) -> Iterator[TextIO]:
    """Open a lock's file when nobody else holds it."""
    while True:
        with file.open("a+") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                handle.seek(0)
                raise DataError(
                    f"{file.parent}: expected to be alone here, found {handle.read() or 'another process'} at work; "
                    "wait for it or stop it, or choose another folder"
                ) from None
            except OSError:
                warnings.warn(
                    f"{file.parent}: this file system keeps no locks; see that no other process works in it",
                    stacklevel=4,
                )
            # Whoever held it before has removed the file: a lock on that one would keep nobody away.
            if file.exists() and os.path.samestat(os.fstat(handle.fileno()), file.stat()):
                yield handle
                return


def remove_leftovers(folder: Path) -> None:
    """Remove what killed processes had begun to write; only for whoever keeps the folder (:func:`locked`)."""
    for path in folder.rglob(".*.unfinished*"):
        path.unlink(missing_ok=True)


def claim_folder(folder: Path, plan: dict[str, Any], contents: str) -> None:
    """Write down in ``plan.json`` what a folder will hold, or make sure that it holds just that.

    Work that was interrupted can then go on in it, and nothing else can.

    Parameters
    ----------
    folder : Path
    plan : dict
        Plain numbers, texts and lists. A ``fingerprint`` is a hash of all that went in, the plan's own settings too.
    contents : str
        What it holds, for messages: "scans".

    Raises
    ------
    DataError
        It holds something else.
    """
    check_claim(folder, plan, contents)
    file = folder / "plan.json"
    if not file.exists():
        with written_whole(file) as path:
            path.write_text(json.dumps(plan, indent=2), encoding="utf-8")


def check_claim(folder: Path, plan: dict[str, Any], contents: str) -> None:
    """Refuse a folder that :func:`claim_folder` would refuse; nothing is written."""
    file = folder / "plan.json"
    if file.exists():
        found = file.read_text("utf-8")
        if found != json.dumps(plan, indent=2):
            raise DataError(
                f"{folder}: holds other {contents}, or such as were made with other settings or another version: "
                f"{_difference(found, plan)} (see {file}); choose another folder, or delete this one first"
            )
    elif folder.exists() and (not folder.is_dir() or any(not _is_leftover(item) for item in folder.iterdir())):
        raise DataError(f"{folder}: expected an empty folder for the {contents}; choose another one")


def _is_leftover(path: Path) -> bool:
    """Whether a file is a lock, or was being written by a process that was killed."""
    return path.name == LOCK or (path.name.startswith(".") and ".unfinished" in path.name)


def _difference(found: str, plan: dict[str, Any]) -> str:
    """Name the settings in which two plans differ."""
    try:
        there, here = _flat(json.loads(found)), _flat(json.loads(json.dumps(plan)))
    except (ValueError, AttributeError):
        return "it is no plan"
    names = [name for name in {**there, **here} if there.get(name) != here.get(name)]
    if names == ["fingerprint"]:
        return "the files or their labels have changed"
    names = [name for name in names if name != "fingerprint"]  # it follows from the others, and says nothing to people
    return ", ".join(f"{name} is {there.get(name)} there and {here.get(name)} here" for name in names)


def _flat(plan: dict[str, Any], before: str = "") -> dict[str, Any]:
    """{"rig": {"size_px": 64}} -> {"rig.size_px": 64}."""
    flat: dict[str, Any] = {}
    for name, value in plan.items():
        flat |= _flat(value, f"{before}{name}.") if isinstance(value, dict) else {f"{before}{name}": value}
    return flat


def file_hash(file: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
