"""The tables and pictures of ``objectives.py``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from affectvlm.evaluation.metrics import STATISTICS
from affectvlm.files import written_whole
from affectvlm.training import TrainConfig

LEVELS = (0.7, 0.8, 0.9)
DRAWS = 5000

OWN, REFERENCE, INK = "#0072B2", "#D55E00", "#333333"
"""Blue and vermilion: apart for every kind of colour blindness (Okabe and Ito 2008), and in grey."""

COLUMNS = 3
SMOOTHED = 15
"""Steps over which the gradient's norm is averaged for the eye."""


@dataclass(frozen=True)
class Training:
    """What one training left.

    Parameters
    ----------
    objective : str
    learning_rate : float
    seed : int
    validation_uar : list of epochs floats
    gradient_norm : list of steps floats
        Before gradients are shortened.
    epoch_s : list of epochs floats
        Of processor time, validation included.
    cosine : float
        The mean over all pairs of validation faces, after the last epoch.
    predicted : list of class indices
        Of the test samples, after the last epoch.
    """

    objective: str
    learning_rate: float
    seed: int
    validation_uar: list[float]
    gradient_norm: list[float]
    epoch_s: list[float]
    cosine: float
    predicted: list[int]

    def epochs_to(self, level: float) -> int | None:
        """Count the epochs until the validation UAR is first that high; None if it never is."""
        return next((epoch for epoch, uar in enumerate(self.validation_uar, 1) if uar >= level), None)


def report(
    sweep: Sequence[Training], trainings: Sequence[Training], test: pd.DataFrame, default: str, folder: Path
) -> None:
    """Write everything.

    Parameters
    ----------
    sweep : trainings of seed 0 at every learning rate
    trainings : trainings of every seed at the learning rate that was taken
    test : DataFrame
        ``emotion`` and ``subject`` of the test samples, in the order of what was predicted.
    default : str
        The objective that others are compared with.
    folder : Path
    """
    names = list(dict.fromkeys(training.objective for training in trainings))
    groups = {name: [t for t in trainings if t.objective == name] for name in names}
    uar = {name: drawn_uar(group, test) for name, group in groups.items()}
    parts = (
        speed_table(groups, uar, default),
        gradient_table(groups),
        sweep_table(sweep, {name: group[0].learning_rate for name, group in groups.items()}),
    )
    with written_whole(folder / "objectives.md") as path:
        path.write_text("\n".join(parts), encoding="utf-8")
    with written_whole(folder / "objectives.csv") as path:
        every = dict.fromkeys((t.objective, t.learning_rate, t.seed) for t in trainings)
        rows = [row(t, test) for t in trainings] + [
            row(t, test) for t in sweep if (t.objective, t.learning_rate, t.seed) not in every
        ]
        pd.DataFrame(rows).to_csv(path, index=False, float_format="%.6g")
    draw(folder / "objectives-uar.png", groups, default, draw_uar, ("epoch", "UAR of validation subjects, %"))
    draw(folder / "objectives-gradients.png", groups, default, draw_gradients, ("step", "gradient norm"))
    print("\n".join(parts))


def confusions(group: Sequence[Training], test: pd.DataFrame) -> np.ndarray:
    """(seeds, subjects, C, C): test samples by their class and what was predicted."""
    classes, true = np.unique(test["emotion"], return_inverse=True)
    subjects, subject = np.unique(test["subject"], return_inverse=True)
    counts = np.zeros((len(group), len(subjects), len(classes), len(classes)))
    for of_seed, training in zip(counts, group, strict=True):
        # The classes of a model stand in the project's order, which for the six emotions is the alphabet's.
        np.add.at(of_seed, (subject, true, np.array(training.predicted)), 1)
    return counts


