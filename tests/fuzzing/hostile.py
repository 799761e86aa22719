"""Files made to harm: headers that announce what is not there, small files that unpack to gigabytes, names of files
that are none of the scan's, brackets without end."""

from __future__ import annotations

import gzip
import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from .fixtures import Fixture
from .fixtures import make_fixtures as make_valid
from .mutators import NAMES, glb, png, zipped

MANY = 4_000_000_000
GIGABYTES = 4


def make_fixtures(folder: Path) -> dict[str, Fixture]:
    """Every hostile file, under the name of what it is, a colon, and what is wrong with it."""
    valid = make_valid(folder)
    return {
        f"{kind}: {what}": Fixture(valid[kind].files | files, valid[kind].read)
        for kind, what, files in [*_announced(valid), *_unpacked(valid), *_nested(valid), *_elsewhere(valid)]
    }


MUST_BE_REFUSED = ("announces", "unpacks to", "nests")
"""How the second part of the names begins where nothing can be read."""


def deflated_zeros(gibibytes: int, bits: int = -15) -> bytes:
    """A raw deflate stream (or, with 15 bits, a zlib stream without its checksum) of zeros, made in no time.

    A full flush forgets what came before, so that the same bytes can stand again and again.
    """
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(1 << 26)) + packer.flush(zlib.Z_FULL_FLUSH)
    return (b"\x78\x9c" if bits > 0 else b"") + block * (16 * gibibytes) + packer.flush()


