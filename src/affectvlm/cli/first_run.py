"""Why the first run takes long: its kernels are compiled, and later runs read them from numba's cache."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from affectvlm.console import say_status


@contextmanager
def compiling_told() -> Iterator[None]:
    """Say it, once, as soon as numba compiles anything.

    Numba itself is asked, not a mark in a folder: kernels are compiled again after an upgrade, on a machine with
    another processor that shares the folder, or for a kind of file that was never read before.
    """
    from numba.core.event import Event, Listener, install_listener  # numba is slow to import

    class OnceListener(Listener):
        told = False

        def on_start(self, event: Event) -> None:
            if not self.told:
                self.told = True
                say_status("compiling for this machine, up to a minute; later runs need not ...")

        def on_end(self, event: Event) -> None:
            pass

    with install_listener("numba:compile", OnceListener()):
        yield
