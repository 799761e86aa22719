"""What the page was started with: handed from ``affectvlm app`` to the server's process as one argument."""

from __future__ import annotations

import sys
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from affectvlm.errors import AffectVLMError


class AppSettings(BaseModel):
    """Whoever starts the page says what its visitors may reach; they cannot name a folder themselves."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: Path
    """Folder of the model that answers."""
    runs: Path | None = None
    """Folder with runs, whose models and reports can be looked at."""
    watch: Path | None = None
    """Folder into which a scanner drops frames."""
    ict: Path | None = None
    """Folder of ICT-FaceKit: one more face model to perform."""
    makehuman: Path | None = None
    """Folder of MakeHuman: one more face model to perform."""
    captures: Path | None = None
    """Folder with Live Link Face csv files: movement to perform."""


FOLDERS: tuple[str, ...] = ("runs", "watch", "ict", "makehuman", "captures")
"""The settings that are folders, each an option of the same name."""


def capture_files(settings: AppSettings) -> list[Path]:
    """List the captures in the folder that the page was started with, and in those within it."""
    if settings.captures is None:
        return []
    return sorted(path for path in settings.captures.rglob("*.csv") if path.is_file())


def settings_of_this_page() -> AppSettings:
    """Read what the server's process was given.

    Raises
    ------
    AffectVLMError
        The page was not started by ``affectvlm app``.
    """
    try:
        (argument,) = sys.argv[1:]
        return AppSettings.model_validate_json(argument)
    except (ValueError, ValidationError) as error:
        raise AffectVLMError("this page needs to be told its model; start it with `affectvlm app`") from error
