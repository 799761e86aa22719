"""A face encoder in 8 bits: a quarter of the size, and how much accuracy that costs.

Weights and activations of the image encoder's convolutions and matrix products become 8-bit integers: weights with a
scale for each output channel, activations with one whose range some samples show (Jacob et al. 2018, arXiv 1712.05877).
What follows the image encoder (projection, time, fusion) is small and stays as it is.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from affectvlm.errors import DataError
from affectvlm.model_files import FACES, WORDS, WORDS_TOKENIZER
from affectvlm.prepared import PreparedSet
from affectvlm.prepared.clips import Clips
from affectvlm.recognizer.encoder import Encoder
from affectvlm.recognizer.export import write_faces
from affectvlm.recognizer.onnx_encoder import OnnxEncoder
from affectvlm.recognizer.onnx_folder import Int8, read_exported

SAMPLES = 128
"""That the ranges are taken from; a quarter of what there is, where that is less."""

FEWEST = 4
"""Samples for each class of the model, on average."""

BATCH = 16

QUANTISED = ["Conv", "MatMul", "Gemm", "Add", "MaxPool"]
"""Kinds of nodes; sums and maxima between two convolutions too, or the numbers would be turned back for each."""


def usable_samples(prepared: PreparedSet, encoder: Encoder) -> Clips:
    """Take a prepared set as samples that can say what 8 bits cost a model.

    Raises
    ------
    DataError
        The set is of another rig than the model's, or has too few samples of the model's classes.
    """
    if prepared.rig.fingerprint != encoder.rig.fingerprint:
        raise DataError(
            f"{prepared.folder}: expected views of the model's rig (fingerprint {encoder.rig.fingerprint}), found "
            f"{prepared.rig.fingerprint}; prepare the scans with the --size and --maps that the model was trained with"
        )
    clips = Clips(prepared, encoder.frames)
    known, needed = int(clips.index["emotion"].isin(encoder.classes).sum()), FEWEST * len(encoder.classes)
    if known < needed:
        raise DataError(
            f"{prepared.folder}: expected at least {needed} samples of the model's classes "
            f"({', '.join(encoder.classes)}) to fit 8 bits to and to measure with, found {known}; take a larger set"
        )
    return clips


def quantize(folder: Path, prepared: PreparedSet) -> Int8:
    """Turn the face encoder of an exported model into 8 bits, and measure what that costs.

    Parameters
    ----------
    folder : Path
        Written by :func:`affectvlm.recognizer.export.export_onnx`; its face encoder is replaced.
    prepared : PreparedSet
        Faces with known expressions that the model was not trained on: some to calibrate, the others to measure.

    Raises
    ------
    ModelError
        The folder holds no exported model.
    DataError
        The set is of another rig, or too small.
    """
    encoder, exported = OnnxEncoder(folder), read_exported(folder)
    clips = usable_samples(prepared, encoder)
    calibration, measured = _split(clips, exported.classes)
    before = _answers(encoder, clips, measured)
    small = _quantized(folder / FACES, clips, calibration)
    with TemporaryDirectory() as place:  # it takes the other's place when it was measured
        for name in (WORDS, WORDS_TOKENIZER):
            shutil.copyfile(folder / name, Path(place) / name)
        write_faces(small, exported, Path(place))
        after = _answers(OnnxEncoder(Path(place)), clips, measured)
    truth = np.array([exported.classes.index(name) for name in clips.index["emotion"].iloc[measured]])
    found = Int8(
        source=prepared.source,
        fingerprint=prepared.fingerprint,
        calibrated_on=len(calibration),
        measured_on=len(measured),
        uar_fp32=_uar(before, truth),
        uar_int8=_uar(after, truth),
        same_answer=float((before == after).mean()),
    )
    write_faces(small, exported.model_copy(update={"int8": found}), folder)
    return found


def _split(clips: Clips, classes: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Choose samples to calibrate with, and leave the others of the model's classes to measure with."""
    known = np.flatnonzero(clips.index["emotion"].isin(classes))
    order = np.random.default_rng(0).permutation(known)
    calibration = order[: min(SAMPLES, len(order) // 4)]
    return calibration, np.setdiff1d(known, calibration)


def _answers(encoder: OnnxEncoder, clips: Clips, samples: np.ndarray) -> np.ndarray:
    """(n,) int: the class that each sample is most like."""
    parts = (samples[start : start + BATCH] for start in range(0, len(samples), BATCH))
    faces = np.concatenate([encoder.encode_faces(*clips.load(part)) for part in parts])
    answers: np.ndarray = (faces @ encoder.class_embeddings.T).argmax(axis=1)
    return answers


def _uar(answers: np.ndarray, truth: np.ndarray) -> float:
    """Unweighted average recall: the mean, over the classes that occur, of the share that is answered rightly."""
    return float(np.mean([(answers[truth == label] == label).mean() for label in np.unique(truth)]))


class _Samples(CalibrationDataReader):
    """Samples one by one, as onnxruntime asks for them."""

    def __init__(self, clips: Clips, samples: np.ndarray) -> None:
        self._rest = iter(samples)
        self._clips = clips

    def get_next(self) -> dict[str, Any] | None:
        """Give the inputs of the next sample; None at the end."""
        if (sample := next(self._rest, None)) is None:
            return None
        views, seen = self._clips.load(np.array([sample]))
        return {"views": views, "seen": seen}


def _quantized(faces: Path, clips: Clips, calibration: np.ndarray) -> onnx.ModelProto:
    graph = onnx.load(faces)
    image_encoder = [node.name for node in graph.graph.node if "vision_model" in node.name]
    with TemporaryDirectory() as place, _quietly():
        quantize_static(
            graph,
            Path(place) / FACES,
            _Samples(clips, calibration),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=QUANTISED,
            nodes_to_quantize=image_encoder,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return onnx.load(Path(place) / FACES)


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep onnxruntime from advising, through the root logger, steps that the exporter has done already."""
    logger = logging.getLogger()
    disabled, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = disabled