def _announced(valid: dict[str, Fixture]) -> Iterator[tuple[str, str, dict[str, bytes]]]:
    def with_header(kind: str, old: bytes, new: bytes) -> tuple[str, str, dict[str, bytes]]:
        fixture = valid[kind]
        content = fixture.files[fixture.main]
        assert content.count(old) == 1, (kind, old)
        return kind, f"announces {new.decode('latin-1')!r}", {fixture.main: content.replace(old, new)}

    for kind in ("ply", "ply, coloured", "ply, big end first", "ply, text"):
        for element, count in (("vertex", 121), ("face", 200)):
            yield with_header(kind, f"element {element} {count}\n".encode(), f"element {element} {MANY}\n".encode())
    yield with_header("ply", b"property list uchar int", b"property list uint int")
    yield with_header("off", b"\n121 200 0", f"\n{MANY} 200 0".encode())
    yield with_header("off", b"\n121 200 0", f"\n121 {MANY} 0".encode())
    stl = valid["stl"].files["face.stl"]
    yield "stl", "announces 4294967295 triangles", {"face.stl": stl[:80] + b"\xff" * 4 + stl[84:]}
    yield from _announced_gltf(valid)
    yield from _announced_range_images(valid)
    yield "lm3", "announces 999999 landmarks", {"face.lm3": b"999999 landmarks:\nChin\n1 2 3\n"}
    yield "lm3", f"announces {MANY} landmarks", {"face.lm3": b"%d landmarks:\nChin\n1 2 3\n" % MANY}
    for size in (60_000, 2**31 - 1):
        header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
        picture = png([(b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")])
        yield "picture, png", f"announces {size} x {size} pixels", {"face.png": picture}
    jpg = valid["picture, jpg"].files["face.jpg"]
    place = jpg.index(b"\xff\xc0") + 5
    yield (
        "picture, jpg",
        "announces 65500 x 65500 pixels",
        {"face.jpg": jpg[:place] + struct.pack(">HH", 65500, 65500) + jpg[place + 4 :]},
    )
    bmp = valid["picture, bmp"].files["face.bmp"]
    yield (
        "picture, bmp",
        "announces 40000 x 40000 pixels",
        {"face.bmp": bmp[:18] + struct.pack("<ii", 40_000, 40_000) + bmp[26:]},
    )


def _announced_gltf(valid: dict[str, Fixture]) -> Iterator[tuple[str, str, dict[str, bytes]]]:
    content = valid["glb"].files["face.glb"]
    yield "glb", "announces a first part of 4 GB", {"face.glb": content[:12] + b"\xf0\xff\xff\xff" + content[16:]}
    length = struct.unpack_from("<I", content, 12)[0]
    yield (
        "glb",
        "announces a second part of 4 GB",
        {"face.glb": content[: 20 + length] + b"\xf0\xff\xff\xff" + content[24 + length :]},
    )
    tree, buffer = json.loads(content[20 : 20 + length]), content[28 + length :]

    def changed(what: str, **parts: object) -> tuple[str, str, dict[str, bytes]]:
        return "glb", what, {"face.glb": glb(json.dumps(tree | parts).encode(), buffer)}

    accessors = [dict(accessor) for accessor in tree["accessors"]]
    del accessors[0]["bufferView"]
    accessors[0]["count"] = MANY
    yield changed(f"announces {MANY} points without data", accessors=accessors)
    accessors = [dict(accessor) for accessor in tree["accessors"]]
    accessors[0]["count"] = MANY
    yield changed(f"announces {MANY} points", accessors=accessors)
    views = [{"buffer": 0, "byteLength": len(buffer) - 4} for _ in range(50_000)]
    yield changed("announces the same bytes 50000 times", bufferViews=tree["bufferViews"] + views)
    primitive = tree["meshes"][0]["primitives"][0]
    yield changed("announces the same mesh 50000 times", meshes=[{"primitives": [primitive] * 50_000}])
    nodes = [{"children": [2 * i + 1, 2 * i + 2]} for i in range(1 << 12)] + [{"mesh": 0}] * ((1 << 12) + 2)
    yield changed("has 4096 places of one mesh", nodes=nodes)


def _announced_range_images(valid: dict[str, Fixture]) -> Iterator[tuple[str, str, dict[str, bytes]]]:
    bnt = valid["bnt"].files["face.bnt"]
    for rows, columns in ((65535, 65535), (65535, 1), (0, 0)):
        values = struct.pack("<I", 5 * rows * columns & 0xFFFFFFFF)
        content = struct.pack("<HH", rows, columns) + bnt[4:14] + values + bnt[18 + len("face.png") :]
        yield "bnt", f"announces {rows} x {columns} pixels", {"face.bnt": content.replace(b"face.png", b"")}
    yield "bnt", "announces a name of 65535 bytes", {"face.bnt": bnt[:12] + b"\xff\xff" + bnt[14:]}
    text = valid["abs"].files["face.abs"]
    for rows in (b"4000000000", b"999999999", b"30000", b"0", b"-1", b"9" * 10_000):
        packed = gzip.compress(text.replace(b"11 rows", rows + b" rows"), mtime=0)
        yield "abs", f"announces {rows[:12].decode()} rows", {"face.abs": text.replace(b"11 rows", rows + b" rows")}
        yield "abs, packed", f"announces {rows[:12].decode()} rows", {"face.abs.gz": packed}
    for size in (60_000, 2**31 - 1):
        header = struct.pack(">IIBBBBB", size, size, 16, 0, 0, 0, 0)
        picture = png([(b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")])
        yield "depth", f"announces {size} x {size} pixels", {"face.png": picture}
    for shape in ((60_000, 60_000), (MANY, 2), (2**40, 2**40), (-1, -1), (10**400, 1)):
        header = f"{{'descr': '<u2', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
        npy = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(1000)
        asked = f"announces a depth of {str(shape)[:40]}"
        yield "npz, depth", asked, {"face.npz": zipped({"depth.npy": npy})}
    objects = b"{'descr': '|O', 'fortran_order': False, 'shape': (1, 1), }".ljust(117) + b"\n"
    evil = b"cposix\nsystem\n(S'echo'\ntR."
    npy = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(objects)) + objects + evil
    yield "npz, depth", "announces a pickle", {"face.npz": zipped({"depth.npy": npy})}


def _unpacked(valid: dict[str, Fixture]) -> Iterator[tuple[str, str, dict[str, bytes]]]:
    header = struct.pack(">IIBBBBB", 36_000, 36_000, 8, 2, 0, 0, 0)
    picture = png([(b"IHDR", header), (b"IDAT", deflated_zeros(GIGABYTES, 15)), (b"IEND", b"")])
    yield "picture, png", f"unpacks to {GIGABYTES} GB", {"face.png": picture}
    wrl, text = valid["wrl"].files["face.wrl"], valid["abs"].files["face.abs"]
    rows = text.replace(b"11 rows", b"11000 rows")
    for what, bomb in (("in one part", gzip_bomb), ("in many parts", gzip_bomb_of_many_members)):
        yield "wrl, packed", f"unpacks to {GIGABYTES} GB {what}", {"face.wrl.gz": bomb()}
        yield "wrl, packed", f"unpacks to {GIGABYTES} GB {what}, after a face", {"face.wrl.gz": bomb(wrl)}
        yield "wrl, packed", f"unpacks to {GIGABYTES} GB {what}, within a face", {"face.wrl.gz": bomb(wrl[:2000])}
        yield "abs, packed", f"unpacks to {GIGABYTES} GB {what}", {"face.abs.gz": bomb()}
        yield "abs, packed", f"unpacks to {GIGABYTES} GB {what}, within a face", {"face.abs.gz": bomb(rows)}
        yield "abs, packed", f"has {GIGABYTES} GB {what} after a face", {"face.abs.gz": bomb(text)}
    yield "npz, depth", f"unpacks to {GIGABYTES} GB", {"face.npz": zip_bomb()}


def zip_bomb() -> bytes:
    """A zip file whose ``depth.npy`` is gigabytes of zeros, as its header says."""
    side = 46_000
    header = f"{{'descr': '<u2', 'fortran_order': False, 'shape': ({side}, {side}), }}".encode().ljust(117) + b"\n"
    start = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH) + deflated_zeros(GIGABYTES)
    sizes = struct.pack("<III", 0, len(packed), GIGABYTES * (1 << 30) - 1)
    name = b"depth.npy"
    common = struct.pack("<HHHHH", 20, 0, 8, 0, 0) + sizes + struct.pack("<HH", len(name), 0)
    local = b"PK\x03\x04" + common + name + packed
    directory = b"PK\x01\x02\x14\x00" + common + struct.pack("<HHHII", 0, 0, 0, 0, 0) + name
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(directory), len(local), 0)
    return local + directory + end


def gzip_bomb(start: bytes = b"") -> bytes:
    """A gzip file of ``start`` and gigabytes of zeros after it."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    head = packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH)
    return b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03" + head + deflated_zeros(GIGABYTES)


def gzip_bomb_of_many_members(start: bytes = b"") -> bytes:
    """The same of many gzip files in a row, which are one."""
    return gzip.compress(start, mtime=0) + gzip.compress(bytes(1 << 26), mtime=0) * (16 * GIGABYTES)


def _nested(valid: dict[str, Fixture]) -> Iterator[tuple[str, str, dict[str, bytes]]]:
    deep = 100_000
    yield "gltf", "nests lists", {"face.gltf": b'{"asset":' + b"[" * deep + b"]" * deep + b"}"}
    yield "gltf", "nests objects", {"face.gltf": b'{"a":' * deep + b"1" + b"}" * deep}
    tree = json.loads(valid["gltf"].files["face.gltf"])
    chain = [{"children": [i + 1]} for i in range(20_000)] + [{"mesh": 0}]
    yield "gltf", "has nodes in a chain of 20000", {"face.gltf": json.dumps(tree | {"nodes": chain}).encode()}
    circle = [{"children": [1], "mesh": 0}, {"children": [0]}]
    yield "gltf", "has nodes in a circle", {"face.gltf": json.dumps(tree | {"nodes": circle}).encode()}
    head = b"#VRML V2.0 utf8\n"
    wrl = valid["wrl"].files["face.wrl"].removeprefix(head)
    for what, opening, closing in (
        ("groups", b"Group { children [ ", b"] } "),
        ("transforms", b"Transform { scale 2 2 2 children [ ", b"] } "),
        ("braces", b"{", b"}"),
        ("lists", b"[", b"]"),
        ("prototypes", b"PROTO A [ ] { ", b"} "),
    ):
        yield "wrl", f"has {deep} {what} round a face", {"face.wrl": head + opening * deep + wrl + closing * deep}
        yield "wrl", f"has {deep} {what} that do not end", {"face.wrl": head + opening * deep + wrl}
    yield (
        "wrl",
        "has a circle of names",
        {"face.wrl": head + b"DEF A Group { children [ DEF B Group { children [ USE A ] } USE B ] }\n" + wrl},
    )
    doubling = b"".join(b"DEF N%d Group { children [ USE N%d USE N%d ] }\n" % (i + 1, i, i) for i in range(40))
    yield (
        "wrl",
        "has 2^40 faces by names used again",
        {"face.wrl": head + b"DEF N0 Group { children [ " + wrl + b" ] }\n" + doubling},
    )
    again = b"Group { children [ " + b"USE N0 " * 100_000 + b"] }"
    yield (
        "wrl",
        "has 100000 faces by a name used again",
        {"face.wrl": head + b"DEF N0 Group { children [ " + wrl + b" ] }\n" + again},
    )
    cloud = b"Shape { geometry IndexedFaceSet { coord Coordinate { point [ %b ] } coordIndex [ 0 1 2 -1 ] } }"
    few = cloud % (b"1 2 3, 4 5 6, 7 8 10, " * 7000)
    again = b"Group { children [ " + b"USE N0 " * 15_000 + b"] }"
    yield (
        "wrl",
        "has 15000 places of a triangle among many points",
        {"face.wrl": head + b"DEF N0 Group { children [ " + few + b" ] }\n" + again},
    )
    yield "wrl", "has text that does not end", {"face.wrl": head + b'WorldInfo { title "' + wrl.replace(b'"', b"") * 50}
    yield (
        "wrl",
        "asks for another file",
        {"face.wrl": head + b'Inline { url "../secret.wrl" } EXTERNPROTO A [ ] "/etc/passwd"\n' + wrl},
    )
    points = b"coord Coordinate { point [ " + b"9" * 1_000_000 + b" 0 0 ] }"
    yield "wrl", "has a number of a million digits", {"face.wrl": head + b"Shape { geometry IndexedFaceSet { " + points}
    yield (
        "wrl",
        "has a polygon of 100000 corners",
        {"face.wrl": head + wrl.replace(b"coordIndex [", b"coordIndex [ " + b"1,2,3,4," * 25_000 + b"-1,", 1)},
    )
    yield "bnd", "has a number of 100000 digits", {"face.bnd": b"9" * 100_000 + b" 0 0 0\n" * 83}
    yield "bnd", "has infinite numbers", {"face.bnd": b"inf nan 1e999 0\n" * 83}
    camera = b'{"fx":' + b"[" * deep + b"]" * deep + b"}"
    yield "depth", "nests lists", {"face.json": camera}
    for number in ("1" * 5000, "1e999", "NaN", "Infinity", "true", "null", "[]", "{}", '"40"', "-40", "0", "1e-320"):
        text = valid["depth"].files["face.json"].replace(b'"fx": 40.0', b'"fx": ' + number.encode())
        yield "depth", f"has a camera with an fx of {number[:12]}", {"face.json": text}
    obj = valid["obj"].files["face.obj"]
    yield "obj", "has a polygon of 100000 corners", {"face.obj": obj + b"f" + b" 1 2 3 4" * 25_000 + b"\n"}
    yield "obj", "has a number of a million digits", {"face.obj": b"v " + b"9" * 1_000_000 + b" 0 0\n" + obj}
    yield "obj", "has a million short lines", {"face.obj": obj + b"g\n" * 1_000_000}


def _elsewhere(valid: dict[str, Fixture]) -> Iterator[tuple[str, str, dict[str, bytes]]]:
    for name in NAMES:
        asked = f"asks for {name[:40]!r}"
        raw, quoted = name.encode(), json.dumps(name).encode()
        textured = valid["obj, textured"].files
        yield (
            "obj, textured",
            f"{asked}, a picture",
            {
                "face.mtl": textured["face.mtl"].replace(b"face.png", raw),
            },
        )
        yield (
            "obj, textured",
            f"{asked}, a material",
            {
                "face.obj": textured["face.obj"].replace(b"face.mtl", raw),
            },
        )
        ply = valid["ply, textured"].files["face.ply"]
        yield "ply, textured", asked, {"face.ply": ply.replace(b"face.jpg", raw, 1)}
        wrl = valid["wrl"].files["face.wrl"]
        yield "wrl", asked, {"face.wrl": wrl.replace(b"face.jpg", raw)}
        bnt = valid["bnt"].files["face.bnt"]
        place = bnt.index(b"face.png")
        named = struct.pack("<H", len(raw)) + raw
        yield "bnt", asked, {"face.bnt": bnt[: place - 2] + named + bnt[place + len("face.png") :]}
        gltf = valid["gltf"].files["face.gltf"]
        yield "gltf", f"{asked}, a picture", {"face.gltf": gltf.replace(b'"face.png"', quoted)}
        yield "gltf", f"{asked}, a buffer", {"face.gltf": gltf.replace(b'"face.bin"', quoted)}
