"""What is known of a model, for people: a few short rows, read from its files without loading it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from affectvlm.app.face.bars import percent
from affectvlm.model_files import RECORD
from affectvlm.recognizer.model_facts import ModelFacts
from affectvlm.recognizer.training_record import TrainingRecord

NOT_RECORDED = "not recorded"


def summary_of(model: Path, run: Path | None = None) -> dict[str, str]:
    """Say what a model knows, looks at, was trained on and reaches.

    Parameters
    ----------
    model : Path
        A model's folder.
    run : Path, optional
        Folder of the run that it comes from; its settings and numbers serve where the model has no record of its own.

    Returns
    -------
    dict of row -> text
        The same rows for every model, so that two stand side by side.

    Raises
    ------
    ModelError
        It is no model's folder, or its record is damaged.
    """
    facts, record = ModelFacts.of(model), TrainingRecord.read(model / RECORD)
    rig = facts.rig
    views = f"{len(rig.names)} views of {rig.size_px} x {rig.size_px} pixels" if len(rig.names) > 1 else "1 view"
    size = sum(facts.files.values()) / 1e6
    learned = "" if facts.parameters is None else f"{facts.parameters / 1e6:.1f} million learned numbers, "
    return {
        "Knows": ", ".join(facts.classes),
        "Looks at": f"{views} ({', '.join(rig.names)}): {', '.join(name.replace('_', ' ') for name in rig.maps)}",
        "Trained on": _trained_on(record) or _run_s_source(run) or NOT_RECORDED,
        "Reaches": _reached(record) or _run_s_result(run) or "not measured",
        "Says unsure": f"below {percent(facts.unsure_below)}" if facts.unsure_below else "never",
        "Size": f"{learned}{size:.1f} MB",
    }


def _trained_on(record: TrainingRecord | None) -> str | None:
    if record is None or not record.data:
        return None
    people, scans = (sum(getattr(data, what) for data in record.data) for what in ("people", "scans"))
    return f"{people:,} people, {scans:,} scans: {', '.join(data.name for data in record.data)}"


def _reached(record: TrainingRecord | None) -> str | None:
    """Give the range over the sources whose people alone were held out."""
    shares = [r.uar_all for r in record.results if r.uar_all and r.condition == "subjects"] if record else []
    if not shares:
        return None
    return f"{_range(min(shares), max(shares))} unweighted average recall on new people, by source and sensor"


def _range(low: float, high: float) -> str:
    return percent(high) if percent(low) == percent(high) else f"{100 * low:.0f} to {percent(high)}"


def _run_s_source(run: Path | None) -> str | None:
    settings = _mapping(run, "config.yaml")
    if "source" not in settings:
        return None
    count = settings.get("samples")
    return f"{settings['source']}" + (f", {count:,} scans" if isinstance(count, int) else "")


def _run_s_result(run: Path | None) -> str | None:
    pooled = _mapping(run, "metrics.json").get("pooled")
    if not isinstance(pooled, dict) or not isinstance(pooled.get("uar"), float):
        return None
    return f"{percent(pooled['uar'])} unweighted average recall on people of the same source, each left out once"


def _mapping(run: Path | None, name: str) -> dict[str, Any]:
    """Read YAML, of which JSON is a part; nothing where there is no such file, or where it says something else."""
    if run is None:
        return {}
    try:
        text = (run / name).read_text("utf-8")
        content = json.loads(text) if name.endswith(".json") else yaml.safe_load(text)
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return {}
    return content if isinstance(content, dict) else {}
