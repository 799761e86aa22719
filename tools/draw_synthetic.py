"""Draw the pictures of docs/synthetic.md: what the generator makes.

    python tools/draw_synthetic.py --ict ICT-FaceKit --makehuman mpfb2

writes ``docs/images/synthetic-*.jpg``.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from affectvlm.emotions import EMOTIONS
from affectvlm.scan import FaceScan
from affectvlm.synthesis.expressions import INTENSITIES
from affectvlm.synthesis.generate import Study, Take
from affectvlm.synthesis.library import FaceSource, load_face_model
from affectvlm.synthesis.person import draw_person
from affectvlm.synthesis.sensors import SENSORS
from affectvlm.synthesis.transfer import lend_shapes
from affectvlm.views import Rig, render
from affectvlm.views.picture import AMBIENT, CLAY, LIGHTS, TILE, grid

IMAGES = Path(__file__).parents[1] / "docs/images"
TILE_PX = 150
SEED = 20
PEOPLE = 8


def portrait(scan: FaceScan, yaw_deg: float = 0.0, clay: bool = False) -> Image.Image:
    """Draw a scan under the lights of the project's pictures, in its own colours or as clay."""
    rig = Rig(yaw_deg={"view": yaw_deg}, size_px=2 * TILE_PX, field_mm=210, maps=("depth", "normals", "texture"))
    views = render(scan, rig)
    assert views.normals is not None
    assert views.texture is not None
    light = np.broadcast_to(AMBIENT, views.normals.shape).copy()
    for direction, colour in LIGHTS:
        towards = np.array(direction) / np.linalg.norm(direction)
        light += np.clip(views.normals @ towards, 0, None)[..., None] * colour
    own = CLAY if clay else (views.texture / 255.0) ** 2.2
    colours = 255 * np.clip(own * light, 0, 1) ** (1 / 2.2)
    picture = np.where(views.mask[0][..., None], colours[0], TILE).astype(np.uint8)
    return Image.fromarray(picture).resize((TILE_PX, TILE_PX), Image.Resampling.LANCZOS)


def upright(study: Study, take: Take) -> FaceScan:
    """Record a take and turn the head to the camera."""
    made = study.record(take)
    return made.scan.moved(made.rotation.T, np.zeros(3))


def people(sources: list[FaceSource]) -> Image.Image:
    """Neutral faces of each face model."""
    rows = []
    for source in sources:
        study = Study(source, subjects=PEOPLE, seed=SEED, textured=True)
        neutral = [take for take in study.takes() if take.emotion == "neutral"]
        rows.append([portrait(upright(study, take), yaw_deg=20 * (i % 2)) for i, take in enumerate(neutral)])
    return grid(rows, [source.name for source in sources], ["front", "20° to the left"] * (PEOPLE // 2))


def expressions(source: FaceSource) -> Image.Image:
    """Six emotions of six people, at four intensities from the front and at the highest from the side."""
    study = Study(source, subjects=len(EMOTIONS), seed=SEED, textured=True)
    rows = []
    for number, emotion in enumerate(EMOTIONS):
        takes = [t for t in study.takes() if t.subject.number == number and t.emotion == emotion]
        faces = [upright(study, take) for take in takes]
        rows.append([*(portrait(face) for face in faces), portrait(faces[-1], 30), portrait(faces[-1], clay=True)])
    columns = [f"intensity {i}" for i in INTENSITIES] + ["4, from her or his left", "4, shape alone"]
    return grid(rows, list(EMOTIONS), columns)


def lent(source: FaceSource, lenders: list[FaceSource]) -> Image.Image:
    """One person's six emotions by his own model's action units, and by those that other models lend him."""
    model = load_face_model(source)
    person = draw_person(model, np.random.default_rng(SEED), variety=0)
    faces = [person, *(replace(person, shapes=lend_shapes(load_face_model(one), model)[0]) for one in lenders)]
    apexes = [person.style.apexes[emotion] for emotion in EMOTIONS]
    rows = [[portrait(face.face(apex), clay=True) for apex in apexes] for face in faces]
    return grid(rows, ["its own", *(f"of {one.name}" for one in lenders)], list(EMOTIONS))


def sensors(source: FaceSource) -> Image.Image:
    """The same three scans as each sensor records them: colours, and the shape alone."""
    rows = []
    for name in SENSORS:
        study = Study(source, subjects=3, sensor=name, seed=SEED, textured=True)
        chosen = [t for t in study.takes() if (t.emotion, t.intensity) == (EMOTIONS[3 - t.subject.number], 4)]
        faces = [upright(study, take) for take in chosen]
        rows.append([portrait(face, clay=clay) for face in faces for clay in (False, True)])
    return grid(rows, list(SENSORS), ["photographed", "shape alone"] * 3)


def sequence(source: FaceSource) -> Image.Image:
    """Frames of three sequences of one person."""
    study = Study(source, "bu4dfe", subjects=1, seed=SEED, textured=True)
    rows, names = [], []
    for emotion in EMOTIONS[2:5]:
        frames = [take for take in study.takes() if take.emotion == emotion]
        chosen = np.linspace(0, len(frames) - 1, PEOPLE).round().astype(int)
        rows.append([portrait(study.record(frames[i]).scan) for i in chosen])
        names.append(f"{emotion}\n{len(frames)} frames at 25 fps")
    return grid(rows, names, [f"{share:.0%}" for share in np.linspace(0, 1, PEOPLE)])


def main() -> None:
    """Draw all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ict", type=Path, required=True, help="folder of ICT-FaceKit")
    parser.add_argument("--makehuman", type=Path, required=True, help="folder of MakeHuman")
    options = parser.parse_args()
    embedded = FaceSource.find("embedded")
    ict = FaceSource.find("ict-facekit", options.ict)
    makehuman = FaceSource.find("makehuman", options.makehuman)
    sheets = {
        "people": people([embedded, ict, makehuman]),
        "expressions": expressions(embedded),
        "lent": lent(ict, [embedded, makehuman]),
        "sensors": sensors(ict),
        "sequence": sequence(embedded),
    }
    for name, sheet in sheets.items():
        sheet.save(IMAGES / f"synthetic-{name}.jpg", quality=90)


if __name__ == "__main__":
    main()
