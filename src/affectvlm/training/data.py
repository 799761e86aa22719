"""Prepared views as batches, the same for one process and for many."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import lightning
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from affectvlm.errors import ConfigError, DataError
from affectvlm.model.time import FRAMES_THAT_MOVE
from affectvlm.prepared import PreparedSet
from affectvlm.prepared.clips import Clips
from affectvlm.training.config import TrainConfig


def build_clips(prepared: PreparedSet, config: TrainConfig) -> Clips:
    """Take a prepared set as the samples that a training learns from.

    Raises
    ------
    DataError
        The frames of a sequence are of several subjects or emotions, or the model learns from movement and a sample
        has none.
    """
    clips = Clips(prepared, config.model.frames)
    if config.model.time == "rank_pooling":
        still = [sample for sample, rows in enumerate(clips.rows) if len(rows) < FRAMES_THAT_MOVE]
        if still:
            raise DataError(
                f"{prepared.folder}: expected samples of {FRAMES_THAT_MOVE} frames or more, which model.time "
                f"'rank_pooling' learns from, found {len(still)} with fewer, first {clips.index['key'][still[0]]!r}; "
                "prepare a set without them, or take another model.time"
            )
    return clips


class Draw(NamedTuple):
    """What a loader is asked for."""

    samples: np.ndarray
    """(B,) int64."""
    turns: np.ndarray | None
    """(B,) int64: how often training has shown each before; None in evaluation, where nothing is left to chance."""


class Batch(NamedTuple):
    """B samples."""

    views: Tensor
    """(B, T, V, C, H, W) float32; T = 1 for scans."""
    seen: Tensor
    """(B, T, V) bool: False where a view is missing, and in frames that only fill up."""
    labels: Tensor
    """(B,) int64."""
    samples: Tensor
    """(B,) int64: which samples these are."""
    turns: Tensor
    """(B,) int64: how often training has shown each before; a sample and its turn are one draw of all that is left to
    chance, in whichever batch and process. 0 in evaluation."""


class ClipDataset(Dataset[Batch]):
    """Samples of a prepared set, asked for whole batches at once.

    Parameters
    ----------
    clips : Clips
    seed : int
        Of the choice of frames in training.
    """

    def __init__(self, clips: Clips, seed: int) -> None:
        self.clips, self.seed = clips, seed

    def __getitem__(self, draw: Draw) -> Batch:
        rngs, turns = None, draw.turns
        if turns is not None:
            shown = zip(draw.samples.tolist(), turns.tolist(), strict=True)
            rngs = [np.random.default_rng([self.seed, turn, 1 + sample, 1]) for sample, turn in shown]
        views, seen = self.clips.load(draw.samples, rngs)
        labels, turns = self.clips.labels[draw.samples], np.zeros_like(draw.samples) if turns is None else turns
        return Batch(*(torch.from_numpy(values) for values in (views, seen, labels, draw.samples, turns)))


class BalancedBatches(Sampler[Draw]):
    """Training batches with as many samples of each class as of any other; each process its share of every batch.

    The classes take turns, one sample each, in one order all through an epoch. So the numbers of samples that any two
    classes have in a batch differ by one at the most, and also in a process's share and in each chunk of it, which are
    successive parts of the batch.

    Every class is gone through in an order of its own, which is drawn anew whenever it is through, and goes on from one
    epoch to the next: a class with few samples shows them more often, and one with many shows all of them before it
    shows one again. An epoch is as long as the samples are many; where all classes have the same number, each sample
    has one place in it. An incomplete last batch is left out, with other samples each epoch.

    The batches are those of a single process, so that a step's pairs do not depend on how many there are. (Batch
    normalisation's statistics and the mixing of views do: each process takes its own share.)

    Parameters
    ----------
    samples : (n,) int64
    labels : (n,) int64
        Class of each.
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

    def __init__(
        self, samples: np.ndarray, labels: np.ndarray, batch_size: int, seed: int, rank: int = 0, world: int = 1
    ) -> None:
        self.samples, self.seed, self.rank, self.world = samples, seed, rank, world
        self.classes = [samples[labels == label] for label in np.unique(labels)]
        self.batch_size = min(batch_size, len(samples)) // world * world
        if self.batch_size < 2 * world:
            raise ConfigError(
                f"a batch of {batch_size} from {len(samples)} training samples leaves fewer than 2 to each of {world} "
                "processes; take fewer processes, or a larger batch_size and more samples"
            )
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch comes next; Lightning calls it."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.samples) // self.batch_size

    def __iter__(self) -> Iterator[Draw]:
        order = np.random.default_rng([self.seed, self.epoch]).permutation(len(self.classes))
        shown = np.stack([self._shown(number) for number in order], axis=-1).reshape(2, -1)  # (2, at least n)
        share = self.batch_size // self.world
        for batch in range(len(self)):
            start = batch * self.batch_size + self.rank * share
            samples, turns = shown[:, start : start + share]
            yield Draw(samples, turns)

    def _shown(self, number: int) -> np.ndarray:
        """(2, rounds) int64: what a class shows in this epoch, and how often it has shown each before."""
        members = self.classes[number]
        rounds = -(-len(self.samples) // len(self.classes))
        turns, places = np.divmod(self.epoch * rounds + np.arange(rounds), len(members))
        rngs = [np.random.default_rng([self.seed, turn, 0, 1 + number]) for turn in range(turns[0], turns[-1] + 1)]
        orders = np.stack([rng.permutation(members) for rng in rngs])  # (turns, members)
        return np.stack([orders[turns - turns[0], places], turns])


class EachOnce(Sampler[Draw]):
    """Evaluation batches: every sample in exactly one process, none repeated to fill up.

    All processes get the same number of batches, which differ by a sample: they run a step together or wait for ever.

    Parameters
    ----------
    samples : (n,) int64
    batch_size : int
        The most that a process takes at a time; 2 or more, or a share that is smaller by one would be a batch short.
    rank, world : int

    Raises
    ------
    ConfigError
        There are fewer samples than processes.
    """

    def __init__(self, samples: np.ndarray, batch_size: int, rank: int = 0, world: int = 1) -> None:
        if len(samples) < world:
            raise ConfigError(
                f"expected a validation sample for each of {world} processes, found {len(samples)}; take fewer "
                "processes"
            )
        largest_share = -(-len(samples) // world)
        self.samples, self.batches = samples[rank::world], -(-largest_share // batch_size)

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[Draw]:
        for some in np.array_split(self.samples, self.batches):
            yield Draw(some, None)


class ViewData(lightning.LightningDataModule):
    """Training and validation samples of a prepared set.

    Parameters
    ----------
    dataset : ClipDataset
    train, validation : (n,) int64
        Samples.
    batch_size : int
        Of all processes together.
    seed : int
    accumulation : int
        Chunks that a process takes its share of a batch in.
    """

    def __init__(
        self,
        dataset: ClipDataset,
        train: np.ndarray,
        validation: np.ndarray,
        batch_size: int,
        seed: int,
        accumulation: int = 1,
    ) -> None:
        super().__init__()
        self.dataset, self.train, self.validation = dataset, train, validation
        self.batch_size, self.seed, self.accumulation = batch_size, seed, accumulation

    def train_dataloader(self) -> DataLoader[Batch]:
        """Load this process's share of the training batches."""
        rank, world = self._place()
        labels = self.dataset.clips.labels[self.train]
        return _loader(self.dataset, BalancedBatches(self.train, labels, self.batch_size, self.seed, rank, world))

    def val_dataloader(self) -> DataLoader[Batch]:
        """Load this process's share of the validation samples, as many at a time as training encodes."""
        rank, world = self._place()
        at_a_time = max(2, self.batch_size // world // self.accumulation)
        return _loader(self.dataset, EachOnce(self.validation, at_a_time, rank, world))

    def _place(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)


def _loader(dataset: ClipDataset, sampler: Sampler[Draw]) -> DataLoader[Batch]:
    # batch_size None: the sampler yields whole batches, and the dataset reads them at once.
    return DataLoader(dataset, sampler=sampler, batch_size=None)
