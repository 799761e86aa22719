"""The card of a model: it says what it must, and no number that nobody measured."""

import json
import re
from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard

from affectvlm.emotions import EMOTIONS
from affectvlm.errors import ModelError
from affectvlm.recognizer.model_card import MARK, NOT_MEASURED, NOT_RECORDED, render_card
from affectvlm.recognizer.model_facts import ModelFacts
from affectvlm.recognizer.training_record import (
    Calibration,
    DataSource,
    GroupResult,
    Refusal,
    Result,
    TrainingRecord,
)
from affectvlm.views import Rig

FACTS = ModelFacts("small", EMOTIONS, Rig(size_px=96), "mean", None, 0.45, 2_811_392, {"model.safetensors": 11_300_000})

RECORD = TrainingRecord(
    command="make model",
    data=(
        DataSource(
            name="first faces", licence="CC0", people=1234, scans=30_850, sensors=("clean", "phone"), seeds=(17, 18)
        ),
        DataSource(name="second | faces", licence="MIT", people=5, scans=125, note="captured"),
    ),
    settings={"epochs": 13, "seed": 41, "model": {"image_widths": [32, 64]}},
    seconds=2 * 3600 + 5 * 60 + 20,
    machine="two cores",
    versions={"torch": "2.9.1", "affectvlm": "0.3.0"},
    results=(
        Result(
            source="third faces",
            condition="the face model",
            subjects=50,
            scans=1250,
            uar_all=0.701,
            uar_six=0.722,
            uar_six_high=0.813,
            interval=(0.792, 0.834),
            recall={"anger": 0.511, "fear": 0.622},
        ),
        Result(source="one person", condition="subjects", subjects=1, scans=3, recall={"anger": 1.0}),
    ),
    groups=(GroupResult(group="sex: female", subjects=24, scans=600, uar_all=0.698),),
    calibration=(Calibration(source="third faces", ece=0.034, unsure=0.121, accuracy=0.777),),
    refusals=(Refusal(shown="non-faces", count=200, refused=197),),
    limits=("Disgust is often taken for anger.",),
)


def section(card: str, heading: str) -> str:
    """The text under a heading, up to the next."""
    return re.search(rf"\n#+ {heading}\n\n(.*?)\n\n#", card + "\n\n#", re.DOTALL)[1]


