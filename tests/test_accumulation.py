"""A batch in chunks: the loss and the gradients of the whole batch, with the activations of a chunk in memory."""

import weakref

import lightning
import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from affectvlm.model import AffectVLM, ModelConfig
from affectvlm.objectives import ObjectiveConfig
from affectvlm.prepared import PreparedSet
from affectvlm.prepared.clips import Clips
from affectvlm.training import TrainConfig
from affectvlm.training.chunks import encode_in_chunks
from affectvlm.training.data import ClipDataset, ViewData
from affectvlm.training.fit import build_trainer, fit
from affectvlm.training.task import AffectVLMTask

TINY = ModelConfig(image_widths=(8, 16), text_width=16, text_layers=1, text_heads=2, embedding_dim=16)
ALL = ObjectiveConfig(terms={"multiview": 1, "clip": 1, "siglip": 1, "supcon": 1, "cross_entropy": 1})


class PeakMemory(TorchDispatchMode):
    """Bytes of all tensors that are alive at once, at the most, of those that were made since it began."""

    def __enter__(self):
        self.alive = self.peak = 0
        self.known = set()
        return super().__enter__()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self._note((args, kwargs), there_before=True)
        made = func(*args, **(kwargs or {}))
        self._note(made, there_before=False)
        return made

    def _note(self, tree, there_before):
        for tensor in tree_leaves(tree):
            if isinstance(tensor, torch.Tensor) and tensor.untyped_storage()._cdata not in self.known:
                storage = tensor.untyped_storage()
                size = 0 if there_before else storage.nbytes()
                self.known.add(storage._cdata)
                self.alive += size
                self.peak = max(self.peak, self.alive)
                weakref.finalize(storage, self._forget, storage._cdata, size)

    def _forget(self, key, size):
        self.known.discard(key)
        self.alive -= size


class FirstStep(lightning.Callback):
    """Keep the gradients of the first step, with batch normalisation's statistics fixed."""

    def on_train_start(self, trainer, pl_module):
        for module in pl_module.modules():
            if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
                module.eval()

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        self.gradients = {name: p.grad.clone() for name, p in pl_module.named_parameters()}


def first_step(folder, accumulation):
    """The loss and the gradients of a step with twelve samples."""
    prepared = PreparedSet(folder)
    config = TrainConfig(epochs=1, batch_size=12, accumulation=accumulation, model=TINY, objective=ALL)
    clips, watch = Clips(prepared), FirstStep()
    torch.manual_seed(0)
    task = AffectVLMTask(AffectVLM.build(TINY, prepared.classes, prepared.rig), clips, config)
    data = ViewData(ClipDataset(clips, 0), np.arange(0, 48, 4), np.arange(2), 12, 0)
    trainer = build_trainer(config, [watch])
    trainer.fit(task, data)
    return trainer.callback_metrics["loss"], watch.gradients


def test_the_loss_and_the_gradients_are_those_of_the_whole_batch(tiny_set):
    loss, gradients = first_step(tiny_set, 1)
    largest = max(gradient.abs().max().item() for gradient in gradients.values())
    for chunks in (2, 4, 5):  # 5 of 12: chunks of two and three
        its_loss, its_gradients = first_step(tiny_set, chunks)
        torch.testing.assert_close(its_loss, loss, rtol=1e-6, atol=0)
        assert set(its_gradients) == set(gradients)
        for name, gradient in gradients.items():
            # Single precision: layer norms multiply the rounding of the tokens' gradients by the inverse of 0.02.
            torch.testing.assert_close(its_gradients[name], gradient, rtol=0, atol=5e-6 * largest, msg=name)


def test_validation_takes_as_many_samples_at_a_time_as_a_chunk(tiny_set, tmp_path, monkeypatch):
    sizes, step = [], AffectVLMTask.validation_step

    def watched(task, batch, batch_idx):
        sizes.append(len(batch.labels))
        step(task, batch, batch_idx)

    monkeypatch.setattr(AffectVLMTask, "validation_step", watched)
    prepared = PreparedSet(tiny_set)
    subjects = tuple(prepared.subjects)
    config = TrainConfig(epochs=1, batch_size=24, accumulation=4, model=TINY)
    fit(prepared, subjects[:4], subjects[4:], config, tmp_path)
    assert sizes == [5] * 5  # of 25 at most 6


def network():
    torch.manual_seed(0)
    block = [nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.GELU()]
    return nn.Sequential(nn.Conv2d(3, 8, 3), *(4 * block), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.5))


def loss_of(embeddings):
    """Every embedding is compared with every other."""
    return (embeddings @ embeddings.T).exp().mean()


def test_running_statistics_change_once_a_chunk():
    pictures = torch.randn(12, 3, 9, 9)
    chunked, plain = network(), network()
    loss_of(encode_in_chunks(lambda some: chunked(pictures[some]), 12, 3, chunked)).backward()
    for part in pictures.split(4):
        plain(part)
    for name, buffer in plain.named_buffers():
        assert torch.equal(chunked.get_buffer(name), buffer), name
    assert chunked[2].num_batches_tracked == 3 * 4  # the block is one, and stands there four times


def test_what_is_computed_again_draws_the_same_random_numbers():
    pictures = torch.randn(12, 3, 9, 9)
    chunked, plain = network(), network()
    torch.manual_seed(1)
    loss_of(encode_in_chunks(lambda some: chunked(pictures[some]), 12, 3, chunked)).backward()
    torch.manual_seed(1)
    loss_of(torch.cat([plain(part) for part in pictures.split(4)])).backward()
    for ours, theirs in zip(chunked.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-5, atol=1e-7)


def test_every_chunk_has_two_samples():
    sizes = []

    def encode(some):
        sizes.append(some.stop - (some.start or 0))
        return torch.zeros(sizes[-1], 1, requires_grad=True)

    for samples, chunks in ((12, 5), (7, 100), (3, 2), (2, 2)):
        sizes.clear()
        assert encode_in_chunks(encode, samples, chunks, nn.Identity()).shape == (samples, 1)
        assert sum(sizes) == samples
        assert min(sizes) >= 2
        assert len(sizes) == max(1, min(chunks, samples // 2))


@pytest.mark.parametrize("chunks", [2, 4, 8])
def test_memory_falls_with_the_number_of_chunks(chunks):
    """Of large pictures through few weights: what is kept are activations, and those of one chunk."""
    encoder, pictures = network(), torch.randn(32, 3, 48, 48)

    def peak(chunks):
        with PeakMemory() as memory:
            loss_of(encode_in_chunks(lambda some: encoder(pictures[some]), 32, chunks, encoder)).backward()
        return memory.peak

    assert peak(chunks) < 1.1 * peak(1) / chunks
