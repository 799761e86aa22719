"""Scans -> normalised -> rendered -> shards on disk; in parallel, and resumable at any moment."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import joblib
import numpy as np
import pandas as pd

from affectvlm.errors import DataError, ScanError
from affectvlm.files import claim_folder, written_whole
from affectvlm.prepared.prepared_set import FORMAT, PreparedSet
from affectvlm.scan import Sample, normalize
from affectvlm.views import Rig, encode, render
from affectvlm.views.rig import MapName

SHARD_SAMPLES = 64
"""Few enough that a shard of nine 224 px maps stays below 80 MB, and that progress is seen to move."""

COLUMNS = ["key", "subject", "emotion", "intensity", "attributes", "shard", "row", "skipped"]


def prepare(
    samples: Sequence[Sample],
    rig: Rig,
    folder: Path,
    source: str,
    jobs: int = 1,
    on_progress: Callable[[int], None] = lambda done: None,
) -> PreparedSet:
    """Make a prepared set, or finish one that was interrupted.

    Parameters
    ----------
    samples : sequence of Sample
    rig : Rig
    folder : Path
        Where the set goes. One that holds another set is refused, never overwritten.
    source : str
        A word about where the scans come from, kept in the manifest.
    jobs : int
        Worker processes (joblib's active backend).
    on_progress : callable
        Called with the number of samples finished each time a shard is.

    Raises
    ------
    DataError
        The folder holds a set of other samples or another rig, or no sample could be used.
    """
    folder = Path(folder)
    shards = [samples[start : start + SHARD_SAMPLES] for start in range(0, len(samples), SHARD_SAMPLES)]
    _claim(folder, {"format": FORMAT, "source": source, "rig": rig.model_dump(mode="json")}, samples)
    if (folder / "manifest.json").exists():
        on_progress(len(samples))
        return PreparedSet(folder)

    work = (joblib.delayed(_write_shard)(folder / "shards", number, shard, rig) for number, shard in enumerate(shards))
    done = 0
    for count in joblib.Parallel(n_jobs=jobs, return_as="generator_unordered")(work):
        done += count
        on_progress(done)

    tables = [pd.read_parquet(folder / "shards" / f"{number:05d}.parquet") for number in range(len(shards))]
    _finish(folder, pd.concat(tables, ignore_index=True), source, rig)
    return PreparedSet(folder)


def _claim(folder: Path, plan: dict[str, object], samples: Sequence[Sample]) -> None:
    """Write down what the set will be, or make sure that the folder's is the same."""
    if not samples:
        raise DataError(f"{folder}: there are no samples to prepare")
    if len({sample.key for sample in samples}) < len(samples):
        raise DataError(f"{folder}: two samples have the same key; each needs its own")
    told = [[s.key, s.subject, s.emotion, s.intensity, dict(s.attributes), s.stamp] for s in samples]
    text = json.dumps([plan, told], sort_keys=True)
    fingerprint = hashlib.sha256(text.encode()).hexdigest()[:16]
    claim_folder(folder, {**plan, "samples": len(samples), "fingerprint": fingerprint}, "prepared views")


def _write_shard(folder: Path, number: int, samples: Sequence[Sample], rig: Rig) -> int:
    """Render one shard's samples; its table is written last and says that the shard is whole."""
    table_file = folder / f"{number:05d}.parquet"
    if table_file.exists():
        return len(samples)
    rows: list[list[object]] = []
    kept: list[dict[MapName, np.ndarray]] = []
    for sample in samples:
        reason = None
        try:
            with warnings.catch_warnings():
                # A guessed unit or a missing texture would be told once a scan; `affectvlm show` tells it for one.
                warnings.simplefilter("ignore", UserWarning)
                scan = sample.load()
                maps = encode(render(scan if sample.normalized else normalize(scan), rig))
        except ScanError as error:
            reason = str(error)
        attributes = json.dumps(dict(sample.attributes), sort_keys=True)
        row = len(kept) if reason is None else -1
        rows.append([sample.key, sample.subject, sample.emotion, sample.intensity, attributes, number, row, reason])
        if reason is None:
            kept.append(maps)
    for name in rig.maps if kept else ():
        with written_whole(folder / f"{number:05d}.{name}.npy") as path:
            np.save(path, np.stack([maps[name] for maps in kept]))
    with written_whole(table_file) as path:
        pd.DataFrame(rows, columns=COLUMNS).astype({"intensity": "Int64", "skipped": "string"}).to_parquet(path)
    return len(samples)


def _finish(folder: Path, rows: pd.DataFrame, source: str, rig: Rig) -> None:
    """Write the index, what was skipped and, last, the manifest."""
    used, skipped = rows[rows["skipped"].isna()], rows[rows["skipped"].notna()]
    if used.empty:
        raise DataError(f"{folder}: none of the {len(rows)} scans could be used; the first: {rows['skipped'].iat[0]}")
    with written_whole(folder / "skipped.csv") as path:
        skipped[["key", "skipped"]].to_csv(path, index=False)
    with written_whole(folder / "index.parquet") as path:
        used.drop(columns="skipped").reset_index(drop=True).to_parquet(path)
    manifest = {
        "format": FORMAT,
        "source": source,
        "rig": rig.model_dump(mode="json"),
        "rig_fingerprint": rig.fingerprint,
        "fingerprint": json.loads((folder / "plan.json").read_text())["fingerprint"],
        "samples": len(used),
        "skipped": len(skipped),
    }
    with written_whole(folder / "manifest.json") as path:
        path.write_text(json.dumps(manifest, indent=2))
