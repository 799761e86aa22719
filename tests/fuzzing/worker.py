"""The process that reads damaged files: it may crash, hang or swell; :mod:`fuzzing.campaign` started it and watches.

It takes its task as JSON from standard input, and writes a line of JSON for each case when it is done.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from .cases import Case, damaged_files
from .fixtures import make_fixtures
from .judge import Judge

LINKS = tuple(f"link.{suffix}" for suffix in ("png", "jpg", "bmp", "mtl", "bin", "json"))
"""Beside every file that is read stand links that lead out of its folder."""


def main() -> None:
    """Read each case's files and tell how it went."""
    results = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints is no result
    task = json.load(sys.stdin)
    with tempfile.TemporaryDirectory() as place:
        root = Path(place).resolve()
        (root / "made").mkdir()
        fixtures = make_fixtures(root / "made")
        judge = Judge(task["cpu_s"])
        folders = {name: lay_out(root / str(i), fixture.files) for i, (name, fixture) in enumerate(fixtures.items())}
        for name, fixture in fixtures.items():
            verdict = judge.verdict(fixture, folders[name])
            if verdict.complaint or verdict.refusal:
                raise RuntimeError(f"{name}, undamaged: {verdict}")
        judge.bound_memory()
        if task["registry"] != make_fixtures.__module__:
            fixtures = importlib.import_module(task["registry"]).make_fixtures(root / "made")
            folders = {name: lay_out(root / f"_{i}", fixtures[name].files) for i, name in enumerate(fixtures)}
        for case in (Case(*item) for item in task["cases"]):
            fixture, folder = fixtures[case.fixture], folders[case.fixture]
            files = damaged_files(case, fixtures)
            for name, content in files.items():
                (folder / name).write_bytes(content)
            verdict = judge.verdict(fixture, folder)
            for name in files:
                (folder / name).write_bytes(fixture.files[name])
            results.write(json.dumps(asdict(verdict)) + "\n")
            results.flush()


def lay_out(root: Path, files: dict[str, bytes]) -> Path:
    """Make the folder that the files lie in, and round it what must not be opened."""
    folder = root / "scans"
    (folder / "inside").mkdir(parents=True)
    (root / "secret.png").write_bytes(b"secret")
    for link in LINKS:
        (folder / link).symlink_to(root / "secret.png")
    os.mkfifo(folder / "pipe.png")
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


if __name__ == "__main__":
    main()
