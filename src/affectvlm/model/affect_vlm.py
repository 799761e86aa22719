"""The model: towers, time, fusion over the views, and all that is needed to build it again."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load, save
from torch import Tensor, nn
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from affectvlm.errors import ConfigError, ModelError
from affectvlm.files import file_hash, written_whole
from affectvlm.language import Grammar, Vocabulary
from affectvlm.model.config import ModelConfig
from affectvlm.model.fusion import FusionName, build_fusion
from affectvlm.model.source import UNREADABLE, first_line
from affectvlm.model.time import FRAMES_THAT_MOVE, TimeName, build_time, dynamic_images
from affectvlm.model.towers import Towers, build_towers, tokenize, towers_from_dict, towers_to_dict
from affectvlm.model_files import CONFIG, HASHED, WEIGHTS
from affectvlm.views import Rig

FORMAT = 5


class AffectVLM(nn.Module):
    """Views of a face, still or moving, and words about it, in one space.

    Faces come as ``views`` (B, T, V, C, H, W) float32, T frames of V views each, T = 1 for a scan, and ``seen``
    (B, T, V) bool: False where a view is missing, or a frame only fills up a batch; what is there is never looked at.

    Parameters
    ----------
    towers : Towers
    tokenizer : PreTrainedTokenizerBase
    grammar : Grammar
        The classes, in the order of every probability that the model gives, and the words for them.
    rig : Rig
        The views that the model is made for.
    fusion, time, frames
        As in :class:`ModelConfig`.

    Attributes
    ----------
    logit_scale : () float buffer
        Cosines times this are the logits of the probabilities; fitted on validation subjects after training.
    unsure_below : () float buffer
        Answers whose highest probability is lower are withheld; 0 where none is.
    typical_rest : (D,) float buffer
        Mean embedding of faces at rest, of validation subjects; 0 where the model knows no neutral face. A person's own
        face at rest is told apart from it (:mod:`affectvlm.recognizer.own_rest`).
    """

    logit_scale: Tensor
    unsure_below: Tensor
    typical_rest: Tensor

    def __init__(
        self,
        towers: Towers,
        tokenizer: PreTrainedTokenizerBase,
        grammar: Grammar,
        rig: Rig,
        fusion: FusionName = "weights",
        time: TimeName = "mean",
        frames: int | None = None,
    ) -> None:
        super().__init__()
        self.towers = towers
        self.fusion_name, self.time_name, self.frames = fusion, time, frames
        self.fusion = build_fusion(fusion, len(rig.names), towers.embedding_dim)
        self.time = build_time(time, towers.embedding_dim)
        self.tokenizer = tokenizer
        self.grammar = grammar
        self.rig = rig
        self.register_buffer("logit_scale", torch.tensor(10.0))
        self.register_buffer("unsure_below", torch.tensor(0.0))
        self.register_buffer("typical_rest", torch.zeros(towers.embedding_dim))

    @classmethod
    def build(
        cls, config: ModelConfig, classes: tuple[str, ...], rig: Rig, vocabulary: Vocabulary | None = None
    ) -> AffectVLM:
        """Build a model to be trained: fresh small towers, or pretrained ones.

        Raises
        ------
        ConfigError
            The vocabulary (None: the packaged one) has no words for a class.
        ModelError
            Pretrained towers cannot be read, or do not fit.
        """
        grammar = Grammar(classes, vocabulary or Vocabulary.packaged())
        towers, tokenizer = build_towers(config, rig, grammar)
        return cls(towers, tokenizer, grammar, rig, config.fusion, config.time, config.frames)

    @property
    def classes(self) -> tuple[str, ...]:
        """In the order of every probability that the model gives."""
        return self.grammar.classes

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.logit_scale.device

    def encode_views(self, views: Tensor, seen: Tensor) -> Tensor:
        """(B, T, V, C, H, W) and (B, T, V) -> (B, V, D), unit length: Z_i = f(V_i), one encoder for all views.

        The frames of each view are summed up in one embedding; it is zero where the view is not :meth:`present`.
        """
        if self.time_name == "rank_pooling":
            views, seen = dynamic_images(views, seen)  # T = 1
        B, _, V = seen.shape
        frames = self._encode_frames(views, seen).transpose(1, 2).flatten(0, 1)  # (B V, T, D)
        Z: Tensor = self.time(frames, seen.transpose(1, 2).flatten(0, 1))  # (B V, D)
        return Z.unflatten(0, (B, V))

    def encode_faces(self, views: Tensor, seen: Tensor) -> Tensor:
        """(B, T, V, C, H, W) and (B, T, V) -> (B, D), unit length: the views of each face, fused."""
        fused: Tensor = self.fusion(self.encode_views(views, seen), self.present(seen))
        return fused

    def present(self, seen: Tensor) -> Tensor:
        """(B, T, V) -> (B, V) bool: the views that are seen in as many frames as an embedding of them takes."""
        return seen.sum(dim=1) >= (FRAMES_THAT_MOVE if self.time_name == "rank_pooling" else 1)

    def _encode_frames(self, views: Tensor, seen: Tensor) -> Tensor:
        """(B, T, V, C, H, W) and (B, T, V) -> (B, T, V, D), unit length, zero where nothing is seen."""
        if seen.all():
            return self.towers.encode_images(views.flatten(0, 2)).unflatten(0, seen.shape)
        Z = self.towers.encode_images(views[seen])  # (views that are seen, D)
        return Z.new_zeros(*seen.shape, Z.shape[1]).masked_scatter(seen[..., None], Z)

    def encode_text(self, prompts: list[str]) -> Tensor:
        """P prompts -> (P, D), unit length."""
        ids, mask = tokenize(self.tokenizer, prompts)
        return self.towers.encode_text(ids.to(self.device), mask.to(self.device))

    def encode_prompts(self, groups: list[list[str]]) -> Tensor:
        """Groups of prompts -> (groups, D), unit length: the mean direction of each group."""
        embeddings = self.encode_text([prompt for group in groups for prompt in group])
        means = [part.mean(dim=0) for part in embeddings.split([len(group) for group in groups])]
        return nn.functional.normalize(torch.stack(means), dim=-1)

    def encode_classes(self) -> Tensor:
        """(classes, D), unit length: each class's prompt ensemble, without any subject's attributes."""
        return self.encode_prompts([self.grammar.ensemble(name) for name in self.classes])

    def logits(self, fused: Tensor, prompts: Tensor) -> Tensor:
        """(B, D) fused views and (P, D) prompts -> (B, P): their cosines, scaled."""
        return self.logit_scale * fused @ prompts.T

    def probabilities(self, fused: Tensor, prompts: Tensor) -> Tensor:
        """(B, D) fused views and (P, D) prompts -> (B, P), each row sums to 1."""
        return self.logits(fused, prompts).softmax(dim=-1)

    def save(self, folder: Path) -> None:
        """Write the model into a folder: safetensors and JSON, the configuration last.

        Low-rank adapters are merged into the weights first: what is written needs no peft to be read.
        """
        self.towers.merge_adapters()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CONFIG).unlink(missing_ok=True)  # a folder without it is not a model
        self.tokenizer.save_pretrained(folder)
        with written_whole(folder / WEIGHTS) as path:
            weights = {name: value.contiguous() for name, value in self.state_dict().items()}
            path.write_bytes(save(weights, metadata=self._identity()))
        description = {
            "format": FORMAT,
            "classes": list(self.classes),
            "vocabulary": self.grammar.vocabulary.model_dump(mode="json"),
            "rig": self.rig.model_dump(mode="json"),
            "rig_fingerprint": self.rig.fingerprint,
            "towers": towers_to_dict(self.towers),
            "fusion": self.fusion_name,
            "time": self.time_name,
            "frames": self.frames,
            "sha256": {name: file_hash(folder / name) for name in HASHED},
        }
        with written_whole(folder / CONFIG) as path:
            path.write_text(json.dumps(description, indent=2, ensure_ascii=False), "utf-8")

    def _identity(self) -> dict[str, str]:
        """What the weights were made for, kept inside their file: no other configuration can be put beside them."""
        # One entry: several would be written in any order, and the same model would not be the same bytes.
        return {"made_for": json.dumps({"classes": self.classes, "rig_fingerprint": self.rig.fingerprint})}

    @classmethod
    def load(cls, folder: Path) -> AffectVLM:
        """Read a model that :meth:`save` wrote, ready for inference.

        Raises
        ------
        ModelError
            The folder holds no model, a damaged one, or parts of several: weights that are not those that were saved,
            or that were made for other classes, another order of them or another rig.
        """
        config = folder / CONFIG
        if not config.is_file():
            raise ModelError(
                f"{folder}: expected a trained model, found no {CONFIG}; train one with `affectvlm demo` "
                "or name its folder with --model"
            )
        try:
            kept = json.loads(config.read_text("utf-8"))
            if kept["format"] != FORMAT:
                raise ModelError(f"{config}: expected format {FORMAT}, found {kept['format']}; train the model again")
            rig = Rig(**kept["rig"])
            towers = towers_from_dict(kept["towers"])
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
            grammar = Grammar(tuple(kept["classes"]), Vocabulary.model_validate(kept["vocabulary"]))
            # A name that is not known is no mean.
            known = ModelConfig(fusion=kept["fusion"], time=kept["time"], frames=kept["frames"])
            model = cls(towers, tokenizer, grammar, rig, known.fusion, known.time, known.frames)
            model.load_state_dict(load((folder / WEIGHTS).read_bytes()))
            with safe_open(folder / WEIGHTS, "pt") as weights:
                made_for = weights.metadata()
            strangers = [name for name in HASHED if file_hash(folder / name) != kept["sha256"].get(name)]
            fingerprint = kept["rig_fingerprint"]
        except (*UNREADABLE, ConfigError) as error:
            raise ModelError(f"{folder}: the model is damaged ({first_line(error)}); train it again") from error
        if rig.fingerprint != fingerprint:
            raise ModelError(
                f"{config}: the rig was changed after training (expected fingerprint {fingerprint}, "
                f"found {rig.fingerprint}); its views would not be those that the model knows"
            )
        if made_for != model._identity():
            raise ModelError(
                f"{config}: expected the classes and the rig that {WEIGHTS} was made for ({made_for}), found "
                f"{model._identity()}: probabilities would go by other names; copy the whole folder again"
            )
        if strangers:
            raise ModelError(
                f"{folder / strangers[0]}: expected the file that was saved with {CONFIG}, found another (its SHA-256 "
                "differs); copy the whole folder again"
            )
        return model.eval()
