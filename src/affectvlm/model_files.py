"""The files of a trained model: their names, and how they are kept from being mixed up with others."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from affectvlm.errors import ModelError

CONFIG, WEIGHTS = "config.json", "model.safetensors"
TOKENIZER, TOKENIZER_SETTINGS = "tokenizer.json", "tokenizer_config.json"
"""Of a model as PyTorch runs it; the first describes it and holds the SHA-256 of the others."""

EXPORTED, FACES, WORDS, WORDS_TOKENIZER = "onnx.json", "faces.onnx", "words.onnx", "words.json"
"""Of one that was exported; likewise."""

CARD, RECORD = "README.md", "training.json"
"""What is said of a model, for people and for programs."""

HASHED = (WEIGHTS, TOKENIZER, TOKENIZER_SETTINGS)
HASHED_EXPORT = (FACES, WORDS, WORDS_TOKENIZER)

FORMS = (CONFIG, *HASHED, EXPORTED, *HASHED_EXPORT)
"""Both forms of a model, without what is said of it."""

MODEL_FILES = (*FORMS, RECORD, CARD)
"""What a model's folder holds, and a hub's repository is asked for: never a pickle, never code."""


def refuse_strangers(folder: Path, names: Iterable[str]) -> None:
    """See that nothing but an older model would be written over.

    Raises
    ------
    ModelError
        A file of one of these names is there, and none that describes a model of ours.
    """
    taken = sorted(name for name in names if name != CARD and (folder / name).exists())
    if taken and not _is_model(folder):
        raise ModelError(
            f"{folder}: expected no files but a model's, found {', '.join(taken)} of something else; choose another "
            "folder"
        )


def _is_model(folder: Path) -> bool:
    """Whether a description of ours is there, as a trained model's or an exported one's."""
    for file in (folder / CONFIG, folder / EXPORTED):
        try:
            if "rig_fingerprint" in json.loads(file.read_text("utf-8")):
                return True
        except (OSError, ValueError, TypeError):
            continue
    return False
