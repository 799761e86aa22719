"""A trained model put to use: scans in, apparent expressions out."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, overload

import numpy as np

from affectvlm.cores import usable_cores
from affectvlm.errors import ConfigError, ModelError, ScanError
from affectvlm.recognizer.encoder import Encoder
from affectvlm.recognizer.explanation import Explanation, Prompts, explain_views
from affectvlm.recognizer.following import Following
from affectvlm.recognizer.frames import embed_frames, encode_clips, evenly_chosen
from affectvlm.recognizer.own_rest import OwnRest
from affectvlm.recognizer.prediction import Choice, Prediction, Predictions
from affectvlm.recognizer.softmax import softmax
from affectvlm.recognizer.source import find_model_folder
from affectvlm.recognizer.stream import (
    SMOOTHING_S,
    Smoothing,
    StreamAnswer,
    answer_stream,
    every_one_of,
    newest_of,
)
from affectvlm.recognizer.timeline import USUAL_FPS, Timeline, smooth, strengths
from affectvlm.scan import FaceScan, Pose, ScanSequence, normalize, read_scan
from affectvlm.scan.sequence import check_rate
from affectvlm.views import Rig, Views, render

Given = TypeVar("Given")
Seen = TypeVar("Seen")

Backend = Literal["torch", "onnx"]

Face = FaceScan | Views | str | Path
"""One face: a scan, its views, or a file."""

Input = Face | ScanSequence
"""What gets one answer; a folder's path is a sequence."""

WORKERS = min(4, usable_cores())
"""Scans that are brought upright and drawn at a time, one a core: these steps leave Python's lock, and take most of the
time. More than a few wait for what is left under the lock."""

BATCH = 16
"""Faces that are encoded at once."""


