"""What a model is shown at a time: one scan, or some frames of a sequence."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pandas as pd

from affectvlm.errors import DataError
from affectvlm.prepared.prepared_set import PreparedSet
from affectvlm.views.coverage import seen_views


class Clips:
    """A prepared set as samples to learn from.

    Parameters
    ----------
    prepared : PreparedSet
    frames : int, optional
        A sequence is one sample, of which at most so many frames are looked at; scans that belong to no sequence are
        samples of one frame. None: every scan and every frame is a sample of its own.

    Attributes
    ----------
    index : DataFrame
        One row a sample: ``key`` (of a sequence its name), ``subject``, ``emotion``, ``intensity`` (the highest of the
        frames, nullable), ``attributes``.
    rows : list of (n,) int64
        Of each sample: its rows of the set, in the order of the frames.
    labels : (samples,) int64
        Class of each.

    Raises
    ------
    DataError
        The frames of a sequence are of several subjects or emotions, so that it has no label as a whole.
    """

    def __init__(self, prepared: PreparedSet, frames: int | None = None) -> None:
        self.prepared, self.frames = prepared, frames
        if frames is None:
            self.index = prepared.index
            self.rows = list(np.arange(len(self.index))[:, None])
        else:
            self.index, self.rows = _sequences(prepared)
        self.labels = np.array([prepared.classes.index(name) for name in self.index["emotion"]], np.int64)

    def __len__(self) -> int:
        return len(self.rows)

    def of(self, subjects: Sequence[str]) -> np.ndarray:
        """(n,) int64: the samples of some subjects."""
        return np.flatnonzero(self.index["subject"].isin(subjects))

    def attributes(self, sample: int) -> dict[str, str]:
        """What is known of a sample's subject."""
        known: dict[str, str] = json.loads(self.index["attributes"].iat[sample])
        return known

    def intensity(self, sample: int) -> int | None:
        """1 (slight) to 4 (full), where it is known."""
        known = self.index["intensity"].iat[sample]
        return None if pd.isna(known) else int(known)

    def load(
        self, samples: np.ndarray, rngs: Sequence[np.random.Generator] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Read samples as a model sees them.

        A sequence that has more frames than are looked at is cut into parts, equal up to a frame, and one frame of
        each is taken (temporal segments, Wang et al. 2016, arXiv 1608.00859): any one in training, the middle one in
        evaluation.
        Every view comes from any of the set's drawings in training, from the exact one in evaluation.

        Parameters
        ----------
        samples : (B,) int
        rngs : sequence of B generators, optional
            In training: one a sample.

        Returns
        -------
        views : (B, T, V, C, H, W) float32
            T is the most frames that any of these samples has; shorter ones are filled up with zeros at the end.
        seen : (B, T, V) bool
            False where a view is missing, and in frames that only fill up.
        """
        picked = [
            self._pick(self.rows[sample], None if rngs is None else rngs[i])
            for i, sample in enumerate(samples.tolist())
        ]
        there = np.arange(max(map(len, picked))) < np.array([[len(rows)] for rows in picked])  # (B, T)
        channels = self.prepared.channels(np.concatenate(picked), self._drawings(picked, rngs))  # (frames, V, C, H, W)
        if there.all():
            views = channels.reshape(*there.shape, *channels.shape[1:])
            return views, seen_views(views, self.prepared.rig)
        views = np.zeros((*there.shape, *channels.shape[1:]), np.float32)
        seen = np.zeros(views.shape[:3], bool)
        views[there], seen[there] = channels, seen_views(channels, self.prepared.rig)
        return views, seen

    def _pick(self, rows: np.ndarray, rng: np.random.Generator | None) -> np.ndarray:
        """Choose the frames of one sample that are looked at, in order."""
        if self.frames is None or len(rows) <= self.frames:
            return rows
        edges = len(rows) * np.arange(self.frames + 1) // self.frames  # whole frames: no part shares one with the next
        place = 0.5 if rng is None else rng.random(self.frames)
        chosen: np.ndarray = rows[edges[:-1] + (place * np.diff(edges)).astype(int)]
        return chosen

    def _drawings(self, picked: list[np.ndarray], rngs: Sequence[np.random.Generator] | None) -> np.ndarray | None:
        """Choose a drawing for every view of each sample, the same in all its frames: (frames of all, V) int."""
        if rngs is None or self.prepared.drawings == 0:
            return None
        views = len(self.prepared.rig.names)
        chosen = [rng.integers(1 + self.prepared.drawings, size=views) for rng in rngs]
        return np.repeat(chosen, [len(rows) for rows in picked], axis=0)


def _sequences(prepared: PreparedSet) -> tuple[pd.DataFrame, list[np.ndarray]]:
    """Group the rows of a set by sequence; a scan of no sequence is one of its own, and keys are unique."""
    table = prepared.index.reset_index(names="place")
    table["key"] = table["sequence"].fillna(table["key"])
    groups = table.sort_values("frame", kind="stable").groupby([table["sequence"].isna(), "key"], sort=False)
    mixed = groups[["subject", "emotion"]].nunique().max(axis=1) > 1
    if mixed.any():
        raise DataError(
            f"{prepared.folder}: expected one subject and one emotion in all frames of a sequence, found several in "
            f"{mixed.idxmax()[1]!r}; leave out the setting `frames` and train on frames"
        )
    index = groups[["key", "subject", "emotion", "attributes"]].first().assign(intensity=groups["intensity"].max())
    rows = [part.to_numpy(np.int64) for _, part in groups["place"]]
    first = np.argsort([group.min() for group in rows])  # in the order of the set
    return index.iloc[first].reset_index(drop=True), [rows[i] for i in first]
