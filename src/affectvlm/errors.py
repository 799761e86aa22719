"""The errors that a user can cause: the command line prints them as one line and exits with status 2.

Each message says what was expected, what was found, in which file, and what to do about it.
"""


class AffectVLMError(Exception):
    """Base of every error that a user can cause and mend."""


class ScanError(AffectVLMError):
    """A face scan cannot be read or used."""


class DataError(AffectVLMError):
    """A data set, face model or prepared set is missing something or does not fit."""


class ModelError(AffectVLMError):
    """A model's folder is missing something or does not fit."""


class ConfigError(AffectVLMError):
    """A setting is unknown or contradicts another."""


def in_one_line(text: str, longest: int = 200) -> str:
    """Make what a file or a library said fit to stand within a message: short, and nothing that moves the cursor."""
    text = " ".join(text.split())[:longest]
    return "".join(character if character.isprintable() else "?" for character in text)
