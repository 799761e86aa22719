"""A model as ONNX: two graphs, a tokenizer and a description, which need no PyTorch to be used."""

from __future__ import annotations

import ast
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import onnx
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase
from transformers.tokenization_utils_base import VERY_LARGE_INTEGER

from affectvlm.errors import ModelError
from affectvlm.files import file_hash, written_whole
from affectvlm.model import AffectVLM
from affectvlm.model.time import dynamic_images
from affectvlm.model.towers import Towers, tokenize
from affectvlm.model_files import (
    CONFIG,
    EXPORTED,
    FACES,
    HASHED_EXPORT,
    WEIGHTS,
    WORDS,
    WORDS_TOKENIZER,
    refuse_strangers,
)
from affectvlm.recognizer.onnx_folder import Exported
from affectvlm.recognizer.torch_encoder import TorchEncoder

EXAMPLE = (2, 3)
"""Faces and frames of the example that is traced: any size but 1, which would be taken for one that is always so."""


def export_onnx(model: AffectVLM, folder: Path) -> Exported:
    """Write what the ONNX backend needs (:mod:`affectvlm.recognizer.onnx_folder`), the description last.

    Parameters
    ----------
    model : AffectVLM
    folder : Path
        The model's own, or any other without a model.

    Raises
    ------
    ModelError
        The folder holds another model, or files of these names that are something else.
    """
    model.towers.merge_adapters()
    refuse_strangers(folder, (CONFIG, EXPORTED, *HASHED_EXPORT))
    _refuse_another_model(model, folder)
    encoder = TorchEncoder(model)  # in evaluation mode
    folder.mkdir(parents=True, exist_ok=True)
    faces, words = _trace_faces(model), _trace_words(model)
    with written_whole(folder / WORDS_TOKENIZER) as path:
        path.write_text(own_tokenizer(model.tokenizer).to_str(pretty=True), "utf-8")
    parts = [WORDS, WORDS_TOKENIZER] + [CONFIG] * (folder / CONFIG).exists()
    write_graph(words, folder / WORDS, {})
    exported = Exported(
        classes=encoder.classes,
        class_prompts=encoder.class_prompts,
        class_embeddings=encoder.class_embeddings.tolist(),
        logit_scale=encoder.logit_scale,
        unsure_below=encoder.unsure_below,
        typical_rest=tuple(encoder.typical_rest.tolist()),
        time=encoder.time,
        frames=encoder.frames,
        rig=encoder.rig,
        rig_fingerprint=encoder.rig.fingerprint,
        sha256={name: file_hash(folder / name) for name in parts},
        vocabulary=model.grammar.vocabulary,
    )
    return write_faces(faces, exported, folder)


def write_faces(faces: onnx.ModelProto, exported: Exported, folder: Path) -> Exported:
    """Write the face encoder, and the description of the whole folder with its hash."""
    write_graph(faces, folder / FACES, exported.identity)
    whole = exported.model_copy(update={"sha256": {**exported.sha256, FACES: file_hash(folder / FACES)}})
    with written_whole(folder / EXPORTED) as path:
        path.write_text(whole.model_dump_json(indent=1), "utf-8")
    return whole


def write_graph(graph: onnx.ModelProto, file: Path, metadata: dict[str, str]) -> None:
    """Write a graph as one file, with what it was made for."""
    onnx.helper.set_model_props(graph, metadata)
    with written_whole(file) as path:
        path.write_bytes(graph.SerializeToString(deterministic=True))


def _refuse_another_model(model: AffectVLM, folder: Path) -> None:
    """Make sure that both backends would answer alike from a folder that holds a model already."""
    if not (folder / CONFIG).exists():
        return
    kept, own = load_file(folder / WEIGHTS), model.state_dict()
    if kept.keys() != own.keys() or not all(torch.equal(kept[name], own[name].cpu()) for name in own):
        raise ModelError(f"{folder}: holds another model than the one to be exported; choose another folder")


