"""One loss over a large batch, with the activations of only a part of it in memory at a time.

Accumulating the gradients of several small batches would change the loss: it compares every embedding with every other
one of the batch, and a small batch has fewer to compare with. So the embeddings of the whole batch enter one loss, and
what is cached is the embeddings (GradCache: Gao et al. 2021, arXiv 2101.06983): the forward pass keeps only each
chunk's inputs and embeddings, and the backward pass computes one chunk's activations after the other again. PyTorch's
activation checkpointing around the encoder does just that, with the random numbers and the precision of the first time,
and on many processes. It costs a second forward pass.

Batch normalisation sees a chunk at a time, as it sees a process's share on many processes: its statistics are those of
a chunk. Without it the loss and its gradients are those of the batch as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


def encode_in_chunks(encode: Callable[[slice], Tensor], samples: int, chunks: int, encoder: nn.Module) -> Tensor:
    """Encode a batch chunk by chunk.

    Parameters
    ----------
    encode : callable
        Which b of the batch's samples -> (b, ...) their embeddings.
    samples : int
        In the batch.
    chunks : int
        At the most: batch normalisation needs two samples in each. 1: all at once, and nothing is computed twice.
    encoder : nn.Module
        What ``encode`` runs: its buffers, such as running statistics, change once a chunk and not again when the chunk
        is computed again.

    Returns
    -------
    (samples, ...) Tensor
    """
    chunks = min(chunks, samples // 2)
    if chunks <= 1:
        return encode(slice(samples))

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _buffers_kept(encoder)

    edges = [samples * chunk // chunks for chunk in range(chunks + 1)]
    parts = [slice(start, stop) for start, stop in pairwise(edges)]
    return torch.cat([checkpoint(encode, part, use_reentrant=False, context_fn=contexts) for part in parts])


@contextmanager
def _buffers_kept(module: nn.Module) -> Iterator[None]:
    """Put back every buffer when the block ends, however it does: checkpointing leaves it as soon as it has enough."""
    kept = [(buffer, buffer.clone()) for buffer in module.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, before in kept:
                buffer.copy_(before)
