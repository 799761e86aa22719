"""One shard of a prepared set: some scans, normalised, rendered and kept, with a table that says what became of each.

A shard is written whole by one worker. Its table is the last of its files: where it stands, the shard is done.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from affectvlm.errors import ScanError
from affectvlm.files import written_whole
from affectvlm.scan import FaceScan, Sample, normalize
from affectvlm.views import Rig, encode, render
from affectvlm.views.jitter import Jitter, render_jittered
from affectvlm.views.rig import MapName

SHARD_SAMPLES = 64
"""Few enough that a shard of nine 224 px maps stays below 80 MB, and that progress is seen to move."""

COLUMNS = {
    "key": "object",
    "subject": "object",
    "emotion": "object",
    "intensity": "Int64",
    "attributes": "object",
    "sequence": "string",
    "frame": "Int64",
    "quality": "Float32",
    "shard": "int64",
    "row": "int64",
    "path": "string",
    "reason": "string",
    "warnings": "string",
}
"""Of a shard's table: what the index keeps, up to ``row``, then what is told of a scan that went wrong or was odd."""


@dataclass(frozen=True)
class Kept:
    """What is kept of one scan.

    Parameters
    ----------
    maps : dict of map name -> ((1 + drawings) V, H, W[, 3]) array
        From :func:`affectvlm.views.encode`: all views of the exact drawing, then all of each jittered one.
    quality : float, optional
        None for scans that came normalised.
    """

    maps: dict[MapName, np.ndarray]
    quality: float | None


def sample_bytes(rig: Rig, jitter: Jitter | None = None) -> int:
    """Say how much disk one scan takes: as much as any other of the same rig and jitter."""
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a triangle has no texture
        maps = encode(render(FaceScan(corners, np.array([[0, 1, 2]], np.int32)), rig))
    return sum(kept.nbytes for kept in maps.values()) * (1 if jitter is None else 1 + jitter.drawings)


def table_file(folder: Path, number: int) -> Path:
    """Name the table of a shard in a prepared set's folder."""
    return folder / "shards" / f"{number:05d}.parquet"


def finished_shards(folder: Path) -> set[int]:
    """List the shards of a prepared set's folder that are done."""
    # One listing, not a question for each: on a network's disk, asking for a file that is not there yet is remembered.
    try:
        names = os.listdir(folder / "shards")
    except FileNotFoundError:
        return set()
    return {int(name.removesuffix(".parquet")) for name in names if re.fullmatch(r"\d+\.parquet", name)}


def samples_done(folder: Path, total: int) -> int:
    """Count the samples in finished shards, of a set of ``total``."""
    return min(total, len(finished_shards(folder)) * SHARD_SAMPLES)


def write_shard(folder: Path, number: int, samples: Sequence[Sample], rig: Rig, jitter: Jitter | None) -> None:
    """Make one shard: a ``.npy`` a map with the scans that could be used, and the table of all.

    Parameters
    ----------
    folder : Path
        Of the prepared set.
    number : int
    samples : sequence of Sample
    rig : Rig
    jitter : Jitter, optional
    """
    kept: list[Kept] = []
    rows: list[dict[str, object]] = []
    # One thread a worker: the other cores have workers of their own, and sums come out the same on any machine.
    with threadpool_limits(1):
        for sample in samples:
            _stop_if_abandoned()
            told: list[warnings.WarningMessage] = []
            row = _row_of(sample, number)
            try:
                with warnings.catch_warnings(record=True) as told:
                    # Counted, not shown: a guessed unit would be told once a scan.
                    warnings.simplefilter("always", UserWarning)
                    made = _keep(sample, rig, jitter)
            except ScanError as error:
                row |= {"row": -1, "path": _file_of(sample), "reason": str(error)}
            except Exception as error:
                error.add_note(f"while preparing {sample.key}")
                raise
            else:
                row |= {"row": len(kept), "quality": made.quality}
                kept.append(made)
            rows.append({**row, "warnings": json.dumps(sorted({_kind(str(warning.message)) for warning in told}))})
    for name in rig.maps if kept else ():
        with written_whole(folder / "shards" / f"{number:05d}.{name}.npy") as path:
            np.save(path, np.stack([one.maps[name] for one in kept]))
    with written_whole(table_file(folder, number)) as path:
        pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS).to_parquet(path)


def _keep(sample: Sample, rig: Rig, jitter: Jitter | None) -> Kept:
    face, quality = sample.load(), None
    if not sample.normalized:
        normalized = normalize(face)
        face, quality = normalized.face, normalized.quality.score
    drawings = [encode(render(face, rig))]
    if jitter is not None:
        rng = _rng_of(sample)
        drawings += [encode(render_jittered(face, rig, jitter, rng)) for _ in range(jitter.drawings)]
    return Kept({name: np.concatenate([maps[name] for maps in drawings]) for name in rig.maps}, quality)


def _rng_of(sample: Sample) -> np.random.Generator:
    """Give a sample its own random numbers, whatever is prepared beside it.

    The frames of a sequence share theirs: drawn with the same jitter, they show the face move and not the cameras.
    """
    name = sample.key if sample.sequence is None else sample.sequence
    return np.random.default_rng(list(hashlib.sha256(name.encode()).digest()))


def _row_of(sample: Sample, shard: int) -> dict[str, object]:
    return {
        "key": sample.key,
        "subject": sample.subject,
        "emotion": sample.emotion,
        "intensity": sample.intensity,
        "attributes": json.dumps(dict(sample.attributes), sort_keys=True),
        "sequence": sample.sequence,
        "frame": sample.frame,
        "shard": shard,
    }


def _file_of(sample: Sample) -> str | None:
    """Name the file that a sample comes from, where its loader was given one: ``partial(read_scan, file)``."""
    given = [str(thing) for thing in getattr(sample.load, "args", ()) if isinstance(thing, str | Path)]
    return given[0] if given else None


def _kind(message: str) -> str:
    """What a warning says, without its file and its numbers, so that it can be counted."""
    return re.sub(r"\d+(?:\.\d+)?", "N", message.partition(": ")[2] or message)


def _stop_if_abandoned() -> None:
    """End a worker whose parent was killed: it would go on for shards that somebody else makes again."""
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid != os.getppid():
        os._exit(1)  # an exception would only be one more answer that nobody reads
