"""A prepared set on disk, read through memory maps.

Layout of the folder::

    plan.json         the rig, the jitter if any, the source and a hash of the samples' labels and stamps: what this is
    shards/00000.*    views of up to ``SHARD_SAMPLES`` samples: one ``.npy`` a map, and a Parquet table of the rows;
                      a sample's views V of the exact drawing, then V of each jittered one
    index.parquet     all rows: what is known of each sample, and its shard and row
    skipped.csv       samples that could not be used: key, path, reason
    manifest.json     the plan, and how many samples were used, skipped and warned of; written last: the set is whole

Memory-mapped ``.npy`` because training reads random samples: a chunked store has to unpack whole chunks for each.
"""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from affectvlm.emotions import class_order
from affectvlm.errors import DataError
from affectvlm.views import Rig, Views, decode, to_channels
from affectvlm.views.jitter import Jitter

FORMAT = 2

MOST_OPEN = 512
"""Memory maps at a time: each holds one of the 1024 files that a process may commonly open, and BU-4DFE has 1900."""


class PreparedSet:
    """Views of many scans, ready to be learned from.

    Parameters
    ----------
    folder : Path
        Made by :func:`affectvlm.prepared.prepare`.

    Attributes
    ----------
    index : DataFrame
        One row a sample: ``key``, ``subject``, ``emotion``, ``intensity`` (nullable), ``attributes`` (JSON text),
        ``sequence`` and ``frame`` (of frames; else null), ``quality`` (0 to 1; null for scans that came normalised),
        ``shard``, ``row``.
    rig : Rig
    jitter : Jitter or None
        What the further drawings were made with.
    source : str
        Where the scans come from; starts with ``synthetic`` where they are generated.
    fingerprint : str
        Hash of what went in: the samples with their labels, the rig and the jitter.
    warnings : dict of str -> int
        What was odd, without files and numbers, and with how many scans; the commonest first.

    Raises
    ------
    DataError
        The folder holds no whole prepared set.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        manifest_file = self.folder / "manifest.json"
        if not manifest_file.is_file():
            raise DataError(
                f"{self.folder}: expected a prepared set, found no manifest.json; make one with `affectvlm prepare`, "
                "or run the same command again if it was interrupted"
            )
        manifest = json.loads(manifest_file.read_text())
        if manifest.get("format") != FORMAT:
            raise DataError(
                f"{manifest_file}: expected format {FORMAT}, found {manifest.get('format')}; prepare the set again"
            )
        self.rig = Rig(**manifest["rig"])
        self.jitter = Jitter(**manifest["jitter"]) if "jitter" in manifest else None
        self.source: str = manifest["source"]
        self.fingerprint: str = manifest["fingerprint"]
        self.warnings: dict[str, int] = manifest["warnings"]
        self.index = pd.read_parquet(self.folder / "index.parquet")
        self._open: dict[tuple[int, str], np.ndarray] = {}

    def __len__(self) -> int:
        return len(self.index)

    def __getstate__(self) -> dict[str, object]:
        # A worker process opens its own memory maps.
        return {**self.__dict__, "_open": {}}

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The expressions in the set, in the project's order."""
        return class_order(set(self.index["emotion"]))

    @property
    def subjects(self) -> list[str]:
        """Every subject once, sorted."""
        return sorted(self.index["subject"].unique())

    @property
    def drawings(self) -> int:
        """How many jittered drawings there are of every sample, beside the exact one."""
        return 0 if self.jitter is None else self.jitter.drawings

    def channels(self, rows: np.ndarray, drawings: np.ndarray | None = None) -> np.ndarray:
        """Read samples as a model sees them.

        Parameters
        ----------
        rows : (n,) int
            Rows of ``index``.
        drawings : (n, V) int, optional
            Which drawing each view is taken from: 0, the exact one, to ``self.drawings``. None: 0 everywhere.

        Returns
        -------
        (n, V, C, H, W) float32
        """
        shard, row = self.index["shard"].to_numpy()[rows], self.index["row"].to_numpy()[rows]
        exact = np.arange(len(self.rig.names))
        views = np.broadcast_to(exact, (len(rows), len(exact)))
        if drawings is not None:
            views = views + len(exact) * drawings
        kept = {
            name: np.stack([self._map(int(s), name)[r, v] for s, r, v in zip(shard, row, views, strict=True)])
            for name in self.rig.maps
        }
        return to_channels(kept, self.rig)

    def views(self, row: int) -> Views:
        """Bring one sample's exact drawing back as views, for looking at."""
        shard, place = int(self.index["shard"].iat[row]), int(self.index["row"].iat[row])
        return decode({name: self._map(shard, name)[place, : len(self.rig.names)] for name in self.rig.maps}, self.rig)

    def _map(self, shard: int, name: str) -> np.ndarray:
        found = self._open.pop((shard, name), None)
        if found is None:
            if len(self._open) >= MOST_OPEN:
                del self._open[next(iter(self._open))]  # the one that was not asked for the longest
            path = self.folder / "shards" / f"{shard:05d}.{name}.npy"
            found = np.load(path, mmap_mode="r", allow_pickle=False)
        self._open[shard, name] = found
        return found