def drawn_uar(group: Sequence[Training], test: pd.DataFrame) -> np.ndarray:
    """(1 + DRAWS,) the mean test UAR over the seeds: as it is, then with subjects and seeds drawn with replacement.

    Every objective gets the same draws, so that differences between objectives are paired.
    """
    counts = confusions(group, test)
    seeds, subjects = counts.shape[:2]
    rng = np.random.default_rng(0)
    times = [np.ones((1, n)) for n in (seeds, subjects)]
    drawn = [rng.multinomial(n, np.full(n, 1 / n), size=DRAWS) for n in (seeds, subjects)]
    of_seed, of_subject = (np.concatenate(pair) for pair in zip(times, drawn, strict=True))
    uar = STATISTICS["uar"](np.einsum("dp,spij->dsij", of_subject, counts, optimize=True))  # (1 + DRAWS, seeds)
    return (uar * of_seed).sum(axis=1) / seeds


def with_interval(values: np.ndarray, sign: str = "") -> str:
    """Put a value and the 95 % interval of its draws into words, in per cent."""
    low, high = np.quantile(values[1:], [0.025, 0.975])
    return f"{100 * values[0]:{sign}.1f} ({100 * low:{sign}.1f} to {100 * high:{sign}.1f})"


def speed_table(groups: dict[str, list[Training]], uar: dict[str, np.ndarray], default: str) -> str:
    """How soon, and how well at the end."""
    seeds = len(next(iter(groups.values())))
    rows = []
    for name, group in groups.items():
        epoch_s = np.median([second for training in group for second in training.epoch_s])
        reached = {level: [e for t in group if (e := t.epochs_to(level)) is not None] for level in LEVELS}
        soon = {
            f"epochs to {100 * level:.0f} % (seconds; seeds)": (
                f"{np.mean(epochs):.1f} ({np.mean(epochs) * epoch_s:.0f} s; {len(epochs)})" if epochs else "- (0)"
            )
            for level, epochs in reached.items()
        }
        rows.append(
            {
                "objective": f"**{name}**" if name == default else name,
                "learning rate": f"{group[0].learning_rate:g}",
                **soon,
                "mean validation UAR %": f"{100 * np.mean([t.validation_uar for t in group]):.1f}",
                "test UAR % (95 %)": with_interval(uar[name]),
                "less the default's (95 %)": "" if name == default else with_interval(uar[name] - uar[default], "+"),
            }
        )
    return f"Of {seeds} seeds; in bold the default.\n\n{markdown(rows)}"


def gradient_table(groups: dict[str, list[Training]]) -> str:
    """What the gradient does from step to step, and where the embeddings end."""
    rows = []
    for name, group in groups.items():
        norms = np.array([training.gradient_norm for training in group])  # (seeds, steps)
        mean, variance = norms.mean(), norms.var(axis=1).mean()
        rows.append(
            {
                "objective": name,
                "gradient norm, mean": f"{mean:.3g}",
                "variance": f"{variance:.3g}",
                "standard deviation / mean": f"{variance**0.5 / mean:.2f}",
                "steps shortened %": f"{100 * (norms > TrainConfig().gradient_norm).mean():.0f}",
                "mean cosine of faces": f"{np.mean([training.cosine for training in group]):.2f}",
                "s an epoch": f"{np.median([training.epoch_s for training in group]):.1f}",
            }
        )
    return markdown(rows)


def sweep_table(sweep: Sequence[Training], taken: dict[str, float]) -> str:
    """Seed 0 at every learning rate: the mean validation UAR over the epochs, and the last epoch's."""
    rates = sorted({training.learning_rate for training in sweep})
    found = {
        (t.objective, t.learning_rate): f"{100 * np.mean(t.validation_uar):.1f}, {100 * t.validation_uar[-1]:.1f}"
        for t in sweep
    }
    rows = [
        {
            "objective": name,
            **{f"{r:g}": f"**{found[name, r]}**" if r == rate else found.get((name, r), "not tried") for r in rates},
        }
        for name, rate in taken.items()
    ]
    return markdown(rows)


