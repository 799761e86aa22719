"""Long work beside the page: it tells how far it is, can be stopped, and goes on while the visitor looks elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from affectvlm.errors import AffectVLMError

Result = TypeVar("Result")

Tell = Callable[[str, float], None]
"""Called by the work with what it does and the share that is done; raises :class:`StoppedError` when it is to end."""


class StoppedError(Exception):
    """The visitor has stopped the work."""


class Work(Generic[Result]):
    """One piece of work in a thread of its own.

    Parameters
    ----------
    do : callable
        Gets a :data:`Tell`, and gives the result. It calls it often: that is where it can be stopped.
    """

    def __init__(self, do: Callable[[Tell], Result]) -> None:
        self.doing, self.share = "Starting", 0.0
        self.result: Result | None = None
        self.error: AffectVLMError | None = None
        self.failure: Exception | None = None
        """A fault of the program, for whoever waits for the result."""
        self._do = do
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="work beside the page", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether there is more to come."""
        return self._thread.is_alive()

    @property
    def stopped(self) -> bool:
        """Whether it was told to stop."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Let it end where it next tells how far it is; there will be no result."""
        self._stop.set()

    def wait(self, seconds: float | None = None) -> None:
        """Wait for its end, or for so long."""
        self._thread.join(seconds)

    def _run(self) -> None:
        try:
            self.result = self._do(self._tell)
        except StoppedError:
            pass
        except AffectVLMError as error:
            self.error = error
        except Exception as failure:  # raised again where the result is asked for: a thread has nobody to tell
            self.failure = failure

    def _tell(self, doing: str, share: float) -> None:
        if self._stop.is_set():
            raise StoppedError
        self.doing, self.share = doing, min(max(share, 0.0), 1.0)