class Recognizer:
    """Reads expressions from face scans.

    Parameters
    ----------
    encoder : Encoder
        A model as PyTorch or another runtime runs it.
    folder : Path, optional
        Where it lies: what is recorded there of its training goes along when it is saved.
    """

    def __init__(self, encoder: Encoder, folder: Path | None = None) -> None:
        self.encoder = encoder
        self._folder = folder

    @classmethod
    def from_pretrained(cls, source: str | Path | None = None, backend: Backend | None = None) -> Recognizer:
        """Open a model.

        Parameters
        ----------
        source : str or Path, optional
            A model's folder, such as the ``model`` of a run, or a text that is a hub id: the newest is fetched, or,
            without network, what was fetched before serves. None: the one that comes with the package.
        backend : str, optional
            ``torch``, or ``onnx``: the exported form of the same model (``affectvlm export onnx``), which needs no
            PyTorch. None: ``onnx`` for the model that comes with the package, which has an export, if onnxruntime is
            installed; else ``torch``.

        Raises
        ------
        ModelError
            There is no model, or a damaged one.
        ConfigError
            There is no such backend.
        """
        if backend is not None and backend not in get_args(Backend):
            raise ConfigError(f"expected one of the backends {', '.join(get_args(Backend))}, found {backend!r}")
        folder = find_model_folder(source)
        if backend is None and source is None and find_spec("onnxruntime") is not None:
            backend = "onnx"
        if backend == "onnx":
            from affectvlm.recognizer.onnx_encoder import OnnxEncoder

            return cls(OnnxEncoder(folder), folder)
        from affectvlm.model import AffectVLM
        from affectvlm.recognizer.torch_encoder import TorchEncoder

        return cls(TorchEncoder(AffectVLM.load(folder)), folder)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the model into a folder, in the hub's conventions, with a card.

        Raises
        ------
        ModelError
            The folder holds files of these names that are no model of this kind, or it cannot be written to.
        """
        from affectvlm.recognizer.hub import save_to_folder

        save_to_folder(self.encoder, self._folder, Path(folder).expanduser())

    def push_to_hub(self, repo_id: str, private: bool | None = None, token: str | None = None) -> str:
        """Put the model, with a card, on the hub of Hugging Face, and give its address.

        Parameters
        ----------
        repo_id : str
            ``owner/name``; made if it is not there.
        private : bool, optional
            For a new repository; None: as the owner's account has it by default.
        token : str, optional
            That may write; None: of ``hf auth login``.

        Raises
        ------
        ModelError
            The hub cannot be reached, or refuses.
        """
        from affectvlm.recognizer.hub import push

        return push(self.encoder, self._folder, repo_id, private, token)

    @property
    def classes(self) -> tuple[str, ...]:
        """The expressions that the model knows, in the order of its probabilities."""
        return self.encoder.classes

    @property
    def rig(self) -> Rig:
        """The views that the model looks at."""
        return self.encoder.rig

    @overload
    def predict(  # type: ignore[overload-overlap]  # a path is one input, though a text is a sequence of texts too
        self,
        scans: Input,
        labels: Sequence[str] | None = None,
        on_progress: Callable[[float], None] = ...,
        fps: float | None = ...,
        at_rest: Face | Iterable[Face] | None = ...,
    ) -> Prediction: ...
    @overload
    def predict(
        self,
        scans: Iterable[Input],
        labels: Sequence[str] | None = None,
        on_progress: Callable[[float], None] = ...,
        fps: float | None = ...,
        at_rest: Face | Iterable[Face] | None = ...,
    ) -> Predictions: ...
    def predict(
        self,
        scans: Input | Iterable[Input],
        labels: Sequence[str] | None = None,
        on_progress: Callable[[float], None] = lambda done: None,
        fps: float | None = None,
        at_rest: Face | Iterable[Face] | None = None,
    ) -> Prediction | Predictions:
        """Recognise a scan, a sequence, or several of either; what cannot be used gets an error, the others are done.

        Parameters
        ----------
        scans : FaceScan, Views, path, ScanSequence, or an iterable of them
            Scans in any unit and pose that :func:`affectvlm.scan.normalize` can mend; the path of a folder stands for
            the sequence of the scans in it.
        labels : sequence of str, optional
            Classes in one's own words in place of the model's, such as "a person in pain". The likeliest of them is
            always given; ``unsure`` is an answer among the model's own classes only.
        on_progress : callable
            Called with the number of scans and sequences done so far; a sequence counts in parts.
        fps : float, optional
            Frames a second of the folders among them; a timeline then tells times, not frames alone.
        at_rest : FaceScan, Views, path, or an iterable of them, optional
            One scan or more of the same person with a neutral face. Where all scans are one person's, this makes
            answers better: what the face looks like at rest is no longer taken for an expression.

        Returns
        -------
        Prediction
            Or, for several, Predictions: one each, in the same order.

        Raises
        ------
        ModelError
            Fewer than two labels, one of them empty, or two the same; or the model knows no neutral face, and cannot
            take one into account.
        ScanError
            The rate is no number above 0, or a scan of the face at rest cannot be used.
        """
        if isinstance(scans, Input):
            return self.predict([scans], labels, on_progress, fps, at_rest)[0]
        check_rate(fps)
        choice = self._choice(labels, at_rest)
        predictions = Predictions()
        for part in _batches(scans):
            predictions += self._answers(part, choice, _in_parts(on_progress, len(predictions), 1), fps)
            on_progress(len(predictions))
        return predictions

    def stream(
        self,
        frames: str | Path | ScanSequence | Iterable[Face],
        labels: Sequence[str] | None = None,
        *,
        live: bool = False,
        fps: float | None = None,
        smoothing_s: float = SMOOTHING_S,
        at_rest: Face | Iterable[Face] | None = None,
    ) -> Iterator[StreamAnswer]:
        """Follow a face: a smoothed answer a frame, from this frame and those before it.

        Memory is bounded, however long it lasts: smoothed probabilities are kept, and of a ``causal`` model's last
        frames, as many as it looks at, their views.

        Parameters
        ----------
        frames : iterable of FaceScan, Views or path
            Or the path of a folder of frames, or a ScanSequence.
        labels : sequence of str, optional
            Classes in one's own words in place of the model's, as in :meth:`predict`.
        live : bool
            Whether frames come in their own time, as from a camera. They are then read in a thread of their own, and
            when they come faster than they can be answered the newest is taken and older ones are dropped. A list, or
            files, wait instead: every frame is answered.
        fps : float, optional
            Frames a second. None: a ScanSequence may know; else those of a live source are timed as they come, and
            others are taken to have 25.
        smoothing_s : float
            Time constant of the smoothing, seconds: how long an answer takes to follow the face; 0: none.
        at_rest : FaceScan, Views, path, or an iterable of them, optional
            The person with a neutral face, as in :meth:`predict`.

        Raises
        ------
        ModelError
            The model reads movement (``rank_pooling``), or knows no neutral face to be compared with; or the labels are
            none.
        ScanError
            It is a single scan, a folder without any, the rate is no number above 0, or a scan of the face at rest
            cannot be used.
        """
        check_rate(fps)
        choice = self._choice(labels, at_rest)
        if self.encoder.time == "rank_pooling":
            raise ModelError(
                "this model reads a whole sequence's movement (model.time `rank_pooling`); for streams train one with "
                "model.time `causal` or `mean`"
            )
        last = deque[Views](maxlen=(self.encoder.frames if self.encoder.time == "causal" else None) or 1)

        follow = Following(self._seen)

        def judge(frame: Face) -> np.ndarray:
            last.append(follow(frame))
            judged: np.ndarray = self._probabilities(encode_clips(self.encoder, [last]), choice)[0]
            return judged

        source, known_fps = _frames_of(frames)
        fps = fps or known_fps
        arrivals = newest_of(source) if live else every_one_of(source)
        rate = fps or (None if live else USUAL_FPS)
        return answer_stream(arrivals, judge, lambda p: choice.answer("", p), Smoothing(smoothing_s), rate)

    def predict_proba(
        self,
        scans: Face | Iterable[Face],
        labels: Sequence[str] | None = None,
        at_rest: Face | Iterable[Face] | None = None,
    ) -> np.ndarray:
        """Give every class's probability, whether or not the highest is enough for an answer.

        The arguments are those of :meth:`predict`.

        Returns
        -------
        (n, classes) float64, rows sum to 1; (classes,) for one scan

        Raises
        ------
        ScanError
            A scan cannot be read, or shows no face.
        """
        return self._probabilities(self.embed(scans), self._choice(labels, at_rest))

    def embed(self, scans: Face | Iterable[Face]) -> np.ndarray:
        """Embed faces in the space that they share with words.

        Returns
        -------
        (n, D) float32, unit length; (D,) for one scan

        Raises
        ------
        ScanError
            A scan cannot be read, or shows no face.
        """
        if isinstance(scans, Input):
            return self._embed([self.views(scans)])[0]
        none = np.empty((0, self.encoder.class_embeddings.shape[1]), np.float32)
        return np.concatenate([none, *(self._embed(_in_threads(self.views, part)) for part in _batches(scans))])

    def explain(
        self, scan: Face, label: str | None = None, on_progress: Callable[[float], None] = lambda share: None
    ) -> Explanation:
        """Work out why a scan gets its answer: what speaks for it and against it where, in which view, in which words.

        Parameters
        ----------
        scan : FaceScan, Views or path
        label : str, optional
            The expression to explain, one of the model's; None: the most probable.
        on_progress : callable
            Called with the share that is done.

        Raises
        ------
        ScanError
            The scan cannot be read, or shows no face.
        ModelError
            The model knows no such expression, or reads movement (``rank_pooling``).
        """
        self._refuse_movement()
        return explain_views(self.encoder, self._prompts, self.views(scan), label, on_progress)

    @cached_property
    def _prompts(self) -> Prompts:
        return Prompts(self.encoder)

    def views(self, scan: Input) -> Views:
        """Draw the views of a scan that the model looks at.

        Raises
        ------
        ScanError
            The scan cannot be read, shows no face, or is a sequence.
        ModelError
            Views are of another rig than the model's.
        """
        return self._seen(scan, None)[0]

    def _seen(self, scan: Input, near: Pose | None) -> tuple[Views, Pose | None]:
        """Draw a scan's views, and tell its pose, which may be near to another's; given views have none."""
        if isinstance(scan, Views):
            if scan.rig != self.rig:
                raise ModelError("these views are of another rig than the model's; draw them with Recognizer.views")
            return scan, None
        if isinstance(scan, ScanSequence):
            raise ScanError(
                f"{scan.source}: expected a single scan, found a sequence; ask `predict` for its answer and the course "
                "of it, or give its frames"
            )
        found = normalize(scan if isinstance(scan, FaceScan) else read_scan(scan), near=near)
        return render(found.face, self.rig), found.pose

    def _answers(
        self,
        scans: Sequence[Input],
        choice: Choice,
        on_progress: Callable[[float], None],
        fps: float | None,
    ) -> list[Prediction]:
        """Answer some scans together, and the sequences among them one by one."""
        looked_at = _in_threads(lambda scan: self._look(scan, fps), scans)
        views = [seen for seen in looked_at if isinstance(seen, Views)]
        probabilities = iter(self._probabilities(self._embed(views), choice) if views else ())
        answers: list[Prediction] = []
        for scan, seen in zip(scans, looked_at, strict=True):
            if isinstance(seen, Views):
                answers.append(choice.answer(_name(scan), next(probabilities)))
            elif isinstance(seen, ScanSequence):
                on_frame = _in_parts(on_progress, len(answers), len(seen))
                answers.append(self._answer_sequence(seen, choice, on_frame))
            else:
                answers.append(Prediction(_name(scan), error=str(seen)))
        return answers

    def _answer_sequence(self, sequence: ScanSequence, choice: Choice, on_frame: Callable[[float], None]) -> Prediction:
        """Judge every frame, then the sequence: as a whole if the model looks at sequences, else by its frames."""
        with ThreadPoolExecutor(WORKERS) as pool:
            try:
                kept = embed_frames(self.encoder, sequence.frames, self._seen, pool, on_frame)
            except ScanError as error:
                return Prediction(sequence.source, error=f"{sequence.source}: {error}")
            own = self._probabilities(kept.embeddings, replace(choice, prompts=self.encoder.class_embeddings))
            strength = smooth(strengths(self.encoder, kept.embeddings, own), kept.usable, sequence.fps)
            shares = self._probabilities(kept.embeddings, choice)  # (usable frames, classes)
            answers = [Prediction(_name(frame), error=kept.errors.get(i)) for i, frame in enumerate(sequence.frames)]
            for number, share in zip(kept.usable, shares, strict=True):
                answers[number] = choice.answer(answers[number].path, share)
            timeline = Timeline.of(answers, strength, kept.usable, sequence.fps)
            if self.encoder.frames is None:
                whole = timeline.weights[kept.usable] @ shares
            else:
                chosen = kept.usable[evenly_chosen(len(kept.usable), self.encoder.frames)]
                clip = list(pool.map(self.views, [sequence.frames[number] for number in chosen]))
                whole = self._probabilities(encode_clips(self.encoder, [clip]), choice)[0]
        return replace(choice.answer(sequence.source, whole), timeline=timeline)

    def _look(self, scan: Input, fps: float | None) -> Views | ScanSequence | ScanError:
        """Draw what the model looks at; a sequence waits for its turn, and an error is an answer too."""
        try:
            if isinstance(scan, str | Path) and os.path.isdir(scan):  # False where nobody may look
                return ScanSequence.from_folder(Path(scan), fps)
            return scan if isinstance(scan, ScanSequence) else self.views(scan)
        except ScanError as error:
            return error

    def _choice(self, labels: Sequence[str] | None, at_rest: Face | Iterable[Face] | None = None) -> Choice:
        """Choose among the model's own classes, or among labels, each read as it stands."""
        own_rest = None
        if at_rest is not None:
            own_rest = OwnRest(np.atleast_2d(self.embed(at_rest)), self.encoder.typical_rest)
        if labels is None:
            return Choice(self.classes, self.encoder.class_embeddings, self.encoder.unsure_below, own_rest)
        if len(labels) < 2 or len(set(labels)) < len(labels) or not all(label.strip() for label in labels):
            raise ModelError(f"expected two labels or more, all of them different and none empty; found {list(labels)}")
        return Choice(labels, self.encoder.encode_text(labels), own_rest=own_rest)

    def _embed(self, views: Sequence[Views]) -> np.ndarray:
        """(n, D) float32."""
        self._refuse_movement()
        return encode_clips(self.encoder, [[one] for one in views])

    def _refuse_movement(self) -> None:
        if self.encoder.time == "rank_pooling":
            raise ModelError("this model reads movement (model.time `rank_pooling`); a single scan has none")

    def _probabilities(self, embeddings: np.ndarray, choice: Choice) -> np.ndarray:
        """(..., D) -> (..., classes) float64, sum 1."""
        if choice.own_rest is not None:
            embeddings = choice.own_rest.taken_out(embeddings)
        # Double precision at the end, so that a row sums to 1 to the last digit that is printed.
        cosines = np.einsum("...d,cd->...c", embeddings, choice.prompts, dtype=np.float64)
        return softmax(self.encoder.logit_scale * cosines)


