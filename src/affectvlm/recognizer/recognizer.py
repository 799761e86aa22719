"""A trained model put to use: scans in, apparent expressions out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from affectvlm.errors import ModelError, ScanError
from affectvlm.model import AffectVLM
from affectvlm.scan import FaceScan, normalize, read_scan
from affectvlm.views import Views, encode, render, to_channels
from affectvlm.views.coverage import seen_views


@dataclass(frozen=True)
class Prediction:
    """The answer for one scan.

    Parameters
    ----------
    path : str
        The file, or the scan's own word for its source.
    label : str, optional
        The most probable expression: an apparent one, not an emotion felt.
    probabilities : dict of class -> float
        All classes in the model's order, sum 1; empty where there is an error.
    error : str, optional
        Why there is no answer.
    """

    path: str
    label: str | None = None
    probabilities: dict[str, float] = field(default_factory=dict)
    error: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Lay the answer out for JSON: path, and either label and probabilities or the error."""
        if self.error is not None:
            return {"path": self.path, "error": self.error}
        return {"path": self.path, "label": self.label, "probabilities": self.probabilities}


class Recognizer:
    """Reads expressions from face scans with a trained model.

    Parameters
    ----------
    model : AffectVLM
        Put into evaluation mode.
    """

    def __init__(self, model: AffectVLM) -> None:
        self.model = model.eval()

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> Recognizer:
        """Read a model's folder, such as the ``model`` of a run.

        Raises
        ------
        ModelError
            The folder holds no model, or a damaged one.
        """
        return cls(AffectVLM.load(Path(folder)))

    @property
    def classes(self) -> tuple[str, ...]:
        """The expressions that the model knows, in the order of its probabilities."""
        return self.model.classes

    def predict(
        self,
        scans: Sequence[FaceScan | str | Path],
        labels: Sequence[str] | None = None,
        on_progress: Callable[[int], None] = lambda done: None,
    ) -> list[Prediction]:
        """Recognise scans one by one; one that cannot be used gets an error and the others are still done.

        Parameters
        ----------
        scans : sequence of FaceScan or path
            In any unit and pose that :func:`affectvlm.scan.normalize` can mend.
        labels : sequence of str, optional
            Classes in one's own words in place of the model's, such as "a person in pain"; see :meth:`describe`.
        on_progress : callable
            Called with the number of scans done so far.

        Returns
        -------
        list of Prediction
            One a scan, in the same order.

        Raises
        ------
        ModelError
            Fewer than two labels, one of them empty, or two the same.
        """
        if labels is not None and (len(labels) < 2 or len(set(labels)) < len(labels)):
            raise ModelError(f"expected two labels or more, all of them different; found {list(labels)}")
        classes = self.classes if labels is None else labels
        prompts = self._class_embeddings if labels is None else self._embedded(labels)
        predictions = []
        for done, scan in enumerate(scans, 1):
            predictions.append(self._predict_one(scan, classes, prompts))
            on_progress(done)
        return predictions

    def _predict_one(self, scan: FaceScan | str | Path, classes: Sequence[str], prompts: Tensor) -> Prediction:
        path = scan.source if isinstance(scan, FaceScan) else str(scan)
        try:
            probabilities = self._probabilities(self.views(scan), prompts)
        except ScanError as error:
            return Prediction(path, error=str(error))
        best = int(probabilities.argmax())
        return Prediction(path, classes[best], dict(zip(classes, probabilities.tolist(), strict=True)))

    def views(self, scan: FaceScan | str | Path) -> Views:
        """Draw the views of a scan that the model looks at.

        Raises
        ------
        ScanError
            The scan cannot be read, or shows no face.
        """
        loaded = scan if isinstance(scan, FaceScan) else read_scan(scan)
        return render(normalize(loaded).face, self.model.rig)

    def predict_proba(self, views: Views) -> np.ndarray:
        """Give every class's probability for one face.

        Returns
        -------
        (classes,) float64, sum 1
        """
        return self._probabilities(views, self._class_embeddings)

    def describe(self, views: Views, descriptions: Sequence[str]) -> np.ndarray:
        """Say how well each description fits a face, among those given: classes in the user's own words.

        Parameters
        ----------
        views : Views
        descriptions : sequence of str
            Such as "a person who looks angry". Words that the model's language lacks are read in pieces, and mean
            little to it.

        Returns
        -------
        (descriptions,) float64, sum 1
        """
        return self._probabilities(views, self._embedded(descriptions))

    @torch.inference_mode()
    def _embedded(self, descriptions: Sequence[str]) -> Tensor:
        """(descriptions, D), unit length: each read as it stands."""
        if not descriptions or not all(text.strip() for text in descriptions):
            raise ModelError("expected at least one description, none of them empty; type what a face might show")
        return self.model.encode_text(list(descriptions))

    @cached_property
    def _class_embeddings(self) -> Tensor:
        """(classes, D): the prompts are encoded once."""
        with torch.inference_mode():
            return self.model.encode_classes()

    @torch.inference_mode()
    def _probabilities(self, views: Views, prompts: Tensor) -> np.ndarray:
        if views.rig != self.model.rig:
            raise ModelError("these views are of another rig than the model's; draw them with Recognizer.views")
        if self.model.time_name == "rank_pooling":
            raise ModelError("this model reads movement (model.time `rank_pooling`); a single scan has none")
        channels = to_channels(encode(views), views.rig)[None, None]  # (1, 1, V, C, H, W)
        pixels, seen = torch.from_numpy(channels), torch.from_numpy(seen_views(channels, views.rig))
        fused = self.model.encode_faces(pixels.to(self.model.device), seen.to(self.model.device))
        # Double precision at the end, so that a row sums to 1 to the last digit that is printed.
        logits = self.model.logits(fused, prompts)[0].double()
        probabilities: np.ndarray = logits.softmax(dim=0).cpu().numpy()
        return probabilities
