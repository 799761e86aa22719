"""The header and the rows of a PLY file, in text or binary, with lists of any length.

Greg Turk's "The PLY Polygon File Format" (1994): elements with counts and properties, and then their rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numba
import numpy as np

from affectvlm.errors import ScanError
from affectvlm.scan.number_list import read_numbers
from affectvlm.scan.vrml_nodes import line_at

MAX_HEADER = 100_000
"""Bytes; a header has about four hundred."""

MAX_CELLS = 60_000_000
"""Rows times properties of an element; a scan has half a million."""

TYPES = {
    **{"char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4"},
    **{"float": "f4", "double": "f8", "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2"},
    **{"int32": "i4", "uint32": "u4", "float32": "f4", "float64": "f8"},
}
"""Names of types, those of the first programs and later ones, and numpy's."""

ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}


@dataclass
class Element:
    """What the header says of one kind of rows.

    Parameters
    ----------
    name : str
    count : int
    properties : list of (name, type, type of a list's length or "")
    """

    name: str
    count: int
    properties: list[tuple[str, str, str]] = field(default_factory=list)


@dataclass
class Header:
    """What stands before the rows.

    Parameters
    ----------
    order : str
        ``<`` or ``>``; empty for text.
    elements : list of Element
    pictures : list of str
        Named by ``comment TextureFile``, as MeshLab does.
    end : int
        Where the rows begin.
    """

    order: str
    elements: list[Element]
    pictures: list[str]
    end: int


Column = np.ndarray | tuple[np.ndarray, np.ndarray]
"""(N,) values of a property; of a list the (M,) values of all rows together, and the (N,) lengths."""


def read_header(content: bytes, path: Path) -> Header:
    """Read the header.

    Raises
    ------
    ScanError
        It is damaged, or announces more than the file can hold.
    """
    at = content.find(b"end_header", 0, MAX_HEADER)
    first = content.find(b"\n", at)
    if not content.startswith(b"ply") or at < 0 or first < 0:
        raise ScanError(
            f"{path}: expected a PLY mesh, found no whole header from 'ply' to 'end_header'; export it again"
        )
    header = Header("?", [], [], first + 1)
    for number, line in enumerate(content[:at].decode("utf-8", "replace").splitlines(), 1):
        words = line.split()
        try:
            match words:
                case ["format", order, *_]:
                    header.order = ORDERS[order]
                case ["comment", word, _, *_] if word.lower() == "texturefile":
                    header.pictures.append(line.split(maxsplit=2)[2].strip())
                case ["element", name, count]:
                    header.elements.append(Element(name, int(count)))
                case ["property", "list", length, kind, name] if TYPES[length][0] != "f":
                    header.elements[-1].properties.append((name, TYPES[kind], TYPES[length]))
                case ["property", kind, name]:
                    header.elements[-1].properties.append((name, TYPES[kind], ""))
        except (KeyError, ValueError, IndexError) as error:
            raise ScanError(f"{path}: line {number}: expected a line of a PLY header, found {line[:80]!r}") from error
    if header.order == "?":
        raise ScanError(f"{path}: expected a line 'format ascii 1.0' or the like, found none; export the scan again")
    left = len(content) - header.end
    for element in header.elements:
        # A value in text takes two bytes with its space, and the last one of the file a single one.
        sizes = [np.dtype(length or kind).itemsize if header.order else 2 for _, kind, length in element.properties]
        cells = element.count * max(len(sizes), 1)
        if not 0 <= cells <= MAX_CELLS or element.count * sum(sizes) > left + 1 or (element.count and not sizes):
            raise ScanError(
                f"{path}: announces {element.count} of {element.name!r}, which its {len(content)} bytes cannot hold; "
                "the file is damaged or cut short, export it again"
            )
    return header


