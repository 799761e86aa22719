"""The words and templates of the prompts: data, which users can change and add to."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from affectvlm.errors import ConfigError, in_one_line
from affectvlm.language.template import KINDS, checked, kind_of

LONGEST = 60
"""Characters of a word, or of a phrase that stands for one; templates may have three times as many."""


def _word(text: str) -> str:
    if not text or text != " ".join(text.split()) or not text.isprintable() or set(text) & set("{}[]"):
        raise ValueError("expected a word or a phrase with single spaces and without brackets")
    return text


def _class_name(text: str) -> str:
    if text != text.lower() or set(text) & set("/\\,;"):
        raise ValueError("expected the name of a class in small letters, without slashes, commas and semicolons")
    return _word(text)


Word = Annotated[str, Field(max_length=LONGEST), AfterValidator(_word)]
Words = tuple[Word, ...]
SomeWords = Annotated[Words, Field(min_length=1)]
ClassName = Annotated[str, Field(max_length=LONGEST), AfterValidator(_class_name)]
Template = Annotated[str, Field(max_length=3 * LONGEST), AfterValidator(checked)]


class ClassWords(BaseModel):
    """How a class is said; one kind of words is enough."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    adjectives: Words = ()
    """Of a person and of a face: "happy"."""
    nouns: Words = ()
    """"happiness"."""
    doing: Words = ()
    """What a person is doing: "smiling"."""

    def of_kind(self, kind: str) -> Words:
        """List the words that fill a slot of :data:`~affectvlm.language.template.KINDS`."""
        words: Words = getattr(self, KINDS[kind])
        return words

    @model_validator(mode="after")
    def _not_empty(self) -> ClassWords:
        if not (self.adjectives or self.nouns or self.doing):
            raise ValueError("expected at least one word among adjectives, nouns and doing")
        return self


class Vocabulary(BaseModel):
    """Words and templates; ``vocabulary.yaml`` beside this file is the one that is used where none is given."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    classes: dict[ClassName, ClassWords]
    templates: Annotated[tuple[Template, ...], Field(min_length=1)]
    """See :mod:`affectvlm.language.template`."""
    people: SomeWords
    """What a person is called of whom nothing is known."""
    sex: dict[str, SomeWords]
    """Value of the attribute -> what a person is called."""
    attributes: dict[str, dict[str, SomeWords]]
    """Attribute -> value -> what stands before the person, in the order of the attributes."""
    intensity: dict[Annotated[int, Field(ge=1, le=4)], SomeWords]
    """1 (slight) to 4 (full) -> adjectives of an expression."""
    view: dict[str, SomeWords]
    """A rig's view -> from where the face is seen."""
    map: dict[str, SomeWords]
    """A rig's map -> what kind of picture it is."""

    @model_validator(mode="after")
    def _every_class_can_be_said(self) -> Vocabulary:
        kinds = {kind_of(template) for template in self.templates}
        for name, words in self.classes.items():
            if not any(words.of_kind(kind) for kind in kinds):
                raise ValueError(f"no template has a slot for the words of {name!r}; templates have {sorted(kinds)}")
        return self

    @classmethod
    @cache
    def packaged(cls) -> Vocabulary:
        """Read the project's own."""
        return cls(**yaml.safe_load(Path(__file__).with_name("vocabulary.yaml").read_text("utf-8")))

    @classmethod
    def from_yaml(cls, path: Path) -> Vocabulary:
        """Read one's own: what the file leaves out is as in the packaged one.

        Names are added to those that are there (classes, attributes, intensities, views, maps), lists (words,
        templates, people) stand in place of those that are there.

        Raises
        ------
        ConfigError
            The file cannot be read, or something in it does not fit.
        """
        try:
            changes = yaml.safe_load(path.read_text("utf-8"))
        except OSError as error:
            raise ConfigError(f"{path}: cannot read the vocabulary ({error.strerror}); check the path") from error
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise ConfigError(f"{path}: expected a vocabulary in YAML; {in_one_line(str(error))}") from error
        if not isinstance(changes, dict) or not changes:
            raise ConfigError(f"{path}: expected a vocabulary in YAML, such as `classes:` and below it names and words")
        try:
            return cls.model_validate(_merged(cls.packaged().model_dump(), changes))
        except ValidationError as error:
            raise ConfigError(f"{path}: {_explained(error)}") from error


_EXPECTED: dict[str, str] = {
    "tuple_type": "a list of words in [brackets]",
    "string_type": "a word, in quotes if it is a number, yes or no",
    "dict_type": "names, and words below each",
    "model_type": "adjectives, nouns or doing below it",
    "invalid_key": "a name",
    "int_parsing": "an intensity of 1 to 4",
    "less_than_equal": "an intensity of 1 to 4",
    "greater_than_equal": "an intensity of 1 to 4",
    "too_short": "at least one word",
    "string_too_long": "something shorter",
}
"""What pydantic's errors mean here."""


def _explained(error: ValidationError) -> str:
    """Say in one line where the first thing is that does not fit, and what was expected there."""
    first = error.errors()[0]
    place = in_one_line(".".join(str(part) for part in first["loc"] if part != "[key]"))
    if first["type"] == "value_error":  # our own
        what = first["msg"].removeprefix("Value error, ")
    elif first["type"] == "extra_forbidden":
        what = "this name is not known; correct it, or delete it and what is below"
    else:
        expected = _EXPECTED.get(first["type"], first["msg"])
        what = f"expected {expected}, found {in_one_line(repr(first['input']), 60)}"
    return f"{place}: {what}" if place else what


def _merged(old: dict[Any, Any], changes: dict[Any, Any]) -> dict[Any, Any]:
    """Add names, and put lists in place of lists; a mapping that meets a mapping is merged in turn."""
    both = {
        key: _merged(old[key], value) if isinstance(old.get(key), dict) and isinstance(value, dict) else value
        for key, value in changes.items()
    }
    return {**old, **both}