def rows(text: str) -> list[list[str]]:
    """The cells of a table, without its head."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines]
    assert len({len(row) for row in cells}) == 1
    return [[cell.strip() for cell in row] for row in cells[2:]]


@pytest.mark.parametrize("record", [None, RECORD])
def test_every_card_says_what_the_model_is_for_and_what_not(record):
    card = " ".join(render_card(FACTS, record).split())
    for words in (
        "apparent expression",
        "never what a person feels",
        "Research",
        "consented",
        "Regulation (EU) 2024/1689",
        "Article 5(1)(f)",
        "workplace and education institutions, except for medical or safety reasons",
        "Annex III, point 1(c)",
        "high-risk",
        "Article 50(3)",
        "geometry only; texture and skin tone play no part",
        "arXiv 2504.19739",
    ):
        assert words in card, words
    forbidden = section(render_card(FACTS, record), "What it must not be used for").lower()
    for use in ("hiring", "people at work", "school", "policing", "diagnosis", "lie detection", "not consented"):
        assert use in forbidden, use


def test_the_head_is_what_the_hub_reads():
    bare = ModelCard(render_card(FACTS)).data
    assert (bare.license, bare.library_name, bare.pipeline_tag) == ("apache-2.0", "affectvlm", "image-classification")
    assert "facial-expression-recognition" in bare.tags
    assert (bare.eval_results, bare.metrics) == (None, None)
    measured = ModelCard(render_card(FACTS, RECORD)).data
    assert measured.metrics == ["recall"]
    found = {(result.dataset_name, result.metric_name): result.metric_value for result in measured.eval_results}
    assert found == {
        ("third faces (the face model held out)", "UAR, all classes"): 0.701,
        ("third faces (the face model held out)", "UAR, six emotions"): 0.722,
        ("third faces (the face model held out)", "UAR, six emotions at intensities 3 and 4"): 0.813,
    }


def test_the_card_of_a_model_without_a_record_holds_no_number_but_the_models_own():
    card = render_card(FACTS)
    assert section(card, "Training data") == NOT_RECORDED
    assert section(card, "How it was trained") == NOT_RECORDED
    for heading in ("How well it does", "By group", "What is refused"):
        assert section(card, heading) == NOT_MEASURED
    assert section(card, "Calibration and abstention").splitlines()[-1] == NOT_MEASURED
    known = {"2025", "2504.19739", "2024", "1689", "5", "1", "50", "3", "4", "3D", "4D", "2.0"}  # the law, the paper
    known |= {"3", "0", "30", "96", "45.0", "2,811,392", "11.3"}  # views, yaws, size, threshold, parameters, MB
    assert set(re.findall(r"\d[\d.,]*\d|\d+D?", card)) <= known


def test_what_was_measured_stands_in_its_rows():
    card = render_card(FACTS, RECORD)
    assert rows(section(card, "Training data")) == [
        ["first faces", "CC0", "1,234", "30,850", "clean, phone", "17, 18", "-"],
        [r"second \| faces", "MIT", "5", "125", "-", "-", "captured"],
    ]
    results, recalls = section(card, "How well it does").split("Recall of each class")
    assert rows(results) == [
        ["third faces", "the face model", "1,250 of 50", "70.1", "72.2", "81.3", "79.2 to 83.4"],
        ["one person", "subjects", "3 of 1", "-", "-", "-", "-"],
    ]
    assert "all 6 classes gives 16.7 %" in results
    assert rows(recalls) == [
        ["third faces", "the face model", "51.1", "-", "62.2", "-", "-", "-"],
        ["one person", "subjects", "100.0", "-", "-", "-", "-", "-"],
    ]
    assert rows(section(card, "By group")) == [["sex: female", "600 of 24", "69.8"]]
    assert rows(section(card, "Calibration and abstention")) == [["third faces", "3.4", "12.1", "77.7"]]
    assert rows(section(card, "What is refused")) == [["non-faces", "200", "197 (98.5 %)"]]
    assert "- Disgust is often taken for anger." in section(card, "Limits")
    training = section(card, "How it was trained")
    table, settings = training.split("Settings:")
    assert rows(table) == [
        ["made by", "`make model`"],
        ["took", "2 h 5 min"],
        ["machine", "two cores"],
        ["versions", "torch 2.9.1, affectvlm 0.3.0"],
    ]
    assert yaml.safe_load(settings.replace("```yaml", "").replace("```", "")) == RECORD.settings
    assert NOT_MEASURED not in card
    assert NOT_RECORDED not in card


def test_the_model_s_own_facts_stand_in_the_card():
    table = dict(rows(section(render_card(FACTS), "The model")))
    assert table == {
        "classes": ", ".join(EMOTIONS),
        "looks at": "3 views (front 0°, left +30°, right -30°) of 96 x 96 pixels",
        "maps": "depth and normals: geometry only; texture and skin tone play no part",
        "sequences": "made for single scans",
        "abstains": "below a probability of 45.0 %",
        "parameters": "2,811,392",
        "`model.safetensors`": "11.3 MB",
    }


def test_a_model_that_looks_at_colours_does_not_claim_otherwise():
    rig = Rig(maps=("texture", "depth"))
    card = render_card(ModelFacts("coloured", EMOTIONS, rig, "causal", 8, 0.0, None, {}))
    table = dict(rows(section(card, "The model")))
    assert table["maps"].endswith("colours of the skin, make-up and light play a part too")
    assert (table["sequences"], table["abstains"]) == ("8 frames, as one by `causal`", "never")
    assert table["parameters"] == "not recorded"
    assert "play no part" not in card


def test_the_card_says_how_the_model_is_opened():
    assert 'from_pretrained("me/mine")' in render_card(FACTS, source="me/mine")
    assert '--model "me/mine"`' in render_card(FACTS, source="me/mine")
    assert "from_pretrained()\n" in render_card(FACTS, source=None)
    assert "`affectvlm predict scan.obj`" in render_card(FACTS, source=None)


def test_a_card_says_that_it_was_generated():
    assert MARK in render_card(FACTS).splitlines()


def test_facts_are_those_of_the_model(tiny_model, model_folder):
    facts = ModelFacts.of(model_folder, "tiny")
    assert (facts.name, facts.classes, facts.rig) == ("tiny", EMOTIONS, tiny_model.rig)
    assert (facts.time, facts.frames, facts.unsure_below) == ("mean", None, 0.0)
    assert facts.parameters == sum(parameter.numel() for parameter in tiny_model.parameters())
    assert facts.files == {"model.safetensors": (model_folder / "model.safetensors").stat().st_size}
    assert ModelFacts.of(model_folder).name == model_folder.name


def test_facts_of_an_exported_model_need_no_weights_beside_it(tmp_path):
    rig = Rig(size_px=16)
    kept = {"classes": ["fear", "anger"], "rig": rig.model_dump(mode="json"), "time": "mean", "frames": None}
    (tmp_path / "onnx.json").write_text(json.dumps({**kept, "unsure_below": 0.375}))
    (tmp_path / "faces.onnx").write_bytes(b"123")
    facts = ModelFacts("small", ("fear", "anger"), rig, "mean", None, 0.375, None, {"faces.onnx": 3})
    assert ModelFacts.of(tmp_path, "small") == facts


def test_facts_of_no_model_are_refused_in_one_line(tmp_path):
    with pytest.raises(ModelError, match=r"expected a model, found neither config\.json nor onnx\.json"):
        ModelFacts.of(tmp_path)
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(ModelError, match="the model is damaged") as raised:
        ModelFacts.of(tmp_path)
    assert "\n" not in str(raised.value)


def test_a_record_is_read_as_it_was_written(tmp_path):
    file = tmp_path / "training.json"
    assert TrainingRecord.read(file) is None
    RECORD.write(file)
    assert TrainingRecord.read(file) == RECORD
    assert [path.name for path in tmp_path.iterdir()] == ["training.json"]


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        ("{", "expected a record of a training; all of it: Invalid JSON"),
        ('{"secnds": 3}', "secnds: Extra inputs are not permitted"),
        (
            '{"results": [{"source": "a", "condition": "b", "subjects": 1, "scans": 1, "uar_all": 81.3}]}',
            "less than or",
        ),
        ("\xff", "all of it|cannot read it"),
    ],
)
def test_a_damaged_record_is_one_line(tmp_path, damage, line):
    file: Path = tmp_path / "training.json"
    file.write_bytes(damage.encode("latin-1"))
    with pytest.raises(ModelError, match=line) as raised:
        TrainingRecord.read(file)
    assert str(raised.value).startswith(f"{file}: ")
    assert "\n" not in str(raised.value)


def test_a_record_holds_plain_json(tmp_path):
    RECORD.write(tmp_path / "training.json")
    kept = json.loads((tmp_path / "training.json").read_text("utf-8"))
    assert kept["results"][0]["interval"] == [0.792, 0.834]
    assert kept["settings"] == RECORD.settings
