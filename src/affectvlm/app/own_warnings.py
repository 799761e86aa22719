"""What one thread is warned of: Python catches warnings for the whole process, but a visitor is to get his own."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import TextIO


@contextmanager
def own_warnings() -> Iterator[list[warnings.WarningMessage]]:
    """Collect the warnings of this thread; those of others, such as work beside the page, are dropped meanwhile.

    For one thread at a time: the filters themselves are the process's.
    """
    caught: list[warnings.WarningMessage] = []
    owner = get_ident()

    def keep(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if get_ident() == owner:
            caught.append(warnings.WarningMessage(message, category, filename, lineno, file, line))

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = keep
        yield caught
