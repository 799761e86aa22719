"""Does the paper's loss collapse from scratch, and what keeps it from it?

    python benchmarks/collapse.py runs/demo/prepared

Trains with and without centred towers, and with a smooth and a hard choice of triplets, on the same subjects and seed;
prints the loss at the end (1 is the collapsed state), the mean cosine between the validation faces (1: all in one
point) and the UAR on the validation subjects. The table in docs/method.md is this one's.
"""

from __future__ import annotations

import sys
from pathlib import Path

import lightning
from torch import nn

from affectvlm.evaluation.folds import hold_out
from affectvlm.model import AffectVLM
from affectvlm.objectives import ObjectiveConfig
from affectvlm.objectives.config import MultiviewConfig
from affectvlm.prepared import PreparedSet
from affectvlm.prepared.clips import Clips
from affectvlm.training import TrainConfig
from affectvlm.training.data import ClipDataset, ViewData
from affectvlm.training.fit import build_trainer, embed
from affectvlm.training.task import AffectVLMTask

EPOCHS = 5
SMOOTH, HARD = 0.1, 0.001


def train(prepared: PreparedSet, centred: bool, temperature: float) -> tuple[float, float, float]:
    """Train once; returns the loss, the mean cosine of validation faces and their UAR."""
    loss = MultiviewConfig(sums="normalised", mining="soft", mining_temperature=temperature)
    config = TrainConfig(epochs=EPOCHS, objective=ObjectiveConfig(multiview=loss))
    fitted_to, validation = hold_out(prepared.subjects, config.seed, share=0.2)
    clips = Clips(prepared)
    lightning.seed_everything(config.seed, verbose=False)
    model = AffectVLM.build(config.model, prepared.classes, prepared.rig)
    if not centred:
        model.towers.visual_centre = model.towers.text_centre = nn.Identity()
    tested = clips.of(validation)
    data = ViewData(ClipDataset(clips, config.seed), clips.of(fitted_to), tested, config.batch_size, config.seed)
    trainer = build_trainer(config, [])
    trainer.fit(AffectVLMTask(model, clips, config), data)
    faces = embed(model.eval(), clips, tested)
    cosine = float((faces @ faces.T).mean())
    return float(trainer.callback_metrics["loss"]), cosine, float(trainer.callback_metrics["validation_uar"])


def main() -> None:
    """Print a row for each of the four ways."""
    prepared = PreparedSet(Path(sys.argv[1]))
    print(f"{prepared.source}; {EPOCHS} epochs")
    print("| towers | triplets | loss | mean cosine of faces | UAR % |\n|---|---|---|---|---|")
    for centred in (False, True):
        for temperature in (HARD, SMOOTH):
            loss, cosine, uar = train(prepared, centred, temperature)
            words = "centred" if centred else "as they are", "smooth" if temperature == SMOOTH else "hardest"
            print(f"| {words[0]} | {words[1]} | {loss:.2f} | {cosine:.2f} | {100 * uar:.1f} |", flush=True)


if __name__ == "__main__":
    main()