def _batches(scans: Iterable[Input]) -> Iterator[list[Any]]:
    """Give them a few at a time: a generator's scans are not all in memory together."""
    rest = iter(scans)
    while part := list(islice(rest, BATCH)):
        yield part


def _frames_of(frames: str | Path | ScanSequence | Iterable[Face]) -> tuple[Iterable[Face], float | None]:
    """Give frames and, of a sequence, its rate: a folder's path is the sequence in it, a single scan is refused."""
    if isinstance(frames, str | Path) and os.path.isdir(frames):
        frames = ScanSequence.from_folder(Path(frames))
    if isinstance(frames, ScanSequence):
        return frames.frames, frames.fps
    if isinstance(frames, Face):
        raise ScanError(f"{_name(frames)}: expected a folder of frames, or several scans, found one; ask `predict`")
    return frames, None


def _in_parts(on_progress: Callable[[float], None], before: int, parts: int) -> Callable[[float], None]:
    """Give what is to be told how many parts are done of what comes after ``before`` others."""
    return lambda done: on_progress(before + done / parts)


def _in_threads(look: Callable[[Given], Seen], scans: Sequence[Given]) -> list[Seen]:
    """Look at several scans at a time, in their order; for a single one a thread is not worth its start."""
    if len(scans) == 1:
        return [look(scans[0])]
    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(look, scans))


def _name(scan: Input) -> str:
    if isinstance(scan, Views):
        return "views"
    return scan.source if isinstance(scan, FaceScan | ScanSequence) else str(scan)
