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
