"""Who trains, who chooses the epoch and who is tested: subject-disjoint folds and their manifest.

Three mistakes of published code are ruled out here: a subject on both sides of a split, an epoch chosen on
the test fold, and a draw that nobody can repeat.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from affectvlm.errors import ConfigError, DataError
from affectvlm.files import written_whole

PARTS = ("train", "validation", "test")
"""The three parts of a fold."""


class Fold(BaseModel):
    """One turn of a cross-validation; the names are subjects, not scans."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    index: int
    train: tuple[str, ...]
    """Subjects that the weights are fitted to."""
    validation: tuple[str, ...]
    """Subjects that choose the epoch."""
    test: tuple[str, ...]
    """Subjects that nothing has looked at before they are scored."""


class Split(BaseModel):
    """All folds of one cross-validation: every subject is tested exactly once.

    Raises
    ------
    DataError
        A subject stands in two parts of a fold, in no part of one, or in other than one test part.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int
    validation_share: float
    """Share of a fold's subjects outside its test part that choose the epoch."""
    folds: tuple[Fold, ...]

    @property
    def subjects(self) -> tuple[str, ...]:
        """Every subject, sorted."""
        return tuple(sorted(subject for fold in self.folds for subject in fold.test))

    @classmethod
    def draw(cls, subjects: Sequence[str], n_folds: int = 10, seed: int = 0, validation_share: float = 0.1) -> Split:
        """Deal the subjects into folds at random.

        Each subject of the research sets shows every class, so that a plain draw of subjects is balanced
        already: stratifying (scikit-learn's ``StratifiedGroupKFold``) would change nothing but the draw.

        Parameters
        ----------
        subjects : sequence of str
            In any order (the draw does not depend on it); repeats are ignored.
        n_folds : int
            Test parts; their sizes differ by one at most.
        seed : int
        validation_share : float
            Share of the subjects outside the test part that choose the epoch; at least one does.

        Raises
        ------
        ConfigError
            Fewer than two folds, or a share outside (0, 1).
        DataError
            Too few subjects for a fold to train on, choose by and be tested on different ones.
        """
        if n_folds < 2:
            raise ConfigError(f"a cross-validation needs at least 2 folds, got {n_folds}")
        if not 0 < validation_share < 1:
            raise ConfigError(f"validation_share must lie between 0 and 1, got {validation_share}")
        # Sorted first, so that the order in which a data set was read changes nothing.
        names = sorted(set(subjects))
        _check_enough(len(names), n_folds)
        rng = np.random.default_rng(seed)
        order = [names[i] for i in rng.permutation(len(names))]
        folds = []
        for index in range(n_folds):
            test = order[index::n_folds]
            rest = [name for name in names if name not in set(test)]
            chosen = rng.permutation(len(rest))[: _validation_count(len(rest), validation_share)]
            validation = [rest[i] for i in chosen]
            folds.append(
                Fold(
                    index=index,
                    train=tuple(name for name in rest if name not in set(validation)),
                    validation=tuple(sorted(validation)),
                    test=tuple(sorted(test)),
                )
            )
        return cls(seed=seed, validation_share=validation_share, folds=tuple(folds))

    def model_post_init(self, context: object) -> None:
        """Check that nothing leaks, however the split was made."""
        if not self.folds:
            raise DataError("the split has no folds")
        _check_tested_once(self.folds)
        everyone = set(self.subjects)
        for position, fold in enumerate(self.folds):
            if fold.index != position:
                raise DataError(f"the fold at position {position} has index {fold.index}")
            _check_fold(fold, everyone)

    def save(self, path: Path) -> None:
        """Write the manifest: JSON, one line for each part of a fold."""
        blocks = [
            ",\n     ".join(
                f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}"
                for name, value in fold.model_dump().items()
            )
            for fold in self.folds
        ]
        folds = ",\n".join(f"    {{{block}}}" for block in blocks)
        head = f'  "seed": {self.seed},\n  "validation_share": {self.validation_share},'
        with written_whole(path) as unfinished:
            unfinished.write_text(f'{{\n{head}\n  "folds": [\n{folds}\n  ]\n}}\n', encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Split:
        """Read a manifest and check it again: it may have been edited by hand.

        Raises
        ------
        DataError
            There is no such file, it is not a manifest, or a subject leaks.
        """
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise DataError(f"{path}: cannot read the split manifest ({error.strerror})") from error
        except (ValidationError, UnicodeDecodeError) as error:
            raise DataError(f"{path}: not a split manifest: {error}") from error
        except DataError as error:
            raise DataError(f"{path}: {error}; mend the manifest or draw the split anew") from error


def hold_out(subjects: Sequence[str], seed: int, share: float = 0.1) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Divide subjects for a training that is not tested: those it is fitted to, and those that choose the epoch.

    Returns
    -------
    train, validation : tuple of str
        Sorted; the draw does not depend on the order that they were given in.

    Raises
    ------
    DataError
        There are fewer than two subjects.
    """
    names = sorted(set(subjects))
    if len(names) < 2:
        raise DataError(f"a training needs at least 2 subjects, one of them to choose the epoch; found {len(names)}")
    order = np.random.default_rng(seed).permutation(len(names))
    chosen = {names[i] for i in order[: _validation_count(len(names), share)]}
    return tuple(name for name in names if name not in chosen), tuple(sorted(chosen))


def _validation_count(n_rest: int, share: float) -> int:
    """Subjects that choose the epoch, of those outside the test part: at least one, but never all."""
    return min(max(1, round(share * n_rest)), n_rest - 1)


def _check_enough(n_subjects: int, n_folds: int) -> None:
    largest_test = -(-n_subjects // n_folds)
    if n_subjects < n_folds or n_subjects - largest_test < 2:
        raise DataError(
            f"{n_subjects} subjects are too few for {n_folds} folds: each fold needs a subject to test, one"
            " to choose the epoch and one to train on. Take fewer folds (at least 2) or more subjects (at"
            " least 4)"
        )


def _check_tested_once(folds: Sequence[Fold]) -> None:
    tested_in: dict[str, int] = {}
    for fold in folds:
        for subject in fold.test:
            if subject in tested_in:
                raise DataError(
                    f"subject {subject!r} is tested in fold {tested_in[subject]} and again in fold"
                    f" {fold.index}; every subject belongs to exactly one test part"
                )
            tested_in[subject] = fold.index


def _check_fold(fold: Fold, everyone: set[str]) -> None:
    """Check that the parts are not empty, do not share a subject and together hold everyone."""
    parts = {name: getattr(fold, name) for name in PARTS}
    for name, part in parts.items():
        if not part:
            raise DataError(f"fold {fold.index} has no {name} subjects")
        if repeated := sorted({subject for subject in part if part.count(subject) > 1}):
            raise DataError(f"subject {repeated[0]!r} stands twice in the {name} part of fold {fold.index}")
    for first, second in combinations(PARTS, 2):
        if shared := sorted(set(parts[first]) & set(parts[second])):
            raise DataError(
                f"subject {shared[0]!r} stands in the {first} part and in the {second} part of fold {fold.index}"
            )
    present = set().union(*parts.values())
    if missing := sorted(everyone - present):
        raise DataError(f"subject {missing[0]!r} stands in no part of fold {fold.index}")
    if stray := sorted(present - everyone):
        raise DataError(f"subject {stray[0]!r} of fold {fold.index} stands in no fold's test part")