class _Faces(nn.Module):
    """:meth:`AffectVLM.encode_faces` without a choice that depends on the data: views that are missing are encoded too.

    What comes of them is never looked at, so the result is the same. What each view gives is told too: it explains an
    answer.
    """

    def __init__(self, model: AffectVLM) -> None:
        super().__init__()
        self.model = model

    def forward(self, views: Tensor, seen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, T, V, C, H, W) and (B, T, V) -> (B, D), and before the fusion (B, V, D) and (B, V)."""
        model, present = self.model, self.model.present(seen)
        if model.time_name == "rank_pooling":
            views, seen = dynamic_images(views, seen)
        B, _, V = seen.shape
        frames = model.towers.encode_images(views.flatten(0, 2)).unflatten(0, seen.shape)  # (B, T, V, D)
        Z = model.time(frames.transpose(1, 2).flatten(0, 1), seen.transpose(1, 2).flatten(0, 1))  # (B V, D)
        Z = Z.unflatten(0, (B, V)).masked_fill(~present[..., None], 0)
        return model.fusion(Z, present), Z, model.fusion.scores(Z)


class _Words(nn.Module):
    """:meth:`Towers.encode_text` as a module."""

    def __init__(self, towers: Towers) -> None:
        super().__init__()
        self.towers = towers

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """(P, L) token ids and mask -> (P, D)."""
        return self.towers.encode_text(ids, mask)


def _trace_faces(model: AffectVLM) -> onnx.ModelProto:
    rig = model.rig
    seen = torch.ones(*EXAMPLE, len(rig.names), dtype=torch.bool, device=model.device)
    views = torch.zeros(*seen.shape, rig.channels, rig.size_px, rig.size_px, device=model.device)
    axes = {0: "B", 1: "T"}
    return _trace(_Faces(model), {"views": (views, axes), "seen": (seen, axes)}, ["faces", "embeddings", "scores"])


def _trace_words(model: AffectVLM) -> onnx.ModelProto:
    prompts = [model.grammar.ensemble(name)[0] for name in model.classes]
    ids, mask = (part.to(model.device) for part in tokenize(model.tokenizer, prompts))
    axes = {0: "P", 1: "L"}
    return _trace(_Words(model.towers), {"ids": (ids, axes), "mask": (mask, axes)}, ["words"])


def _trace(module: nn.Module, inputs: dict[str, tuple[Tensor, dict[int, str]]], outputs: list[str]) -> onnx.ModelProto:
    """Turn a module into a graph, whose nodes are named by the part of the model that they come from."""
    with _quietly():
        program = torch.onnx.export(
            module.eval(),
            tuple(example for example, _ in inputs.values()),
            input_names=list(inputs),
            output_names=outputs,
            dynamic_shapes=tuple(axes for _, axes in inputs.values()),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    graph = program.model_proto
    for node in graph.graph.node:
        scopes = {entry.key: entry.value for entry in node.metadata_props}.get("pkg.torch.onnx.name_scopes", "[]")
        node.name = "/".join([*(scope for scope in ast.literal_eval(scopes)[-2:-1] if scope), node.name])
        # The exporter's notes tell the paths of this machine; shapes of the example would mislead a quantisation.
        node.ClearField("metadata_props")
        node.doc_string = ""
    graph.graph.ClearField("metadata_props")
    graph.graph.ClearField("value_info")
    return graph


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep the exporter from telling of libraries that nobody needs, and of what it will change some day."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def own_tokenizer(tokenizer: PreTrainedTokenizerBase) -> Tokenizer:
    """Take what tokenizes out of transformers' tokenizer: a copy that cuts and pads as that does."""
    own = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    own.enable_padding(
        direction=tokenizer.padding_side,
        pad_id=tokenizer.pad_token_id,
        pad_type_id=tokenizer.pad_token_type_id,
        pad_token=tokenizer.pad_token,
    )
    if tokenizer.model_max_length < VERY_LARGE_INTEGER:
        own.enable_truncation(tokenizer.model_max_length, direction=tokenizer.truncation_side)
    else:
        own.no_truncation()
    return own
