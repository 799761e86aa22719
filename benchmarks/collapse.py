"""Does the paper's loss collapse from scratch, and what keeps it from it?

    python benchmarks/collapse.py runs/demo/prepared

Trains with and without centred towers, and with a smooth and a hard choice of triplets, on the same subjects and seed;
prints the loss at the end (1 is the collapsed state), the mean cosine between the validation faces (1: all in one
point) and the UAR on the validation subjects. The table in docs/method.md is this one's.
"""

from __future__ import annotations

import sys
from pathlib import Path

from torch import nn
from training_steps import train_plainly

from affectvlm.evaluation.folds import hold_out
from affectvlm.objectives import ObjectiveConfig
from affectvlm.objectives.config import MultiviewConfig
from affectvlm.prepared import PreparedSet
from affectvlm.prepared.clips import Clips
from affectvlm.training import TrainConfig
from affectvlm.training.fit import embed
from affectvlm.training.task import build_task

EPOCHS = 5
SMOOTH, HARD = 0.1, 0.001


def train(prepared: PreparedSet, centred: bool, temperature: float) -> tuple[float, float, float]:
    """Train once; returns the loss, the mean cosine of validation faces and their UAR."""
    loss = MultiviewConfig(sums="normalised", mining="soft", mining_temperature=temperature)
    config = TrainConfig(epochs=EPOCHS, objective=ObjectiveConfig(multiview=loss))
    clips = Clips(prepared)
    fitted_to, validation = (clips.of(part) for part in hold_out(prepared.subjects, config.seed, share=0.2))
    task = build_task(clips, config)
    if not centred:
        task.model.towers.visual_centre = task.model.towers.text_centre = nn.Identity()
    logged = train_plainly(task, fitted_to, validation, [])
    faces = embed(task.model.eval(), clips, validation)
    return float(logged["loss"]), float((faces @ faces.T).mean()), float(logged["validation_uar"])


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
