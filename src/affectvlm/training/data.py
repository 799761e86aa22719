"""Prepared views as batches, the same for one process and for many."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import lightning
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from affectvlm.errors import ConfigError
from affectvlm.prepared import PreparedSet


class Batch(NamedTuple):
    """B samples."""

    views: Tensor
    """(B, V, C, H, W) float32."""
    labels: Tensor
    """(B,) int64."""
    rows: Tensor
    """(B,) int64: which samples of the prepared set these are."""


class ViewDataset(Dataset[Batch]):
    """A prepared set that is asked for whole batches at once.

    Parameters
    ----------
    prepared : PreparedSet
    labels : (n,) int64
        Class of every row of the set.
    """

    def __init__(self, prepared: PreparedSet, labels: np.ndarray) -> None:
        self.prepared = prepared
        self.labels = labels

    def __getitem__(self, rows: np.ndarray) -> Batch:
        return Batch(
            torch.from_numpy(self.prepared.channels(rows)), torch.from_numpy(self.labels[rows]), torch.from_numpy(rows)
        )


class ShuffledBatches(Sampler[np.ndarray]):
    """Training batches: a new order each epoch, each process its share of every batch.

    The batches are those of a single process, so that a step's pairs do not depend on how many there are. (Batch
    normalisation's statistics and the mixing of views do: each process takes its own share.) An incomplete last batch
    is left out, with other samples each epoch.

    Parameters
    ----------
    rows : (n,) int64
    batch_size : int
        Of all processes together.
    seed : int
    rank, world : int
        This process, and how many there are.

    Raises
    ------
    ConfigError
        A process would get fewer than two samples.
    """

    def __init__(self, rows: np.ndarray, batch_size: int, seed: int, rank: int = 0, world: int = 1) -> None:
        self.rows, self.seed, self.rank, self.world = rows, seed, rank, world
        self.batch_size = min(batch_size, len(rows)) // world * world
        if self.batch_size < 2 * world:
            raise ConfigError(
                f"a batch of {batch_size} from {len(rows)} training samples leaves fewer than 2 to each of {world} "
                "processes; take fewer processes, or a larger batch_size and more samples"
            )
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch comes next; Lightning calls it."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.rows) // self.batch_size

    def __iter__(self) -> Iterator[np.ndarray]:
        order = np.random.default_rng([self.seed, self.epoch]).permutation(self.rows)
        for start in range(0, len(self) * self.batch_size, self.batch_size):
            yield order[start + self.rank : start + self.batch_size : self.world]


class EachOnce(Sampler[np.ndarray]):
    """Evaluation batches: every row in exactly one process, none repeated to fill up.

    Parameters
    ----------
    rows : (n,) int64
    batch_size : int
    rank, world : int
    """

    def __init__(self, rows: np.ndarray, batch_size: int, rank: int = 0, world: int = 1) -> None:
        self.rows, self.batch_size = rows[rank::world], batch_size

    def __len__(self) -> int:
        return -(-len(self.rows) // self.batch_size)

    def __iter__(self) -> Iterator[np.ndarray]:
        for start in range(0, len(self.rows), self.batch_size):
            yield self.rows[start : start + self.batch_size]


class ViewData(lightning.LightningDataModule):
    """Training and validation samples of a prepared set.

    Parameters
    ----------
    dataset : ViewDataset
    train, validation : (n,) int64
        Rows of the set.
    batch_size : int
        Of all processes together.
    seed : int
    """

    def __init__(
        self, dataset: ViewDataset, train: np.ndarray, validation: np.ndarray, batch_size: int, seed: int
    ) -> None:
        super().__init__()
        self.dataset, self.train, self.validation = dataset, train, validation
        self.batch_size, self.seed = batch_size, seed

    def train_dataloader(self) -> DataLoader[Batch]:
        """Load this process's share of the training batches."""
        rank, world = self._place()
        return _loader(self.dataset, ShuffledBatches(self.train, self.batch_size, self.seed, rank, world))

    def val_dataloader(self) -> DataLoader[Batch]:
        """Load this process's share of the validation samples."""
        rank, world = self._place()
        return _loader(self.dataset, EachOnce(self.validation, self.batch_size, rank, world))

    def _place(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)


def _loader(dataset: ViewDataset, sampler: Sampler[np.ndarray]) -> DataLoader[Batch]:
    # batch_size None: the sampler yields whole batches of rows, and the dataset reads them at once.
    return DataLoader(dataset, sampler=sampler, batch_size=None)
