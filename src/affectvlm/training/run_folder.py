"""A run's folder: what its settings are, so that only the same run goes on in it."""

from __future__ import annotations

from pathlib import Path

import yaml

from affectvlm.errors import ConfigError
from affectvlm.files import written_whole
from affectvlm.language import Grammar, Vocabulary
from affectvlm.prepared import PreparedSet
from affectvlm.training.config import TrainConfig
from affectvlm.training.data import build_clips


def claim_run(run: Path, prepared: PreparedSet, config: TrainConfig, folds: int | None = None) -> None:
    """Write the resolved settings to ``config.yaml``, or make sure that the folder's are the same.

    A class that there are no words for, or a sample that the model cannot learn from, is told before anything is
    written.

    Parameters
    ----------
    run : Path
    prepared : PreparedSet
    config : TrainConfig
    folds : int, optional
        Of a cross-validation.

    Raises
    ------
    ConfigError
        The folder holds a run with other settings, or the vocabulary does not fit the classes.
    DataError
        The set does not hold what the model learns from.
    """
    Grammar(prepared.classes, config.vocabulary or Vocabulary.packaged())
    build_clips(prepared, config)
    resolved = {
        "source": prepared.source,
        "samples": len(prepared),
        "prepared_fingerprint": prepared.fingerprint,
        "rig": prepared.rig.model_dump(mode="json"),
        **({} if folds is None else {"folds": folds}),
        "training": config.model_dump(mode="json"),
    }
    settings = yaml.safe_dump(resolved, sort_keys=False)
    file = run / "config.yaml"
    if file.exists() and file.read_text("utf-8") != settings:
        raise ConfigError(
            f"{run}: holds a run with other settings (see {file}); choose another folder, or delete this one first"
        )
    with written_whole(file) as path:
        path.write_text(settings, encoding="utf-8")
