"""The prompt language: templates x emotion words x what is known of the subject.

Augmented prompts are AffectVLM's (Behzad and Zhao 2025): wording and subject attributes vary ("a joyful expression of
a young female"). The words and templates are our own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

# "a ___ face": adjectives; "a face of ___": nouns.
ADJECTIVES: dict[str, tuple[str, ...]] = {
    "anger": ("angry", "furious", "irate", "enraged", "mad", "wrathful"),
    "disgust": ("disgusted", "revolted", "repulsed", "nauseated", "sickened", "grossed-out"),
    "fear": ("fearful", "afraid", "scared", "frightened", "terrified", "panicked"),
    "happiness": ("happy", "joyful", "cheerful", "delighted", "glad", "smiling"),
    "sadness": ("sad", "sorrowful", "unhappy", "gloomy", "downcast", "mournful"),
    "surprise": ("surprised", "astonished", "amazed", "startled", "stunned", "astounded"),
    "neutral": ("neutral", "expressionless", "calm", "relaxed", "blank", "impassive"),
    "embarrassment": ("embarrassed", "abashed", "ashamed", "sheepish", "flustered", "self-conscious"),
    "pain": ("pained", "hurting", "suffering", "agonised", "tormented", "aching"),
    "contempt": ("contemptuous", "scornful", "disdainful", "sneering", "derisive", "dismissive"),
}

NOUNS: dict[str, tuple[str, ...]] = {
    "anger": ("anger", "rage", "fury"),
    "disgust": ("disgust", "revulsion", "repulsion"),
    "fear": ("fear", "terror", "fright"),
    "happiness": ("happiness", "joy", "delight"),
    "sadness": ("sadness", "sorrow", "grief"),
    "surprise": ("surprise", "astonishment", "amazement"),
    "neutral": ("neutrality", "calmness", "rest"),
    "embarrassment": ("embarrassment", "shame", "awkwardness"),
    "pain": ("pain", "agony", "suffering"),
    "contempt": ("contempt", "scorn", "disdain"),
}

# {who} is the subject: "person", "young woman", "older face"; {a} in front of a word becomes "a" or "an".
ADJECTIVE_TEMPLATES: tuple[str, ...] = (
    "{a} {word} {who}",
    "a 3D scan of {a} {word} {who}",
    "a face scan of {a} {word} {who}",
    "a {who} who looks {word}",
    "{a} {word} facial expression of a {who}",
    "this {who} appears {word}",
    "the {word} face of a {who}",
    "a {who} with {a} {word} face",
)

NOUN_TEMPLATES: tuple[str, ...] = (
    "a {who} showing {word}",
    "a facial expression of {word}, {who}",
    "the face of a {who} expressing {word}",
    "a {who} with a look of {word}",
    "a scan of a {who} in {word}",
    "{word} on the face of a {who}",
)

NEUTRAL_SUBJECTS = ("person", "face", "human", "subject")
SUBJECTS: dict[str, tuple[str, ...]] = {
    "female": ("woman", "female"),
    "male": ("man", "male"),
}
AGES = ("young", "middle-aged", "older")
ANCESTRIES: dict[str, str] = {"african": "African", "asian": "Asian", "european": "European"}


@dataclass(frozen=True)
class Grammar:
    """Prompts for a set of classes.

    Parameters
    ----------
    classes : tuple of str
        Names from :data:`affectvlm.emotions.EMOTIONS` and ``FURTHER_EXPRESSIONS``.
    """

    classes: tuple[str, ...]

    def sample(self, emotion: str, attributes: Mapping[str, str], rng: np.random.Generator) -> str:
        """Draw one training prompt; attributes that are not known are left out, known ones are used half the time."""
        who = _pick(NEUTRAL_SUBJECTS, rng)
        if attributes.get("sex") in SUBJECTS and rng.random() < 0.5:
            who = _pick(SUBJECTS[attributes["sex"]], rng)
        if attributes.get("ancestry") in ANCESTRIES and rng.random() < 0.5:
            who = f"{ANCESTRIES[attributes['ancestry']]} {who}"
        if attributes.get("age") in AGES and rng.random() < 0.5:
            who = f"{attributes['age']} {who}"
        n_adjective = len(ADJECTIVE_TEMPLATES)
        which = int(rng.integers(n_adjective + len(NOUN_TEMPLATES)))
        if which < n_adjective:
            return _fill(ADJECTIVE_TEMPLATES[which], _pick(ADJECTIVES[emotion], rng), who)
        return _fill(NOUN_TEMPLATES[which - n_adjective], _pick(NOUNS[emotion], rng), who)

    def ensemble(self, emotion: str) -> list[str]:
        """List the prompts whose mean embedding stands for a class; never with a subject's attributes (they leak)."""
        adjective = [_fill(t, w, "person") for t in ADJECTIVE_TEMPLATES for w in ADJECTIVES[emotion]]
        return adjective + [_fill(t, w, "person") for t in NOUN_TEMPLATES for w in NOUNS[emotion]]

    def corpus(self) -> list[str]:
        """List every prompt that can be drawn, up to the choice of subject words: what a tokenizer is trained on."""
        ages = ("", *(f"{age} " for age in AGES))
        ancestries = ("", *(f"{ancestry} " for ancestry in ANCESTRIES.values()))
        words = (*NEUTRAL_SUBJECTS, *SUBJECTS["female"], *SUBJECTS["male"])
        people = [age + ancestry + who for age in ages for ancestry in ancestries for who in words]
        texts = [text for emotion in self.classes for text in self.ensemble(emotion)]
        return texts + [_fill(t, "happy", who) for t in ADJECTIVE_TEMPLATES for who in people]


def _pick(words: tuple[str, ...], rng: np.random.Generator) -> str:
    return words[int(rng.integers(len(words)))]


def _fill(template: str, word: str, who: str) -> str:
    text = template.format(a="an" if word[0] in "aeiou" else "a", word=word, who=who)
    for vowel in ("older", "African", "Asian"):
        text = text.replace(f"a {vowel}", f"an {vowel}")
    return text
