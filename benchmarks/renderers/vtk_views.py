"""Draw a scan's views with VTK, for benchmarks/rendering.py: run by a Python that has vtk and numpy, nothing else.

Each scan is new to it, as each frame of a sequence is: points, triangles, texture coordinates and the picture are
handed over (without a copy, where VTK can). A view takes two passes over the mesh, both without lights: the picture,
with the depth buffer, and the normals as colours of the vertices. VTK finds the normals itself; they stay in the scan's
axes.
"""

import sys

import numpy as np
import vtk
from turns import take_turns
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

SIZE, FIELD, REACH = 224, 180.0, 300.0


def main() -> None:
    """Set up the window, then draw once for every line on the standard input."""
    given = dict(np.load(sys.argv[1]))
    window = vtk.vtkRenderWindow()
    window.SetOffScreenRendering(1)
    window.SetMultiSamples(0)
    window.SetSize(SIZE, SIZE)
    renderer = vtk.vtkRenderer()
    window.AddRenderer(renderer)
    camera = renderer.GetActiveCamera()
    camera.ParallelProjectionOn()
    camera.SetParallelScale(FIELD / 2)
    mapper, actor = vtk.vtkPolyDataMapper(), vtk.vtkActor()
    mapper.SetColorModeToDirectScalars()
    actor.SetMapper(mapper)
    actor.GetProperty().LightingOff()
    renderer.AddActor(actor)
    pixels, nearness = vtk.vtkUnsignedCharArray(), vtk.vtkFloatArray()

    def draw() -> dict[str, np.ndarray]:
        mesh = _mesh(given)
        texture = _texture(given["texture"])
        mapper.SetInputData(mesh)
        maps = {name: [] for name in ("texture", "depth", "normals")}
        for right, up, backward in given["rotations"]:
            del right
            camera.SetFocalPoint(*given["centre"])
            camera.SetPosition(*(given["centre"] + REACH * backward))
            camera.SetViewUp(*up)
            camera.SetClippingRange(1, 2 * REACH)
            actor.SetTexture(texture)
            mapper.ScalarVisibilityOff()
            window.Render()
            window.GetPixelData(0, 0, SIZE - 1, SIZE - 1, 0, pixels, 0)
            maps["texture"].append(vtk_to_numpy(pixels).reshape(SIZE, SIZE, 3)[::-1].copy())
            window.GetZbufferData(0, 0, SIZE - 1, SIZE - 1, nearness)
            buffer = vtk_to_numpy(nearness).reshape(SIZE, SIZE)[::-1]
            maps["depth"].append(np.where(buffer < 1, REACH - 1 - buffer * (2 * REACH - 1), np.nan))
            actor.SetTexture(None)
            mapper.ScalarVisibilityOn()
            window.Render()
            window.GetPixelData(0, 0, SIZE - 1, SIZE - 1, 0, pixels, 0)
            maps["normals"].append(vtk_to_numpy(pixels).reshape(SIZE, SIZE, 3)[::-1] / np.float32(127.5) - 1)
        return {name: np.stack(views) for name, views in maps.items()}

    draw()
    lines = window.ReportCapabilities().splitlines()
    renderer_name = next((line.split(":", 1)[1].strip() for line in lines if "renderer string" in line), "unknown")
    take_turns(f"VTK {vtk.vtkVersion().GetVTKVersion()}, {window.GetClassName()}, {renderer_name}", draw)


def _mesh(given: dict[str, np.ndarray]) -> vtk.vtkPolyData:
    mesh, points, cells = vtk.vtkPolyData(), vtk.vtkPoints(), vtk.vtkCellArray()
    points.SetData(numpy_to_vtk(given["vertices"]))
    cells.SetData(3, numpy_to_vtk(given["triangles"].ravel()))
    mesh.SetPoints(points)
    mesh.SetPolys(cells)
    mesh.GetPointData().SetTCoords(numpy_to_vtk(given["uv"]))
    finder = vtk.vtkPolyDataNormals()
    finder.SetInputData(mesh)
    finder.SplittingOff()
    finder.ConsistencyOff()
    finder.Update()
    normals = vtk_to_numpy(finder.GetOutput().GetPointData().GetNormals())
    mesh.GetPointData().SetScalars(numpy_to_vtk(np.rint((normals + 1) * 127.5).astype(np.uint8)))
    return mesh


def _texture(picture: np.ndarray) -> vtk.vtkTexture:
    image, texture = vtk.vtkImageData(), vtk.vtkTexture()
    height, width = picture.shape[:2]
    image.SetDimensions(width, height, 1)
    image.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(picture[::-1]).reshape(-1, 3), deep=True))
    texture.SetInputData(image)
    texture.InterpolateOn()
    return texture


if __name__ == "__main__":
    main()
