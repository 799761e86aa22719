"""A model's card: what it is, what it is for and what not, what it was trained on, and how well it does.

The text is written from the model's own files and from a record of its training. What no record says is "not measured"
or "not recorded".
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import yaml

from affectvlm.recognizer.model_facts import ModelFacts
from affectvlm.recognizer.training_record import Result, TrainingRecord
from affectvlm.views import Rig

MARK = "<!-- Written by affectvlm. Take this line away, and the card is yours: it will not be written over. -->"

NOT_MEASURED, NOT_RECORDED = "Not measured.", "Not recorded."


def render_card(
    model: ModelFacts, record: TrainingRecord | None = None, source: str | None = "FOLDER OR OWNER/NAME"
) -> str:
    """Write a model's card.

    Parameters
    ----------
    model : ModelFacts
    record : TrainingRecord, optional
        What is not in it, or left out, is said to be not measured.
    source : str, optional
        What the model is opened by; None: it is the one that comes with the package.

    Returns
    -------
    str
        Markdown, after a YAML head for the hub of Hugging Face.
    """
    record = record or TrainingRecord()
    head = yaml.safe_dump(_head(model, record), sort_keys=False, allow_unicode=True)
    parts = [
        f"---\n{head}---\n{MARK}",
        f"# {model.name}",
        _wrapped(_SUMMARY.format(classes=_listed(model.classes), views=_views(model.rig))),
        _USE.format(
            python="" if source is None else f'"{source}"', option="" if source is None else f' --model "{source}"'
        ),
        _PURPOSE,
        _model(model),
        "## Training data\n\n" + _data(record),
        "## How well it does\n\n" + _results(model, record),
        "### By group\n\n" + _groups(record),
        "### Calibration and abstention\n\n" + _calibration(model, record),
        "### What is refused\n\n" + _refusals(record),
        "## Limits\n\n" + _bullets([*_LIMITS, *record.limits]),
        "## How it was trained\n\n" + _training(record),
        "## Licence and citation\n\n" + _LICENCE.format(licence=record.licence),
    ]
    return "\n\n".join(parts) + "\n"


_SUMMARY = """\
Reads the **apparent expression** of a face from a 3D scan: {classes}. It names what a face shows, never what a person
feels; from one scan nobody can know that. A scan is brought upright and drawn as {views}; the drawings are compared
with descriptions in words, in one space of images and language. The method is AffectVLM (Behzad and Zhao 2025,
[arXiv 2504.19739](https://arxiv.org/abs/2504.19739)), in the independent implementation of the Python package
`affectvlm`."""

_USE = """\
## Use

```python
from affectvlm.recognizer import Recognizer

recognizer = Recognizer.from_pretrained({python})
answer = recognizer.predict("scan.obj")
print(answer.label, answer.probabilities)
```

or `affectvlm predict scan.obj{option}`. Everything runs on your own machine; no scan leaves it."""

_PURPOSE = """\
## What it is for

Research on facial expressions in 3D and 4D scans of people who have **consented** to being scanned and to this use:
comparing methods, describing data sets, checking generated or animated faces, teaching.

## What it must not be used for

- **Hiring, promotion, dismissal or watching people at work.**
- **School and education**: grading, admission, attention.
- **Policing, border control, insurance, credit, or any other decision about a person.**
- **Diagnosis or treatment** of any illness or condition. It is no medical device.
- **Lie detection**, or any claim about what somebody thinks, intends or feels.
- **People who have not consented**, or whole groups of them.

In the European Union, Article 5(1)(f) of Regulation (EU) 2024/1689 (the AI Act) prohibits systems that infer emotions
of a natural person in the areas of workplace and education institutions, except for medical or safety reasons. Annex
III, point 1(c), lists emotion recognition systems as high-risk. Under Article 50(3), whoever deploys one must inform
the people who are exposed to it. Other countries have laws of their own. Whoever uses this model answers for that use;
this card is no legal advice."""

_LIMITS = (
    "An expression is not an emotion. People smile without joy and are sad without a sign of it, and how expressions "
    "are used differs from person to person and from culture to culture.",
    "It knows nothing but its classes: other expressions, speech, and mixtures of several are called by the nearest of "
    "them, unless the answer is withheld.",
    "Posed and generated expressions are stronger and purer than spontaneous ones. Where the results above name no "
    "spontaneous ones, nothing is known of them.",
    "Scans with large holes, with hands or hair over the face, or turned far away from the camera may be refused, or "
    "read wrongly.",
    "Nothing is known of children, of very old people, and of people with facial palsy, scars or surgery, unless a "
    "result above says otherwise.",
)

_LICENCE = """\
The weights' licence is `{licence}`; the package is Apache-2.0. Licences of the training data may bind a model further,
and some forbid passing it on.

```bibtex
@article{{behzad2025affectvlm,
  title   = {{Contrastive Language-Image Learning with Augmented Textual Prompts for 3D/4D FER Using
             Vision-Language Model}},
  author  = {{Behzad, Muzammil and Zhao, Guoying}},
  journal = {{arXiv preprint arXiv:2504.19739}},
  year    = {{2025}}
}}
```"""


def _head(model: ModelFacts, record: TrainingRecord) -> dict[str, Any]:
    """Build the YAML that the hub reads: results stand in it as a model index."""
    head: dict[str, Any] = {
        "license": record.licence,
        "library_name": "affectvlm",
        "pipeline_tag": "image-classification",
        "tags": ["facial-expression-recognition", "3d-face", "face-scan", "vision-language", "affectvlm"],
    }
    results = [result for result in record.results if _metrics(result)]
    if results:
        head["metrics"] = ["recall"]
        head["model-index"] = [{"name": model.name, "results": [_indexed(result) for result in results]}]
    return head


def _indexed(result: Result) -> dict[str, Any]:
    return {
        "task": {"type": "image-classification", "name": "3D facial expression recognition"},
        "dataset": {"type": "face-scans", "name": f"{result.source} ({result.condition} held out)"},
        "metrics": [{"type": "recall", "name": name, "value": value} for name, value in _metrics(result).items()],
    }


def _metrics(result: Result) -> dict[str, float]:
    values = {
        "UAR, all classes": result.uar_all,
        "UAR, six emotions": result.uar_six,
        "UAR, six emotions at intensities 3 and 4": result.uar_six_high,
    }
    return {name: value for name, value in values.items() if value is not None}


def _model(model: ModelFacts) -> str:
    seen_by_skin = "texture" in model.rig.maps
    rows = [
        ("classes", ", ".join(model.classes)),
        ("looks at", _views(model.rig)),
        (
            "maps",
            f"{_listed(model.rig.maps)}: "
            + (
                "colours of the skin, make-up and light play a part too"
                if seen_by_skin
                else "geometry only; texture and skin tone play no part"
            ),
        ),
        (
            "sequences",
            f"{model.frames} frames, as one by `{model.time}`" if model.frames else "made for single scans",
        ),
        (
            "abstains",
            f"below a probability of {_percent(model.unsure_below)}" if model.unsure_below > 0 else "never",
        ),
        ("parameters", "not recorded" if model.parameters is None else f"{model.parameters:,}"),
        *[(f"`{name}`", f"{size / 1e6:.1f} MB") for name, size in model.files.items()],
    ]
    return "## The model\n\n" + _table(("", ""), rows)


def _data(record: TrainingRecord) -> str:
    if not record.data:
        return NOT_RECORDED
    return _table(
        ("source", "licence", "people", "scans", "sensors", "seeds", "how"),
        [
            (
                source.name,
                source.licence,
                f"{source.people:,}",
                f"{source.scans:,}",
                ", ".join(source.sensors) or "-",
                ", ".join(map(str, source.seeds)) or "-",
                source.note or "-",
            )
            for source in record.data
        ],
    )


def _results(model: ModelFacts, record: TrainingRecord) -> str:
    if not record.results:
        return NOT_MEASURED
    chance = f"guessing among all {len(model.classes)} classes gives {_percent(1 / len(model.classes))}"
    rows = [
        (
            result.source,
            result.condition,
            f"{result.scans:,} of {result.subjects:,}",
            _measured(result.uar_all),
            _measured(result.uar_six),
            _measured(result.uar_six_high),
            "-" if result.interval is None else f"{_number(result.interval[0])} to {_number(result.interval[1])}",
        )
        for result in record.results
    ]
    parts = [
        _wrapped(
            "In percent. UAR is the unweighted average recall: the mean, over the classes, of the share of a class's "
            f"scans that are called by its name; {chance}. None of these people, and nothing of what was held out, "
            "was in the training. The interval is 95 %, over people, of the last UAR given before it. An answer that "
            "is withheld counts as its most probable class."
        ),
        _table(
            (
                "faces",
                "held out",
                "scans of people",
                "UAR, all",
                "UAR, six emotions",
                "at intensity 3 and 4",
                "interval",
            ),
            rows,
        ),
    ]
    recalled = [result for result in record.results if result.recall]
    if recalled:
        parts += [
            "Recall of each class:",
            _table(
                ("faces", "held out", *model.classes),
                [
                    (result.source, result.condition, *[_measured(result.recall.get(name)) for name in model.classes])
                    for result in recalled
                ],
            ),
        ]
    return "\n\n".join(parts)


def _groups(record: TrainingRecord) -> str:
    return _table(
        ("people", "scans of people", "UAR, all"),
        [(part.group, f"{part.scans:,} of {part.subjects:,}", _number(part.uar_all)) for part in record.groups],
    )


def _calibration(model: ModelFacts, record: TrainingRecord) -> str:
    rule = (
        f"An answer whose highest probability is below {_percent(model.unsure_below)} is withheld: `unsure`."
        if model.unsure_below > 0
        else "No answer is withheld."
    )
    rows = [
        (part.source, f"{100 * part.ece:.1f}", _number(part.unsure), _number(part.accuracy))
        for part in record.calibration
    ]
    return f"{rule}\n\n" + _table(("faces", "calibration error", "unsure", "right, of the others"), rows)


def _refusals(record: TrainingRecord) -> str:
    return _table(
        ("shown", "how many", "refused"),
        [
            (
                part.shown,
                f"{part.count:,}",
                f"{part.refused:,}" + (f" ({_percent(part.refused / part.count)})" if part.count else ""),
            )
            for part in record.refusals
        ],
    )


def _training(record: TrainingRecord) -> str:
    rows = [
        ("made by", None if record.command is None else f"`{record.command}`"),
        ("took", None if record.seconds is None else _duration(record.seconds)),
        ("machine", record.machine),
        ("versions", ", ".join(f"{name} {number}" for name, number in record.versions.items()) or None),
    ]
    text = _table(("", ""), [(name, value) for name, value in rows if value is not None]) or ""
    if not any(value for _, value in rows):
        text = NOT_RECORDED
    if record.settings:
        settings = yaml.safe_dump(record.settings, sort_keys=False, allow_unicode=True, default_flow_style=None)
        text += f"\n\nSettings:\n\n```yaml\n{settings}```"
    return text


def _views(rig: Rig) -> str:
    angles = ", ".join(f"{name} {yaw:+g}°" if yaw else f"{name} 0°" for name, yaw in rig.yaw_deg.items())
    return f"{len(rig.names)} views ({angles}) of {rig.size_px} x {rig.size_px} pixels"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay out a table in Markdown; without rows, say that nothing was measured."""
    lines = ["| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows]
    if not lines:
        return NOT_MEASURED
    return "\n".join(["| " + " | ".join(head) + " |", "|---" * len(head) + "|", *lines])


def _bullets(sentences: Iterable[str]) -> str:
    return "\n".join(_wrapped(f"- {sentence}", indent="  ") for sentence in sentences)


def _wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(text, 120, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _listed(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else words[0]


def _number(share: float) -> str:
    return f"{100 * share:.1f}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _measured(share: float | None) -> str:
    return "-" if share is None else _number(share)


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes else f"{seconds:.0f} s"
