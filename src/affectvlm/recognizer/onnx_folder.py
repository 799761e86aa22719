"""An exported model on disk: its files, and how they are kept from being mixed up.

Layout of the folder, which may be that of the model itself::

    onnx.json    classes and their embeddings, rig, all else that an answer takes, SHA-256 of the others; written last
    faces.onnx   views -> faces, and each view's share in them; its metadata holds the classes and the rig's fingerprint
    words.onnx   ids and mask -> words
    words.json   the tokenizer, as the library tokenizers reads it: cuts and pads by itself
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from affectvlm.errors import ModelError, in_one_line
from affectvlm.files import file_hash
from affectvlm.language import Vocabulary
from affectvlm.model_files import CONFIG, EXPORTED, HASHED_EXPORT
from affectvlm.views import Rig


class Int8(BaseModel):
    """What the accuracy of a face encoder in 8 bits was measured to be."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    """The prepared set's word for where its scans come from."""
    fingerprint: str
    """Of the prepared set."""
    calibrated_on: int
    """Samples that the ranges of the numbers were taken from."""
    measured_on: int
    """All others of the model's classes: both encoders answered them."""
    uar_fp32: float
    """Unweighted average recall before, 0 to 1."""
    uar_int8: float
    """And after."""
    same_answer: float
    """Share of the samples that both give the same label."""


class Exported(BaseModel):
    """What ``onnx.json`` holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[2] = 2
    classes: tuple[str, ...]
    class_prompts: tuple[str, ...]
    class_embeddings: tuple[tuple[float, ...], ...]
    """(classes, D), unit length."""
    logit_scale: float
    unsure_below: float
    typical_rest: tuple[float, ...]
    """(D,)."""
    time: str
    frames: int | None
    rig: Rig
    rig_fingerprint: str
    sha256: dict[str, str]
    """File name -> hash; of the model's own description too, if the export lies beside it: a model that is trained anew
    leaves the old export."""
    int8: Int8 | None = Field(None)
    vocabulary: Vocabulary
    """The model's words."""

    @property
    def identity(self) -> dict[str, str]:
        """What the face encoder was made for, kept inside its file: no other description can be put beside it."""
        return {"classes": json.dumps(self.classes), "rig_fingerprint": self.rig_fingerprint}


def read_exported(folder: Path) -> Exported:
    """Read the description of an exported model, and make sure that its files are those that were exported.

    Raises
    ------
    ModelError
        The folder holds no exported model, a damaged one, or parts of several.
    """
    file = folder / EXPORTED
    if not file.is_file():
        raise ModelError(
            f"{folder}: expected a model for the ONNX backend, found no {EXPORTED}; make it with "
            f"`affectvlm export onnx {folder} --out FOLDER` and name that folder, or take the backend torch"
        )
    try:
        exported = Exported.model_validate_json(file.read_text("utf-8"))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ModelError(f"{file}: damaged, {place} {in_one_line(first['msg'])}; export the model again") from error
    except (OSError, ValueError) as error:
        raise ModelError(f"{file}: damaged, {in_one_line(str(error))}; export the model again") from error
    if exported.rig.fingerprint != exported.rig_fingerprint:
        raise ModelError(
            f"{file}: the rig was changed after the export (expected fingerprint {exported.rig_fingerprint}, found "
            f"{exported.rig.fingerprint}); its views would not be those that the model knows"
        )
    if not len(exported.classes) == len(exported.class_prompts) == len(exported.class_embeddings):
        raise ModelError(
            f"{file}: expected a prompt and an embedding for each of {len(exported.classes)} classes, found "
            f"{len(exported.class_prompts)} and {len(exported.class_embeddings)}; export the model again"
        )
    for name in (*HASHED_EXPORT, CONFIG):
        if name != CONFIG or (folder / CONFIG).exists():
            _refuse_stranger(folder / name, exported.sha256.get(name))
    return exported


def _refuse_stranger(file: Path, digest: str | None) -> None:
    if not file.is_file():
        raise ModelError(f"{file}: not found; {EXPORTED} counts on it; copy the whole folder again")
    if file_hash(file) != digest:
        mend = "export the model again" if file.name == CONFIG else "copy the whole folder again, or export it again"
        raise ModelError(
            f"{file}: expected the file that {EXPORTED} was written with, found another (SHA-256 differs); {mend}"
        )
