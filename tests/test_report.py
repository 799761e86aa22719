"""The report: the run's own numbers, one file that loads nothing, and nothing that a name can inject."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from affectvlm.emotions import EMOTIONS
from affectvlm.errors import DataError
from affectvlm.evaluation.folds import Split
from affectvlm.evaluation.metrics import measure, subject_interval
from affectvlm.evaluation.report import write_report
from affectvlm.evaluation.summary import summarise

HOSTILE = "<script>alert(1)</script>"
N_FOLDS, N_EPOCHS = 3, 6
CHOSEN = {0: 4, 1: 6, 2: 5}
ENVIRONMENT = {
    "versions": {"affectvlm": "0.1.0", "torch": "2.9.1"},
    "git_revision": None,
    "seed": 11,
    "rig_fingerprint": "0123456789abcdef",
    "python": "3.11.9",
    "platform": "Linux",
    "cores": 2,
    "stages_s": {"faces and views": 12.3, "cross-validation": 200.1, HOSTILE: 3600.0},
    "peak_memory_mib": 812.4,
    "started": "2026-11-02T10:00:00+00:00",
    "total_s": 3812.4,
}


def make_predictions(split: Split, seed: int = 0) -> pd.DataFrame:
    """A plausible table: every subject shows six expressions at two intensities, strong ones clearer."""
    rng = np.random.default_rng(seed)
    rows = []
    for fold in split.folds:
        for subject in fold.test:
            for true, emotion in enumerate(EMOTIONS):
                for intensity in (1, 2):
                    evidence = rng.normal(size=len(EMOTIONS))
                    evidence[true] += 1 + intensity
                    p = np.exp(evidence) / np.exp(evidence).sum()
                    rows.append(
                        {
                            "key": f"{subject}/{emotion}/{intensity}",
                            "fold": fold.index,
                            "subject": subject,
                            "emotion": emotion,
                            "intensity": intensity,
                            "predicted": EMOTIONS[p.argmax()],
                            **{f"p_{name}": value for name, value in zip(EMOTIONS, p, strict=True)},
                        }
                    )
    return pd.DataFrame(rows).astype({"intensity": "Int64"})


def make_history(fold: int) -> pd.DataFrame:
    rng = np.random.default_rng(fold)
    epochs = np.arange(1, N_EPOCHS + 1)
    noise = rng.normal(0, 0.02, (4, N_EPOCHS))
    return pd.DataFrame(
        {
            "epoch": epochs,
            "loss": 1.4 * np.exp(-epochs / 4) + 0.2 + noise[0],
            "contrastive": 0.8 * np.exp(-epochs / 4) + 0.1 + noise[1],
            "triplet": 0.6 * np.exp(-epochs / 4) + 0.1 + noise[2],
            "margin": 0.2 + 0.3 * (1 - np.exp(-epochs / 5)),
            "validation_uar": 0.85 - 0.6 * np.exp(-epochs / 3) + noise[3],
            "seconds": 9.0,
            "learning_rate": 1e-3,
        }
    )


@pytest.fixture
def run(tmp_path: Path) -> Path:
    split = Split.draw([*(f"F{i:04d}" for i in range(11)), HOSTILE], N_FOLDS, seed=11)
    predictions = make_predictions(split)
    split.save(tmp_path / "folds.json")
    for fold in split.folds:
        folder = tmp_path / "folds" / f"{fold.index:02d}"
        folder.mkdir(parents=True)
        make_history(fold.index).to_csv(folder / "history.csv", index=False)
    predictions.to_parquet(tmp_path / "predictions.parquet")
    metrics = summarise(predictions, EMOTIONS, CHOSEN, "synthetic: embedded face", seed=11)
    (tmp_path / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    (tmp_path / "environment.json").write_text(json.dumps(ENVIRONMENT), encoding="utf-8")
    (tmp_path / "config.yaml").write_text(f"data:\n  root: '{HOSTILE}'\nepochs: 6\n", encoding="utf-8")
    Image.new("RGB", (30, 20), (200, 100, 50)).save(tmp_path / "views.png")
    return tmp_path


class _Page(HTMLParser):
    """Collect tables by id as lists of rows of text, every attribute, every tag and the running text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.attributes: list[tuple[str, str, str]] = []
        self.tags: list[str] = []
        self.text = ""
        self._rows: list[list[str]] = []
        self._in_cell = False
        self.feed(html)
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag == "table":
            self._rows = self.tables.setdefault(dict(attrs)["id"], [])
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("th", "td"):
            self._rows[-1].append("")
            self._in_cell = True
        elif tag == "small" and self._in_cell:
            self._rows[-1][-1] += " | "

    def handle_endtag(self, tag):
        if tag in ("th", "td"):
            self._in_cell = False

    def handle_data(self, data):
        self.text += data
        if self._in_cell:
            self._rows[-1][-1] += data


@pytest.fixture
def page(run: Path) -> _Page:
    return _Page(write_report(run).read_text(encoding="utf-8"))


