"""The prompt language: templates x emotion words x what is known of the sample.

Augmented prompts are AffectVLM's (Behzad and Zhao 2025): wording and subject attributes vary ("a joyful expression of
a young female"). The words and templates are our own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np

from affectvlm.errors import ConfigError
from affectvlm.language.template import BESIDE, KINDS, beside, fill, kind_of
from affectvlm.language.vocabulary import Vocabulary, Words

SAID = 0.5
"""How often something that is known is said."""

WORDS_A_TEMPLATE = 2
"""Of a class's ensemble, unless more are needed for every word to occur."""


@dataclass(frozen=True)
class Known:
    """What is known of a sample beside its class; what the vocabulary has no words for is not said.

    Parameters
    ----------
    attributes : mapping of str -> str
        Of the subject, such as ``{"sex": "female", "age": "young"}``.
    intensity : int, optional
        1 (slight) to 4 (full).
    view, map : str, optional
        One of the rig's views, and one of its maps.
    """

    attributes: Mapping[str, str] = field(default_factory=dict)
    intensity: int | None = None
    view: str | None = None
    map: str | None = None


@dataclass(frozen=True)
class Grammar:
    """Prompts for a set of classes.

    Parameters
    ----------
    classes : tuple of str
        Names that the vocabulary has words for.
    vocabulary : Vocabulary
        The packaged one where none is given.

    Raises
    ------
    ConfigError
        A class has no words, or shares one with another.
    """

    classes: tuple[str, ...]
    vocabulary: Vocabulary = field(default_factory=Vocabulary.packaged)

    def __post_init__(self) -> None:
        words = self.vocabulary.classes
        if unknown := [name for name in self.classes if name not in words]:
            raise ConfigError(
                f"the vocabulary has no words for the class {unknown[0]!r}, only for {', '.join(words)}; "
                "add some (docs/language.md) and name the file with --vocabulary"
            )
        owner: dict[str, str] = {}
        for name in self.classes:
            for word in (word for kind in KINDS for word in words[name].of_kind(kind)):
                if (other := owner.setdefault(word.lower(), name)) != name:
                    raise ConfigError(
                        f"the word {word!r} stands for {other} and for {name}; keep it in one of them in the vocabulary"
                    )

    def sample(self, emotion: str, known: Known, rng: np.random.Generator) -> str:
        """Draw one training prompt; what is known is said half the time."""
        words, every = self.vocabulary.classes[emotion], self.vocabulary
        template = _pick(self._templates[emotion], rng)
        said = {kind_of(template): _pick(words.of_kind(kind_of(template)), rng), "who": self._who(known, rng)}
        tables: dict[str, Mapping[Any, Words]] = {"intensity": every.intensity, "view": every.view, "map": every.map}
        for slot in beside(template):
            phrases = tables[slot].get(getattr(known, slot))
            if phrases and rng.random() < SAID:
                said[slot] = _pick(phrases, rng)
        return fill(template, said)

    def _who(self, known: Known, rng: np.random.Generator) -> str:
        people = self.vocabulary.sex.get(known.attributes.get("sex", ""))
        who = [_pick(people if people and rng.random() < SAID else self.vocabulary.people, rng)]
        for attribute, values in reversed(self.vocabulary.attributes.items()):
            phrases = values.get(known.attributes.get(attribute, ""))
            if phrases and rng.random() < SAID:
                who.insert(0, _pick(phrases, rng))
        return " ".join(who)

    def ensemble(self, emotion: str) -> list[str]:
        """List the prompts whose mean embedding stands for a class: every template and every word, not their product.

        Nothing is said beside the class: a subject's attributes would leak what a test must not know.
        """
        words, people = self.vocabulary.classes[emotion], self.vocabulary.people
        prompts: dict[str, None] = {}  # in order, each once
        for kind in KINDS:
            own = words.of_kind(kind)
            templates = [template for template in self._templates[emotion] if kind_of(template) == kind]
            each = min(len(own), max(WORDS_A_TEMPLATE, -(-len(own) // max(1, len(templates)))))
            for number, (template, _) in enumerate(product(templates, range(each))):
                said = {kind: own[number % len(own)], "who": people[number % len(people)]}
                prompts[fill(template, said)] = None
        return list(prompts)

    def corpus(self) -> list[str]:
        """List prompts with every word that can occur in one: what a tokenizer is trained on."""
        return [prompt for name in self.classes for prompt in self.wordings(name)] + list(self._additions())

    def wordings(self, name: str) -> Iterator[str]:
        """Yield every template with every word of a class: all prompts that say nothing beside it."""
        words = self.vocabulary.classes[name]
        for template in self._templates[name]:
            kind = kind_of(template)
            yield from (fill(template, {kind: word, "who": self.vocabulary.people[0]}) for word in words.of_kind(kind))

    def _additions(self) -> Iterator[str]:
        """Yield every template that a class has words for with all that can be said beside the class."""
        every = self.vocabulary
        people = [*every.people, *(word for own in every.sex.values() for word in own)]
        named = [word for values in every.attributes.values() for own in values.values() for word in own]
        who = people + [f"{word} {people[0]}" for word in named]
        tables: dict[str, list[str]] = {
            slot: [word for own in getattr(every, slot).values() for word in own] for slot in BESIDE
        }
        first: dict[str, str] = {}
        for name in self.classes:
            for template in self._templates[name]:
                first.setdefault(template, every.classes[name].of_kind(kind_of(template))[0])
        for template, word in first.items():
            said = {kind_of(template): word, "who": people[0]}
            if "{who}" in template:
                yield from (fill(template, {**said, "who": phrase}) for phrase in who)
            for slot in beside(template):
                yield from (fill(template, {**said, slot: phrase}) for phrase in tables[slot])

    @cached_property
    def _templates(self) -> dict[str, list[str]]:
        """Class -> the templates that it has words for."""
        every = self.vocabulary
        return {
            name: [template for template in every.templates if every.classes[name].of_kind(kind_of(template))]
            for name in self.classes
        }


def _pick(words: Words | Sequence[str], rng: np.random.Generator) -> str:
    return words[int(rng.integers(len(words)))]
