"""What is written down of a model's training and of how well it does: ``training.json``, beside the model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from affectvlm.errors import ModelError, in_one_line
from affectvlm.files import written_whole

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DataSource(_Part):
    """Faces that a model was trained on."""

    name: str
    licence: str
    people: Count
    scans: Count
    sensors: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    note: str = ""
    """How they were made or recorded."""


class Result(_Part):
    """How well a model does on faces of one kind, none of which it was trained on; UAR is unweighted average recall.

    Answers that are withheld count as their most probable class.
    """

    source: str
    condition: str
    """What was held out: "subjects", "the face model", "the sensor"."""
    subjects: Count
    scans: Count
    uar_all: Share | None = None
    """Of all classes that occur."""
    uar_six: Share | None = None
    """Of the six emotions, at any intensity."""
    uar_six_high: Share | None = None
    """Of the six emotions at intensities 3 and 4."""
    interval: tuple[Share, Share] | None = None
    """95 %, over subjects: of the last of the three that is given."""
    recall: dict[str, Share] = {}
    """Class -> share of its scans that are called by its name."""


class GroupResult(_Part):
    """How well a model does on people who have something in common."""

    group: str
    """Attribute and value: "sex: female"."""
    subjects: Count
    scans: Count
    uar_all: Share


class Calibration(_Part):
    """Whether probabilities are as good as their word, and what abstaining brings."""

    source: str
    ece: Share
    """Expected calibration error: mean distance of confidence and accuracy."""
    unsure: Share
    """Of the scans that get no label."""
    accuracy: Share
    """Of the scans that get one."""


class Refusal(_Part):
    """How much of what was shown to the recognizer was refused as no usable face."""

    shown: str
    """ "non-faces", "valid scans"."""
    count: Count
    refused: Count


class TrainingRecord(_Part):
    """All that is known; what is left out was not recorded or not measured."""

    command: str | None = None
    """That makes the model again."""
    licence: str = "apache-2.0"
    """Of the weights, as the hub writes it."""
    data: tuple[DataSource, ...] = ()
    settings: dict[str, Any] = {}
    """Of the training, the seed among them: plain numbers, texts, lists and tables."""
    seconds: Annotated[float, Field(ge=0)] | None = None
    machine: str | None = None
    versions: dict[str, str] = {}
    results: tuple[Result, ...] = ()
    groups: tuple[GroupResult, ...] = ()
    calibration: tuple[Calibration, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    limits: tuple[str, ...] = ()
    """Where it is known to fail, in sentences."""

    @classmethod
    def read(cls, file: Path) -> TrainingRecord | None:
        """Read what :meth:`write` wrote; None if there is no file.

        Raises
        ------
        ModelError
            The file is damaged.
        """
        try:
            return cls.model_validate_json(file.read_text("utf-8"))
        except FileNotFoundError:
            return None
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "all of it"
            raise ModelError(
                f"{file}: expected a record of a training; {place}: {in_one_line(first['msg'])}; correct it or take it "
                "away"
            ) from error
        except (OSError, ValueError) as error:
            raise ModelError(f"{file}: cannot read it ({in_one_line(str(error))})") from error

    def write(self, file: Path) -> None:
        """Write it as JSON."""
        with written_whole(file) as path:
            path.write_text(self.model_dump_json(indent=2) + "\n", "utf-8")