@pytest.fixture
def metrics(run: Path) -> dict:
    return json.loads((run / "metrics.json").read_text(encoding="utf-8"))


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def test_the_summary_is_of_the_predictions(run: Path, metrics: dict):
    frame = pd.read_parquet(run / "predictions.parquet")
    true, predicted, subjects = (frame[c].tolist() for c in ("emotion", "predicted", "subject"))
    whole = measure(true, predicted, EMOTIONS)
    assert metrics["source"] == "synthetic: embedded face"
    assert metrics["classes"] == list(EMOTIONS)
    assert metrics["pooled"] == {
        **whole.to_dict(),
        "uar_interval": list(subject_interval(true, predicted, subjects, "uar", seed=11)),
        "accuracy_interval": list(subject_interval(true, predicted, subjects, "accuracy", seed=11)),
    }
    assert [fold["chosen_epoch"] for fold in metrics["folds"]] == [4, 6, 5]
    assert [fold["count"] for fold in metrics["folds"]] == [4 * 12] * 3
    for fold in metrics["folds"]:
        rows = frame[frame["fold"] == fold["fold"]]
        assert fold["uar"] == measure(rows["emotion"].tolist(), rows["predicted"].tolist(), EMOTIONS).uar
    uar = [fold["uar"] for fold in metrics["folds"]]
    assert metrics["mean"]["uar"] == pytest.approx(np.mean(uar))
    assert metrics["deviation"]["uar"] == pytest.approx(np.std(uar, ddof=1))
    assert list(metrics["by_intensity"]) == ["1", "2"]
    halves = sum(np.array(part["confusion"]) for part in metrics["by_intensity"].values())
    np.testing.assert_array_equal(halves, whole.confusion)


def test_scans_without_an_intensity_are_in_the_whole_only(run: Path):
    frame = pd.read_parquet(run / "predictions.parquet")
    frame["intensity"] = pd.array([pd.NA] * len(frame), "Int64")
    summary = summarise(frame, EMOTIONS, CHOSEN, "recorded", seed=0)
    assert summary["by_intensity"] == {}
    assert summary["pooled"]["count"] == len(frame)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda frame: frame.drop(columns="subject"), "lack the columns subject"),
        (lambda frame: pd.concat([frame, frame[:1]]), "was predicted more than once"),
        (lambda frame: frame.assign(fold=9), "no chosen epoch is stated for fold 9"),
        (lambda frame: frame[:0], "no predictions"),
    ],
)
def test_predictions_that_cannot_be_summarised_are_refused(run: Path, spoil, message):
    with pytest.raises(DataError, match=message):
        summarise(spoil(pd.read_parquet(run / "predictions.parquet")), EMOTIONS, CHOSEN, "recorded", seed=0)


def test_the_main_numbers_are_those_of_the_run(page: _Page, metrics: dict):
    pooled = metrics["pooled"]
    low, high = (_percent(x) for x in pooled["uar_interval"])
    assert (
        f"names the expression on 144 scans of 12 subjects with an unweighted average recall of"
        f" {_percent(pooled['uar'])} % (95 % interval {low} to {high} %);"
        " guessing among the 6 classes gives 16.7 %."
    ) in page.text
    assert f"Accuracy{_percent(pooled['accuracy'])} %" in page.text
    assert f"Macro F1{_percent(pooled['macro_f1'])} %" in page.text


def test_the_table_of_folds_is_that_of_the_run(page: _Page, metrics: dict):
    head, *rows, foot = page.tables["folds"]
    assert head == [
        "fold",
        "test subjects",
        "test scans",
        "chosen epoch",
        "accuracy %",
        "UAR %",
        "macro F1 %",
    ]
    assert rows == [
        [str(f["fold"]), "4", str(f["count"]), str(f["chosen_epoch"])]
        + [_percent(f[name]) for name in ("accuracy", "uar", "macro_f1")]
        for f in metrics["folds"]
    ]
    assert foot[1:] == [
        f"{_percent(metrics['mean'][name])} ± {_percent(metrics['deviation'][name])}"
        for name in ("accuracy", "uar", "macro_f1")
    ]


def test_the_confusion_has_row_percentages_and_counts(page: _Page, metrics: dict):
    head, *rows = page.tables["confusion"]
    assert head == ["", *EMOTIONS]
    confusion = np.array(metrics["pooled"]["confusion"])
    for name, row, counts in zip(EMOTIONS, rows, confusion, strict=True):
        assert row == [name] + [f"{_percent(count / counts.sum())} | {count}" for count in counts]


def test_recall_and_intensity_are_those_of_the_run(page: _Page, metrics: dict):
    assert page.tables["recall"][1:] == [
        [name, "24", _percent(metrics["pooled"]["recall"][name]), ""] for name in EMOTIONS
    ]
    assert page.tables["intensity"][1:] == [
        [key, "72", _percent(part["accuracy"]), _percent(part["macro_f1"]), _percent(part["uar"]), ""]
        for key, part in metrics["by_intensity"].items()
    ]