def read_rows(content: bytes, header: Header, path: Path) -> dict[str, dict[str, Column]]:
    """Read all rows, as columns by the names of element and property.

    Raises
    ------
    ScanError
        They are cut short, or in text and no numbers.
    """
    if header.order:
        data = np.frombuffer(content, np.uint8)
        at = header.end
    else:
        data, mistake = read_numbers(content + b"]", header.end, len(content))
        if mistake >= 0:
            word = content[mistake : mistake + 30].split(maxsplit=1)[0].decode("latin-1")
            raise ScanError(f"{path}: line {line_at(content, mistake)}: expected a number, found {word!r}")
        at = 0
    table: dict[str, dict[str, Column]] = {}
    for element in header.elements:
        columns, at = _element_rows(data, at, element, header.order)
        if at < 0:
            raise ScanError(
                f"{path}: expected {element.count} of {element.name!r}, found the file to end before; it is cut short "
                "or damaged, export it again"
            )
        table.setdefault(element.name, columns)
    return table


def _element_rows(data: np.ndarray, at: int, element: Element, order: str) -> tuple[dict[str, Column], int]:
    """Return the columns of an element whose rows begin at ``at``, and where they end; -1 when data end before.

    ``data`` are the file's bytes, or in text (``order`` is empty) its numbers, (N,) float64.
    """
    if not element.properties:
        return {}, at
    kinds = [np.dtype(order + kind) if order else np.dtype(np.float64) for _, kind, _ in element.properties]
    unit = data.itemsize
    sizes = np.array([kind.itemsize // unit for kind in kinds], np.int64)
    counts = np.array(
        [(np.dtype(length).itemsize if order else 1) if length else 0 for _, _, length in element.properties], np.int64
    )
    end = at + element.count * int(sizes.sum())
    if not counts.any() and end <= len(data):
        rows = np.ndarray((element.count, int(sizes.sum())), data.dtype, data, at * unit)
        columns: dict[str, Column] = {}
        for (name, _, _), kind, size, before in zip(element.properties, kinds, sizes, np.cumsum(sizes), strict=True):
            columns[name] = np.ascontiguousarray(rows[:, before - size : before]).view(kind).reshape(-1)
        return columns, end
    starts = np.empty((element.count, len(kinds)), np.int64)
    lengths = np.empty((element.count, len(kinds)), np.int64)
    end = _walk(data, at, sizes, counts, order == ">", starts, lengths)
    if end < 0:
        return {}, -1
    columns = {}
    for i, (name, _, length) in enumerate(element.properties):
        values = _values(data, starts[:, i], lengths[:, i], kinds[i])
        columns[name] = (values, lengths[:, i]) if length else values
    return columns, end


@numba.njit(cache=True, nogil=True)
def _walk(
    data: np.ndarray,
    at: int,
    sizes: np.ndarray,
    counts: np.ndarray,
    big_endian: bool,
    starts: np.ndarray,
    lengths: np.ndarray,
) -> int:
    """Find where each property of each row begins and how many values it has; tell where the rows end, or -1."""
    for row in range(starts.shape[0]):
        for i in range(sizes.shape[0]):
            length = np.int64(1)
            if counts[i] > 0:
                if at + counts[i] > data.shape[0]:
                    return -1
                length = np.int64(data[at])
                if counts[i] > 1:
                    length = np.int64(0)
                    for byte in range(counts[i]):
                        place = at + byte if big_endian else at + counts[i] - 1 - byte
                        length = length * 256 + np.int64(data[place])
                at += counts[i]
            if length < 0 or length > data.shape[0] or at + length * sizes[i] > data.shape[0]:
                return -1
            starts[row, i] = at
            lengths[row, i] = length
            at += length * sizes[i]
    return at


def _values(data: np.ndarray, starts: np.ndarray, lengths: np.ndarray, kind: np.dtype) -> np.ndarray:
    """(M,) values of one property in all rows."""
    if len(starts) == 0:
        return np.empty(0, kind)
    width = kind.itemsize // data.itemsize
    steps = np.diff(starts)
    if (lengths == lengths[0]).all() and (len(steps) == 0 or (steps == steps[0]).all()):
        step = int(steps[0]) if len(steps) else width
        shape, strides = (len(starts), int(lengths[0])), (step * data.itemsize, kind.itemsize)
        return np.ndarray(shape, kind, data, int(starts[0]) * data.itemsize, strides).reshape(-1)
    before = np.cumsum(lengths) - lengths
    first = np.repeat(starts - before * width, lengths) + np.arange(int(lengths.sum())) * width
    return np.ascontiguousarray(data[first[:, None] + np.arange(width)]).view(kind).reshape(-1)