def row(training: Training, test: pd.DataFrame) -> dict[str, object]:
    """One training as a row of the csv."""
    norms = np.array(training.gradient_norm)
    return {
        "objective": training.objective,
        "learning_rate": training.learning_rate,
        "seed": training.seed,
        **{f"epochs_to_{100 * level:.0f}": training.epochs_to(level) for level in LEVELS},
        "epoch_s": float(np.median(training.epoch_s)),
        "test_uar": float(STATISTICS["uar"](confusions([training], test).sum(axis=(0, 1)))),
        "gradient_norm_mean": norms.mean(),
        "gradient_norm_variance": norms.var(),
        "steps_shortened": (norms > TrainConfig().gradient_norm).mean(),
        "cosine": training.cosine,
        **{f"validation_uar_{epoch}": uar for epoch, uar in enumerate(training.validation_uar, 1)},
    }


def markdown(rows: Sequence[dict[str, str]]) -> str:
    """Lay rows out as a table."""
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def draw_uar(panel: Axes, group: Sequence[Training], colour: str) -> None:
    """The validation UAR over the epochs: the median of the seeds, and from the lowest to the highest."""
    uar = 100 * np.array([training.validation_uar for training in group])  # (seeds, epochs)
    _median_and_range(panel, np.arange(1, uar.shape[1] + 1), uar, colour)
    panel.set_ylim(0, 100)
    panel.set_yticks([0, 20, 40, 60, 80, 100])
    panel.xaxis.set_major_locator(MaxNLocator(6, integer=True))


def draw_gradients(panel: Axes, group: Sequence[Training], colour: str) -> None:
    """The gradient's norm over the steps, a little smoothed: the median of the seeds, and the range."""
    norms = np.array([training.gradient_norm for training in group])  # (seeds, steps)
    width = min(SMOOTHED, norms.shape[1])
    smooth = np.array([np.convolve(each, np.full(width, 1 / width), "valid") for each in norms])
    _median_and_range(panel, np.arange(smooth.shape[1]) + (width + 1) / 2, smooth, colour)
    panel.axhline(TrainConfig().gradient_norm, color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
    panel.set_yscale("log")
    panel.yaxis.set_minor_locator(NullLocator())
    panel.xaxis.set_major_locator(MaxNLocator(4, integer=True))


def _median_and_range(panel: Axes, x: np.ndarray, values: np.ndarray, colour: str) -> None:
    panel.fill_between(x, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.18, linewidth=0)
    panel.plot(x, np.median(values, axis=0), color=colour, linewidth=1.8)


def draw(
    file: Path,
    groups: dict[str, list[Training]],
    default: str,
    curve: Callable[[Axes, Sequence[Training], str], None],
    axes: tuple[str, str],
) -> None:
    """Draw a panel for each objective; in all of them the default's curve, to compare with.

    Parameters
    ----------
    file : Path
    groups : dict of objective -> its trainings
    default : str
    curve : function of a panel, trainings and a colour
    axes : (str, str)
        What runs across and up.
    """
    lines = -(-len(groups) // COLUMNS)
    figure = Figure(figsize=(8, 0.6 + 1.75 * lines), dpi=100, layout="constrained")
    panels = list(figure.subplots(lines, COLUMNS, sharex=True, sharey=True, squeeze=False).flat)
    for panel in panels[len(groups) :]:
        panel.set_visible(False)
    for panel in panels[: len(groups)][-COLUMNS:]:
        panel.tick_params(labelbottom=True)  # also above a panel that is left out
    for (name, group), panel in zip(groups.items(), panels, strict=False):
        curve(panel, groups[default], REFERENCE)
        if name != default:
            curve(panel, group, OWN)
        title, colour = (f"{name} (default)", REFERENCE) if name == default else (name, OWN)
        panel.set_title(title, loc="left", fontsize=10, color=colour, pad=3)
        panel.grid(axis="y", color="#dddddd", linewidth=0.6)
        panel.tick_params(colors=INK, labelsize=8, length=0)
        panel.spines[["top", "right", "left"]].set_visible(False)
    figure.supxlabel(axes[0], fontsize=10, color=INK)
    figure.supylabel(axes[1], fontsize=10, color=INK)
    with written_whole(file) as path:
        figure.savefig(path, format="png")