def test_the_surest_mistakes_come_first(page: _Page, run: Path):
    frame = pd.read_parquet(run / "predictions.parquet")
    wrong = frame[frame["emotion"] != frame["predicted"]]
    sureness = wrong[[f"p_{name}" for name in EMOTIONS]].max(axis=1)
    rows = page.tables["mistakes"][1:]
    assert [row[4] for row in rows] == [_percent(p) for p in sorted(sureness, reverse=True)[:8]]
    assert rows[0][0] == wrong.loc[sureness.idxmax(), "key"]


def test_time_and_surroundings_are_stated(page: _Page):
    assert page.tables["stages"][1:] == [
        ["faces and views", "12.3 s", "0.3", ""],
        ["cross-validation", "3 min 20 s", "5.2", ""],
        [HOSTILE, "1 h 00 min", "94.4", ""],
        ["total", "1 h 03 min", "", ""],
    ]
    for words in ("0123456789abcdef", "torch 2.9.1", "not known", "peak memory, MiB812", "2026-11-02"):
        assert words in page.text
    assert "apparent expression, what a face shows; it is not the emotion felt" in page.text
    assert "test subjects (4) were seen neither by training (7 subjects) nor by the choice of the epoch" in page.text


def test_the_report_loads_nothing(run: Path, page: _Page):
    assert "http" not in write_report(run).read_text(encoding="utf-8")
    assert not {"script", "link", "iframe", "object", "embed", "base"} & set(page.tags)
    pointers = [(tag, value) for tag, name, value in page.attributes if name in ("src", "href", "xlink:href")]
    assert [tag for tag, _ in pointers if tag == "img"] == ["img"]
    for tag, value in pointers:
        assert value.startswith("data:image/png;base64," if tag == "img" else "#")
    assert "@import" not in page.text
    assert not re.search(r"url\((?!#)", page.text + "".join(value for _, _, value in page.attributes))


def test_names_cannot_inject_anything(run: Path, page: _Page):
    html = write_report(run).read_text(encoding="utf-8")
    assert HOSTILE not in html
    # They are shown as they are: in the split, among the stages, in the configuration.
    assert any(HOSTILE in cell for row in page.tables["split"] for cell in row)
    assert f"root: '{HOSTILE}'" in page.text


def test_every_curve_is_drawn_in_the_pages_colours(run: Path, page: _Page):
    html = write_report(run).read_text(encoding="utf-8")
    assert page.tags.count("svg") == 4
    assert html.count("var(--accent)") > 4 * (N_FOLDS + 1)
    assert "#0a0b0" not in html


def test_terms_that_an_objective_lacks_are_left_out(run: Path):
    for path in (run / "folds").glob("*/history.csv"):
        history = pd.read_csv(path).drop(columns=["contrastive", "triplet"]).assign(margin=np.nan)
        history.to_csv(path, index=False)
    assert _Page(write_report(run).read_text(encoding="utf-8")).tags.count("svg") == 2


def test_predictions_without_probabilities_are_refused(run: Path):
    path = run / "predictions.parquet"
    pd.read_parquet(path).drop(columns="p_fear").to_parquet(path)
    with pytest.raises(DataError, match="lacks the columns p_fear"):
        write_report(run)


def test_folds_that_stopped_at_different_epochs_can_be_drawn(run: Path):
    path = run / "folds" / "00" / "history.csv"
    pd.read_csv(path)[:4].to_csv(path, index=False)
    assert write_report(run).is_file()


def test_only_generated_scans_carry_the_badge(run: Path, page: _Page, metrics: dict):
    assert "SYNTHETIC" in page.text
    assert "no person was scanned" in page.text
    (run / "metrics.json").write_text(json.dumps({**metrics, "source": "BU-3DFE, Subset I"}), encoding="utf-8")
    recorded = _Page(write_report(run).read_text(encoding="utf-8")).text
    assert "SYNTHETIC" not in recorded
    assert "Synthetic" not in recorded
    assert "Scans: BU-3DFE, Subset I." in recorded


def test_the_same_run_gives_the_same_report(run: Path):
    assert write_report(run).read_bytes() == write_report(run).read_bytes()
    assert not list(run.glob(".*"))


@pytest.mark.parametrize(
    "name",
    [
        "config.yaml",
        "folds.json",
        "folds/01/history.csv",
        "predictions.parquet",
        "metrics.json",
        "environment.json",
        "views.png",
    ],
)
def test_a_missing_file_is_named(run: Path, name: str):
    (run / name).unlink()
    with pytest.raises(DataError, match="missing, and the report needs it; `affectvlm evaluate` writes it") as caught:
        write_report(run)
    assert str(run / name) in str(caught.value)
    assert not (run / "report.html").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("metrics.json", "{", "not JSON"),
        ("metrics.json", "{}", "lacks source, classes"),
        ("environment.json", '{"versions": {}}', "lacks git_revision, seed"),
        ("folds/02/history.csv", "epoch,loss\n1,2\n", "lacks the columns validation_uar"),
        ("folds/02/history.csv", "", "not a table"),
        ("predictions.parquet", "nothing", "not a Parquet table"),
        ("folds.json", "[]", "not a split manifest"),
    ],
)
def test_a_damaged_file_is_named(run: Path, name: str, content: str, message: str):
    (run / name).write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=message) as caught:
        write_report(run)
    assert str(run / name) in str(caught.value)
