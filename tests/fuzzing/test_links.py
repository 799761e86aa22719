"""A file beside the scan that is a link out of its folder counts as not there, whatever reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from affectvlm.errors import AffectVLMError
from affectvlm.scan import read_scan

from .fixtures import Fixture, make_fixtures

PICTURES = (
    ("obj, textured", "face.png"),
    ("obj, textured", "face.mtl"),
    ("ply, textured", "face.jpg"),
    ("gltf", "face.png"),
    ("wrl", "face.jpg"),
    ("wrl, packed", "face.jpg"),
    ("bnt", "face.png"),
    ("depth", "face.jpg"),
)
NEEDED = (("gltf", "face.bin"), ("depth", "face.json"), ("labels", "face.obj"))


@pytest.fixture(scope="module")
def fixtures(tmp_path_factory) -> dict[str, Fixture]:
    return make_fixtures(tmp_path_factory.mktemp("made"))


def laid_out(fixture: Fixture, folder: Path, linked: str, up: int) -> Path:
    """Write the fixture's files, one of them outside with a link to it; or with a whole folder of links in between."""
    inside = folder / "scans"
    inside.mkdir()
    for name, content in fixture.files.items():
        ((folder if name == linked else inside) / name).write_bytes(content)
    target = folder / linked
    if up:
        (inside / "round").symlink_to("..")
        target = Path("round") / linked
    (inside / linked).symlink_to(target)
    return inside / fixture.main


@pytest.mark.parametrize("up", [0, 1], ids=["absolute", "through another link"])
@pytest.mark.parametrize(("kind", "linked"), PICTURES)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_linked_picture_is_not_used(fixtures, tmp_path, kind, linked, up):
    path = laid_out(fixtures[kind], tmp_path, linked, up)
    assert read_scan(path).texture is None
    (path.parent / linked).unlink()
    (path.parent / linked).write_bytes(fixtures[kind].files[linked])
    assert read_scan(path).texture is not None  # it was for the link alone


@pytest.mark.parametrize("up", [0, 1], ids=["absolute", "through another link"])
@pytest.mark.parametrize(("kind", "linked"), NEEDED)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_without_a_linked_file_that_it_needs_a_scan_is_refused(fixtures, tmp_path, kind, linked, up):
    path = laid_out(fixtures[kind], tmp_path, linked, up)
    with pytest.raises(AffectVLMError):
        fixtures[kind].read(path)
    (path.parent / linked).unlink()
    (path.parent / linked).write_bytes(fixtures[kind].files[linked])
    fixtures[kind].read(path)
