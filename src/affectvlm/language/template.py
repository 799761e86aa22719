"""Templates of prompts: slots, parts that are only said where something is known, and the right article.

``"a {who} with a [{intensity} ]expression of {noun}"`` with nothing known but a word becomes "a person with an
expression of fear".
"""

from __future__ import annotations

import re
from collections.abc import Mapping

KINDS: dict[str, str] = {"adjective": "adjectives", "noun": "nouns", "doing": "doing"}
"""Slots of the class, one of which is in each template, and the lists of words that fill them."""

BESIDE: tuple[str, ...] = ("intensity", "view", "map")
"""Slots of what may be said beside the class, in [square brackets] always."""

_SLOT = re.compile(r"\{(\w+)\}")
_PART = re.compile(r"\[([^\[\]]*)\]")
_ARTICLE = re.compile(r"\b([Aa])n? (?=(\S+))")
_LIKE_YOU = r"e[uw]|u[bt][eio]|uga|ukr|unani(?!mat)|unary|uni(?!de|ll|m[ap]|n|r|ss)|us[aeiu]|uv?\b"
_LIKE_A_VOWEL = re.compile(
    rf"(?!{_LIKE_YOU}|on[ce]e?\b)[aeiou]|8|1[18]\b|heir|honou?r|honest|hour|(?-i:[FHLMNRSX](?=[A-Z-]))", re.IGNORECASE
)
"""How words begin that take "an", by their sound: "a unique" and "an unideal", "an honest", "an RGB image"."""


def kind_of(template: str) -> str:
    """Name the slot of a template that the class fills."""
    return next(slot for slot in _SLOT.findall(template) if slot in KINDS)


def beside(template: str) -> list[str]:
    """Name what a template can say beside the class."""
    return [slot for slot in _SLOT.findall(template) if slot in BESIDE]


def fill(template: str, said: Mapping[str, str]) -> str:
    """Put words into the slots; a part in brackets with a slot that has no words is left out."""

    def part(found: re.Match[str]) -> str:
        return found[1] if all(slot in said for slot in _SLOT.findall(found[1])) else ""

    text = _SLOT.sub(lambda slot: said[slot[1]], _PART.sub(part, template))
    return _ARTICLE.sub(lambda a: f"{a[1]}{'n' if _LIKE_A_VOWEL.match(a[2]) else ''} ", text)


def checked(template: str) -> str:
    """Return a template that can be filled.

    Raises
    ------
    ValueError
        What is wrong with it.
    """
    bare = _PART.sub("", template)
    if set(bare) & set("[]"):
        raise ValueError("expected pairs of square brackets, none in another pair")
    unknown = [slot for slot in _SLOT.findall(template) if slot not in (*KINDS, *BESIDE, "who")]
    if unknown or set(_SLOT.sub("", template)) & set("{}"):
        known = ", ".join(f"{{{slot}}}" for slot in (*KINDS, "who", *BESIDE))
        raise ValueError(f"expected the slots {known}, found {unknown[0] if unknown else 'a lone brace'!r}")
    if sum(slot in KINDS for slot in _SLOT.findall(template)) != 1 or not any(f"{{{slot}}}" in bare for slot in KINDS):
        raise ValueError("expected exactly one of {adjective}, {noun} and {doing}, outside of brackets")
    if beside(bare) or not all(beside(part) for part in _PART.findall(template)):
        raise ValueError("expected {intensity}, {view} and {map} in [square brackets], and one of them in each pair")
    for text in (bare, _PART.sub(r"\1", template)):
        if text != " ".join(text.split()):
            raise ValueError("expected single spaces, with and without the parts in brackets")
    return template
