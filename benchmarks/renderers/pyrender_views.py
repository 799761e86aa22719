"""Draw a scan's views with pyrender, for benchmarks/rendering.py: run by a Python that has pyrender and numpy.

Each scan is new to it, as each frame of a sequence is: the mesh and the picture are handed over, once with the
picture and once with the normals as colours of the vertices. Both are drawn flat (without lights) in every view, the
first with the depth buffer. The normals are trimesh's, on which pyrender builds; they stay in the scan's axes.
"""

import os
import sys

import numpy as np

os.environ.setdefault("PYOPENGL_PLATFORM", "egl")

import pyrender
import trimesh
from OpenGL.GL import GL_RENDERER, glGetString
from turns import take_turns

SIZE, FIELD, REACH = 224, 180.0, 300.0
NEAR, FAR = 1.0, 2 * REACH


def main() -> None:
    """Set up the renderer, then draw once for every line on the standard input."""
    given = dict(np.load(sys.argv[1]))
    renderer = pyrender.OffscreenRenderer(SIZE, SIZE)
    camera = pyrender.OrthographicCamera(FIELD / 2, FIELD / 2, znear=NEAR, zfar=FAR)
    flat = pyrender.RenderFlags.FLAT | pyrender.RenderFlags.SKIP_CULL_FACES

    def draw() -> dict[str, np.ndarray]:
        maps = {name: [] for name in ("texture", "depth", "normals")}
        normals = trimesh.Trimesh(given["vertices"], given["triangles"], process=False).vertex_normals
        primitives = {"texture": _textured(given, normals), "normals": _coloured(given, normals)}
        for name, primitive in primitives.items():
            scene = pyrender.Scene(bg_color=(0, 0, 0, 0), ambient_light=(1, 1, 1))
            scene.add(pyrender.Mesh([primitive]))
            node = scene.add(camera)
            for rotation in given["rotations"]:
                pose = np.eye(4)
                pose[:3, :3] = rotation.T
                pose[:3, 3] = given["centre"] + REACH * rotation[2]
                scene.set_pose(node, pose)
                colour, depth = renderer.render(scene, flags=flat)
                if name == "texture":
                    maps["texture"].append(colour)
                    # pyrender turns an orthographic buffer to depths as if it were a perspective one; undone here.
                    seen = depth > 0
                    buffer = (FAR + NEAR - 2 * NEAR * FAR / np.where(seen, depth, 1)) / (FAR - NEAR)
                    maps["depth"].append(np.where(seen, REACH - NEAR - (FAR - NEAR) * (buffer + 1) / 2, np.nan))
                else:
                    maps["normals"].append(colour / np.float32(127.5) - 1)
        return {name: np.stack(views) for name, views in maps.items()}

    draw()
    take_turns(f"pyrender {pyrender.__version__}, {glGetString(GL_RENDERER).decode()}", draw)


def _textured(given: dict[str, np.ndarray], normals: np.ndarray) -> pyrender.Primitive:
    picture = pyrender.Texture(source=given["texture"], source_channels="RGB")
    material = pyrender.MetallicRoughnessMaterial(baseColorTexture=picture, doubleSided=True)
    return pyrender.Primitive(
        given["vertices"],
        normals=normals,
        texcoord_0=given["uv"],
        indices=given["triangles"],
        material=material,
        mode=4,
    )


def _coloured(given: dict[str, np.ndarray], normals: np.ndarray) -> pyrender.Primitive:
    colours = np.ones((len(given["vertices"]), 4), np.float32)
    colours[:, :3] = (normals + 1) / 2
    return pyrender.Primitive(
        given["vertices"],
        normals=normals,
        color_0=colours,
        indices=given["triangles"],
        material=pyrender.MetallicRoughnessMaterial(doubleSided=True),
        mode=4,
    )


if __name__ == "__main__":
    main()
