"""Scans -> shards of views -> a prepared set; in parallel, on one machine or many, and resumable at any moment."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import joblib
import pandas as pd

from affectvlm import __version__
from affectvlm.errors import DataError
from affectvlm.files import LOCK, check_claim, claim_folder, locked, remove_leftovers, written_whole
from affectvlm.prepared import shard
from affectvlm.prepared.backends import replacing_workers
from affectvlm.prepared.prepared_set import FORMAT, PreparedSet
from affectvlm.prepared.shard import finished_shards, sample_bytes, table_file, write_shard
from affectvlm.scan import Sample
from affectvlm.views import Rig
from affectvlm.views.jitter import Jitter

SPARE_BYTES = 100_000_000
"""What should be left on the disk; tables and index take a small part of it."""

KINDS_TOLD = 50
"""Kinds of warnings that the manifest counts."""


def prepare(
    samples: Sequence[Sample], rig: Rig, folder: Path, source: str, jobs: int = 1, jitter: Jitter | None = None
) -> PreparedSet:
    """Make a prepared set, or finish one that was interrupted.

    The result is the same, byte for byte, however often it was interrupted, and for any number of workers.
    :func:`~affectvlm.prepared.samples_done` tells how far it is.

    Parameters
    ----------
    samples : sequence of Sample
    rig : Rig
    folder : Path
        Where the set goes. One that holds another set is refused, never overwritten.
    source : str
        A word about where the scans come from, kept in the manifest.
    jobs : int
        Worker processes, of joblib's active backend; -1 for as many as there are cores. Workers on other machines
        must see ``folder`` and the scans under the same paths.
    jitter : Jitter, optional
        Keep further drawings of every scan, for training to choose from.

    Raises
    ------
    DataError
        The folder holds a set of other samples, or of another rig or jitter, another process is at work in it, the disk
        is too small, or no sample could be used.
    """
    folder = Path(folder)
    plan = _plan(samples, rig, folder, source, jitter)
    # A run that was killed with its last breath leaves a whole set, and its lock.
    if (folder / "manifest.json").exists() and not (folder / LOCK).exists():
        claim_folder(folder, plan, "prepared views")
        return PreparedSet(folder)
    with locked(folder):
        check_claim(folder, plan, "prepared views")
        remove_leftovers(folder)
        parts = _unfinished(samples, folder)
        # Before the folder is claimed: whoever is told to take smaller views may take them to the same folder.
        _check_space(folder, rig, jitter, sum(len(part) for part in parts.values()))
        claim_folder(folder, plan, "prepared views")
        _write_shards(parts, rig, jitter, folder, jobs)
        _finish(folder, plan, rig)
    return PreparedSet(folder)


def _plan(samples: Sequence[Sample], rig: Rig, folder: Path, source: str, jitter: Jitter | None) -> dict[str, object]:
    """Say what the set will be; another plan's folder is refused."""
    if not samples:
        raise DataError(f"{folder}: there are no samples to prepare")
    if len({sample.key for sample in samples}) < len(samples):
        raise DataError(f"{folder}: two samples have the same key; each needs its own")
    plan = {"format": FORMAT, "affectvlm": __version__, "source": source, "rig": rig.model_dump(mode="json")}
    if jitter is not None:  # without, there is no trace of it: sets made before there was any keep their fingerprint
        plan["jitter"] = jitter.model_dump(mode="json")
    digest = hashlib.sha256(json.dumps(plan, sort_keys=True).encode())
    for s in samples:
        told = [s.key, s.subject, s.emotion, s.intensity, dict(s.attributes), s.stamp, s.sequence, s.frame]
        digest.update(json.dumps(told, sort_keys=True).encode())
    return {**plan, "samples": len(samples), "fingerprint": digest.hexdigest()[:16]}


def _unfinished(samples: Sequence[Sample], folder: Path) -> dict[int, Sequence[Sample]]:
    """List the shards that are not there yet, and the samples of each."""
    step = shard.SHARD_SAMPLES
    done = finished_shards(folder)
    return {n: samples[start : start + step] for n, start in enumerate(range(0, len(samples), step)) if n not in done}


def _write_shards(parts: dict[int, Sequence[Sample]], rig: Rig, jitter: Jitter | None, folder: Path, jobs: int) -> None:
    place = folder.absolute()  # a cluster's workers may have been started in another folder than this process
    work = (joblib.delayed(write_shard)(place, n, part, rig, jitter) for n, part in parts.items())
    with replacing_workers():
        joblib.Parallel(n_jobs=jobs)(work)
    if lost := parts.keys() - finished_shards(folder):
        raise DataError(
            f"{folder}: the workers wrote {len(parts)} shards, found {len(parts) - len(lost)} here; a cluster's "
            "machines must all see this folder under the same path"
        )


def _check_space(folder: Path, rig: Rig, jitter: Jitter | None, samples: int) -> None:
    """Refuse to begin what would end with a full disk."""
    needed = sample_bytes(rig, jitter) * samples
    free = shutil.disk_usage(folder).free
    if samples and needed + SPARE_BYTES > free:
        raise DataError(
            f"{folder}: {samples} scans take {_amount(needed, math.ceil)} and {_amount(SPARE_BYTES, math.ceil)} are "
            f"kept spare, found {_amount(free, math.floor)} free; free some, choose another disk, smaller views "
            f"(--size) or fewer maps (--maps){'' if jitter is None else ' or drawings (--drawings)'}"
        )


def _amount(n_bytes: int, rounded: Callable[[float], int]) -> str:
    """Write whole MB below 1 GB, and tenths of GB above; what is needed goes up and what is there goes down."""
    return f"{rounded(n_bytes / 1e6)} MB" if n_bytes < 1e9 else f"{rounded(n_bytes / 1e8) / 10:.1f} GB"


def _finish(folder: Path, plan: dict[str, object], rig: Rig) -> None:
    """Write the index, what was skipped and, last, the manifest."""
    rows = pd.concat([pd.read_parquet(table_file(folder, n)) for n in sorted(finished_shards(folder))])
    used, skipped = rows[rows["reason"].isna()], rows[rows["reason"].notna()]
    if used.empty:
        raise DataError(f"{folder}: none of the {len(rows)} scans could be used; the first: {rows['reason'].iat[0]}")
    with written_whole(folder / "skipped.csv") as path:
        skipped[["key", "path", "reason"]].to_csv(path, index=False)
    with written_whole(folder / "index.parquet") as path:
        used.loc[:, "key":"row"].reset_index(drop=True).to_parquet(path)
    kinds = Counter(kind for kinds in rows["warnings"] for kind in json.loads(kinds))
    manifest = {
        **plan,
        "rig_fingerprint": rig.fingerprint,
        "samples": len(used),
        "skipped": len(skipped),
        "warnings": dict(kinds.most_common(KINDS_TOLD)),
    }
    with written_whole(folder / "manifest.json") as path:
        path.write_text(json.dumps(manifest, indent=2))
