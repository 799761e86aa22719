"""What a reader must do with any file whatever: give something, or refuse it in one line that names the file.

It must do so in little time and memory, without an index out of bounds, and without a look at other files.
"""

from __future__ import annotations

import faulthandler
import gc
import math
import os
import resource
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from traceback import walk_tb

from affectvlm.errors import AffectVLMError

from .fixtures import Fixture

WALL_S = 300.0
"""Ends what waits instead of computing."""
MEMORY_MIB = 192
"""More than it takes to read any small file, less than any count in a header that is believed."""
HARD_MIB = 2048
"""Saves the machine from what goes on."""

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_EVENTS = {
    *("os.listdir", "os.scandir", "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.symlink", "os.truncate"),
    *("shutil.copyfile", "tempfile.mkstemp", "tempfile.mkdtemp", "glob.glob"),
}
_FORBIDDEN = ("socket.", "subprocess.", "urllib.", "http.", "ftplib.", "os.system", "os.exec", "os.posix_spawn")


@dataclass(frozen=True)
class Verdict:
    """How the reading of one file went.

    Parameters
    ----------
    complaint : str, optional
        What the reader did wrong.
    refusal : str, optional
        What it said, where it refused the file as it should.
    """

    complaint: str | None
    refusal: str | None


class OpenedFiles:
    """Watches what is opened while a file is read; there is no way to take such a hook out again."""

    def __init__(self) -> None:
        self.folder: Path | None = None
        self.complaints: list[str] = []
        self._own = tuple(
            os.path.realpath(folder)
            for folder in {
                *(
                    sys.prefix,
                    sys.base_prefix,
                    str(Path(__file__).parents[2] / "src"),
                    str(Path(__file__).parent),
                    "/dev/null",
                ),
                os.environ.get("NUMBA_CACHE_DIR", sys.prefix),
            }
        )
        sys.addaudithook(self._hear)

    @contextmanager
    def watched(self, folder: Path) -> Iterator[None]:
        """Note every file outside the folder that is opened, and every one inside that is written."""
        self.complaints = []
        self.folder = folder.resolve()
        try:
            yield
        finally:
            self.folder = None

    def _hear(self, event: str, details: tuple[object, ...]) -> None:
        if self.folder is None:
            return
        if event.startswith(_FORBIDDEN) or (event == "pickle.find_class" and not _by_numba()):
            self.complaints.append(f"{event} {details}")
        elif (event == "open" or event in _EVENTS) and details and isinstance(details[0], str | bytes | os.PathLike):
            path = os.path.realpath(os.fsdecode(details[0]))
            inside = Path(path).is_relative_to(self.folder)
            if not inside and not path.startswith(self._own):
                self.complaints.append(f"opened {path}, outside the folder")
            elif inside and event == "open" and isinstance(details[2], int) and details[2] & _WRITING:
                self.complaints.append(f"wrote {path}")


def _by_numba() -> bool:
    """Whether it is numba that is at work: it pickles its compiled code and its errors."""
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        if f"{os.sep}numba{os.sep}" in frame.f_code.co_filename:
            return True
    return False


class Judge:
    """Reads files, one after another, in a process of its own that may end with any of them.

    Parameters
    ----------
    cpu_s : float
        Of computing that a file may take.
    """

    def __init__(self, cpu_s: float) -> None:
        self.cpu_s = cpu_s
        self.opened = OpenedFiles()
        self._peak = math.inf
        faulthandler.enable()
        # Counts this process's own time, so that a busy machine ends nothing; the stack is printed on the way out.
        faulthandler.register(signal.SIGPROF, all_threads=False, chain=True)

    def bound_memory(self) -> None:
        """From now on, when everything is imported and compiled, count what a file takes."""
        gc.collect()
        now = _virtual_mib("VmSize")
        self._peak = _virtual_mib("VmPeak")
        most = int((now + HARD_MIB) * 2**20)
        resource.setrlimit(resource.RLIMIT_AS, (most, resource.getrlimit(resource.RLIMIT_AS)[1]))

    def verdict(self, fixture: Fixture, folder: Path) -> Verdict:
        """Read the fixture's files, damaged or not, in a folder."""
        before = _virtual_mib("VmSize")
        faulthandler.dump_traceback_later(WALL_S, exit=True)
        signal.setitimer(signal.ITIMER_PROF, self.cpu_s)
        try:
            with self.opened.watched(folder), warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                for kind in (RuntimeWarning, DeprecationWarning):
                    warnings.simplefilter("error", kind)
                verdict = _read(fixture, folder / fixture.main)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            faulthandler.cancel_dump_traceback_later()
        for warning in said:
            if (fault := _fault_of(str(warning.message), fixture, folder)) and not verdict.complaint:
                verdict = Verdict(f"a warning {fault}", verdict.refusal)
        if self.opened.complaints:
            verdict = Verdict(self.opened.complaints[0], verdict.refusal)
        peak = _virtual_mib("VmPeak")
        highest, self._peak = self._peak, max(self._peak, peak)  # the system keeps only the highest
        if peak > highest and peak - before > MEMORY_MIB:
            verdict = Verdict(f"took {peak - before:.0f} MiB; {verdict.complaint or 'nothing else'}", verdict.refusal)
        return verdict


def _read(fixture: Fixture, path: Path) -> Verdict:
    try:
        fixture.read(path)
    except AffectVLMError as error:
        return Verdict(_fault_of(str(error), fixture, path.parent) or _hidden_fault(error), str(error))
    except Exception as error:
        # Not traceback.extract_tb: that opens the sources.
        frames = [f"{Path(f.f_code.co_filename).name}:{line}" for f, line in walk_tb(error.__traceback__)]
        return Verdict(f"{type(error).__name__} at {' > '.join(frames[2:][-4:])}: {str(error)[:200]!r}", None)
    return Verdict(None, None)


def _fault_of(message: str, fixture: Fixture, folder: Path) -> str | None:
    """What is wrong with an error's or a warning's words."""
    if not any(str(folder / name) in message for name in fixture.files):
        return f"names no file: {message[:300]!r}"
    if not message.isprintable():
        return f"is not one printable line: {message[:300]!r}"
    if len(message) > 1000 + len(str(folder)):
        return f"is {len(message)} characters long: {message[:300]!r}"
    return None


def _hidden_fault(error: BaseException) -> str | None:
    """What a reader that catches everything hides: memory that was asked for, a kernel's index out of bounds."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, MemoryError) or "Unable to allocate" in str(cause):
            return f"asked for too much memory: {cause}"[:300]
        if isinstance(cause, IndexError) and str(cause) == "index is out of bounds":  # numba's own words
            return "an index out of bounds in compiled code"
        if isinstance(cause, OSError) and cause.errno == 24:
            return "left files open"
        cause = cause.__cause__ or cause.__context__
    return None


def _virtual_mib(what: str) -> float:
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(what)) / 1024
