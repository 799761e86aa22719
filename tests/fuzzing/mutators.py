"""How a valid file is damaged: one draw from a seeded generator, so that a case is always the same bytes."""

from __future__ import annotations

import gzip
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence

import numpy as np

LARGEST = 1 << 20
"""Bytes; a mutation never makes more."""

EXTREMES = (
    *(b"0", b"-1", b"1", b"2", b"-2", b"255", b"256", b"65535", b"65536", b"999999", b"4000000000"),
    *(b"2147483647", b"2147483648", b"-2147483648", b"4294967295", b"4294967296", b"9223372036854775807"),
    *(b"9223372036854775808", b"18446744073709551616", b"1e308", b"-1e308", b"1e39", b"1e-320", b"1e999999999"),
    *(b"nan", b"NaN", b"inf", b"-inf", b"-0", b"0x10", b"1_000", "١٢".encode(), b"1.2.3", b"--1", b"+", b"1,5", b""),
    *(b"9" * 400, b"9" * 5000, b"0." + b"0" * 5000 + b"1", b"1e" + b"9" * 50, b"-", b".", b"e", b"1e", b"1.", b".5"),
)
"""Numbers in text that readers stumble over."""

NAMES = (
    *("../secret.png", "../../etc/passwd", "/etc/passwd", "file:///etc/passwd", "http://127.0.0.1:9/x.png", "//etc/x"),
    *("..\\secret.png", "%2e%2e/secret.png", "..", ".", "", "/", "link.png", "link.mtl", "inside", "inside/.."),
    *(
        "x\0.png",
        "~root/x.png",
        "a" * 5000 + ".png",
        "é\u202e.png",
        "data:image/png;base64,AAAA",
        "data:,",
        "C:\\x.png",
    ),
    *("/proc/self/environ", "/dev/zero", "/dev/stdin", "pipe.png"),
)
"""Names of files that a scan might ask for; ``link.png`` and the like stand beside it and lead out."""

WORDS = (
    *(b"ply\n", b"OFF\n", b"solid x\n", b"glTF", b"#VRML V2.0 utf8\n", b"PK\x03\x04", b"\x1f\x8b\x08", b"\x89PNG\r\n"),
    *(b"element vertex 4000000000\n", b"end_header\n", b"property list uchar int vertex_indices\n", b"property float"),
    *(b"comment ", b"coord Coordinate { point [", b"coordIndex [", b"USE x", b"DEF x", b"Inline { url", b"PROTO x [ ]"),
    *(b"f 1 2 3\n", b"f -1 -2 -3\n", b"f 0 0 0\n", b"f 1//1 2//2 3//3\n", b"usemtl x\n", b"mtllib x\n", b"vt nan 0\n"),
    *(b"480 rows\n", b"landmarks:", b"#", b'"', b"'", b"\\", b"\\\n", b"{", b"}", b"[", b"]", b",", b"-1,", b"/"),
    *(b"\xef\xbb\xbf", b"\xff\xfe", b"\0", b"\0" * 4096, b"\r", b"\x1a", b" " * 4096, b"\n" * 4096, b"\x0c", b"\x85"),
)
"""What means something in one of the formats."""

BINARY = tuple(
    struct.pack(order + code, value)
    for order in "<>"
    for code, values in {
        "B": (0, 1, 127, 255),
        "H": (0, 1, 0x7FFF, 0xFFFF),
        "I": (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFE, 100_000_000),
        "Q": (0, 1 << 32, (1 << 63) - 1, (1 << 64) - 1),
        "f": (float("nan"), float("inf"), -float("inf"), 3.4e38, 1e-45, -1.0),
        "d": (float("nan"), float("inf"), -float("inf"), 1.7e308, 1e39, 5e-324, -1.0),
    }.items()
    for value in values
)
"""The same in binary."""

_NUMBER = re.compile(rb"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?")
_TOKEN = re.compile(rb"[^\s,]+")
_FILE_NAME = re.compile(rb"[\w.%-]+\.(?:png|jpe?g|bmp|mtl|bin|json|npz|obj|txt)", re.IGNORECASE)

Mutator = Callable[[bytes, Sequence[bytes], np.random.Generator], bytes]


def _cut(content: bytes, rng: np.random.Generator, longest: int = 1 << 30) -> tuple[int, int]:
    """A stretch of the content, mostly short."""
    start = int(rng.integers(len(content) + 1))
    length = int(min(2 ** rng.uniform(0, 14), longest, len(content) - start))
    return start, start + length


def _pick(items: Sequence[bytes], rng: np.random.Generator) -> bytes:
    return items[int(rng.integers(len(items)))]


def flip_bits(content: bytes, others: Sequence[bytes], rng: np.random.Generator) -> bytes:
    out = bytearray(content)
    for place in rng.integers(len(out), size=int(rng.integers(1, 9))) if out else ():
        out[place] ^= 1 << int(rng.integers(8))
    return bytes(out)


def set_bytes(content: bytes, others: Sequence[bytes], rng: np.random.Generator) -> bytes:
    start, end = _cut(content, rng, 16)
    return content[:start] + rng.bytes(end - start) + content[end:]


def insert_bytes(content: bytes, others: Sequence[bytes], rng: np.random.Generator) -> bytes:
    place = int(rng.integers(len(content) + 1))
    return content[:place] + rng.bytes(int(rng.integers(1, 17))) + content[place:]


def insert_word(content: bytes, others: Sequence[bytes], rng: np.random.Generator) -> bytes:
    place = int(rng.integers(len(content) + 1))
    return content[:place] + _pick(WORDS, rng) + content[place:]


def delete(content: bytes, others: Sequence[bytes], rng: np.random.Generator) -> bytes:
    start, end = _cut(content, rng)
    return content[:start] + content[end:]


def truncate(content: bytes, others: Sequence[bytes], rng: np.random.Generator) -> bytes:
    return content[: int(rng.integers(len(content) + 1))]


def cut_front(content: bytes, others: Sequence[bytes], rng: np.random.Generator) -> bytes:
    return content[int(rng.integers(len(content) + 1)) :]


def repeat(content: bytes, others: Sequence[bytes], rng: np.random.Generator) -> bytes:
    start, end = _cut(content, rng)
    block = content[start:end]
    times = min(int(2 ** rng.uniform(0, 12)), 65_536 // max(len(block), 1))
    return content[:end] + block * times + content[end:]


def splice(content: bytes, others: Sequence[bytes], rng: np.random.Generator) -> bytes:
    other = _pick(others, rng)
    here, there = int(rng.integers(len(content) + 1)), int(rng.integers(len(other) + 1))
    return content[:here] + other[there:]


def borrow(content: bytes, others: Sequence[bytes], rng: np.random.Generator) -> bytes:
    other = _pick(others, rng)
    start, end = _cut(other, rng)
    place = int(rng.integers(len(content) + 1))
    return content[:place] + other[start:end] + content[place:]


def _replaced(pattern: re.Pattern[bytes], content: bytes, new: bytes, rng: np.random.Generator) -> bytes:
    """One match, in half of the cases one of the first few, where headers stand."""
    matches = list(pattern.finditer(content, 0, 200_000))
    if not matches:
        return content
    match = matches[int(rng.integers(min(len(matches), 12) if rng.random() < 0.5 else len(matches)))]
    return content[: match.start()] + new + content[match.end() :]


def change_number(content: bytes, others: Sequence[bytes], rng: np.random.Generator) -> bytes:
    return _replaced(_NUMBER, content, _pick(EXTREMES, rng), rng)


def change_name(content: bytes, others: Sequence[bytes], rng: np.random.Generator) -> bytes:
    return _replaced(_FILE_NAME, content, NAMES[int(rng.integers(len(NAMES)))].encode(), rng)


def change_token(content: bytes, others: Sequence[bytes], rng: np.random.Generator) -> bytes:
    return _replaced(_TOKEN, content, _pick((*EXTREMES, *WORDS), rng), rng)


def swap_tokens(content: bytes, others: Sequence[bytes], rng: np.random.Generator) -> bytes:
    matches = list(_TOKEN.finditer(content, 0, 200_000))
    if len(matches) < 2:
        return content
    a, b = sorted(int(i) for i in rng.choice(len(matches), 2, replace=False))
    one, two = matches[a], matches[b]
    middle = content[one.end() : two.start()]
    return content[: one.start()] + two.group() + middle + one.group() + content[two.end() :]


def change_binary(content: bytes, others: Sequence[bytes], rng: np.random.Generator) -> bytes:
    number = _pick(BINARY, rng)
    # Counts and sizes stand at the front, and mostly at even places.
    reach = len(content) if rng.random() < 0.4 else min(len(content), 128)
    place = int(rng.integers(reach + 1)) // 2 * 2
    return content[:place] + number + content[place + len(number) :]


def change_lines(content: bytes, others: Sequence[bytes], rng: np.random.Generator) -> bytes:
    lines = content.splitlines(keepends=True)
    if not lines:
        return content
    a, b = (int(i) for i in rng.integers(len(lines), size=2))
    way = int(rng.integers(5))
    if way == 0:
        lines[a], lines[b] = lines[b], lines[a]
    elif way == 1:
        lines.insert(a, lines[b])
    elif way == 2:
        del lines[a]
    elif way == 3:
        lines[a] = lines[a].strip()
    else:
        rng.shuffle(lines)
    return b"".join(lines)


def change_line_ends(content: bytes, others: Sequence[bytes], rng: np.random.Generator) -> bytes:
    return content.replace(b"\n", _pick((b"\r\n", b"\r", b"", b" ", b"\n\n", b"\x00\n", b"\x0b", b"\\\n"), rng))


def change_encoding(content: bytes, others: Sequence[bytes], rng: np.random.Generator) -> bytes:
    text = content.decode("latin-1")
    ways = (str.upper, str.lower, str.swapcase, lambda t: t.replace(" ", "\t"), lambda t: t.replace(" ", ""))
    way = int(rng.integers(len(ways) + 2))
    if way < len(ways):
        return ways[way](text).encode("utf-8", "replace")
    return text.encode("utf-16" if way == len(ways) else "utf-8")


def nest(content: bytes, others: Sequence[bytes], rng: np.random.Generator) -> bytes:
    opening = _pick((b"{", b"[", b"(", b'{"a":', b"Group { children [ ", b"Transform { children ", b'"', b"#\n"), rng)
    closing = {b"{": b"}", b"[": b"]", b'{"a":': b"}"}.get(opening, b"")
    depth = int(2 ** rng.uniform(2, 14))
    place = int(rng.integers(len(content) + 1))
    return content[:place] + opening * depth + (closing * depth if rng.random() < 0.5 else b"") + content[place:]


MUTATORS: tuple[tuple[Mutator, float], ...] = (
    (flip_bits, 2),
    (set_bytes, 1),
    (insert_bytes, 1),
    (insert_word, 2),
    (delete, 2),
    (truncate, 1),
    (cut_front, 0.5),
    (repeat, 1),
    (splice, 1),
    (borrow, 1),
    (change_number, 5),
    (change_name, 2),
    (change_token, 2),
    (swap_tokens, 2),
    (change_binary, 4),
    (change_lines, 2),
    (change_line_ends, 0.5),
    (change_encoding, 0.5),
    (nest, 0.5),
)
_WEIGHTS = np.array([weight for _, weight in MUTATORS]) / sum(weight for _, weight in MUTATORS)


def mutated(content: bytes, others: Sequence[bytes], rng: np.random.Generator) -> bytes:
    """Damage a file one to five times, mostly inside its container, so that its checksums and lengths still hold."""
    envelope = _envelope(content)
    if envelope is None or rng.random() < 0.3:
        return _damaged(content, others, rng)
    parts, packed = envelope
    chosen = int(rng.integers(len(parts)))
    parts[chosen] = _damaged(parts[chosen], others, rng)
    return packed(parts)


def _damaged(content: bytes, others: Sequence[bytes], rng: np.random.Generator) -> bytes:
    for choice in rng.choice(len(MUTATORS), size=min(int(rng.geometric(0.5)), 5), p=_WEIGHTS):
        content = MUTATORS[choice][0](content, others, rng)[:LARGEST]
    return content


def _envelope(content: bytes) -> tuple[list[bytes], Callable[[list[bytes]], bytes]] | None:
    """What a container holds, and how it is packed again; None for a plain file."""
    if content[:2] == b"\x1f\x8b":
        return [gzip.decompress(content)], lambda parts: gzip.compress(parts[0], 1, mtime=0)
    if content[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
            return [archive.read(name) for name in names], lambda parts: zipped(dict(zip(names, parts, strict=True)))
    if content[:4] == b"glTF":
        length = struct.unpack_from("<I", content, 12)[0]
        return [content[20 : 20 + length], content[28 + length :]], lambda parts: glb(*parts)
    if content[:8] == b"\x89PNG\r\n\x1a\n":
        return _png_chunks(content)
    return None


def zipped(members: dict[str, bytes]) -> bytes:
    """A zip file, the same at any time."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, member in members.items():
            archive.writestr(zipfile.ZipInfo(name), member)
    return out.getvalue()


def glb(tree: bytes, buffer: bytes) -> bytes:
    """A binary glTF file of its JSON and its buffer."""
    tree, buffer = tree + b" " * (-len(tree) % 4), buffer + bytes(-len(buffer) % 4)
    length = 28 + len(tree) + len(buffer)
    return (
        struct.pack("<4sIIII", b"glTF", 2, length, len(tree), 0x4E4F534A)
        + tree
        + struct.pack("<II", len(buffer), 0x004E4942)
        + buffer
    )


def _png_chunks(content: bytes) -> tuple[list[bytes], Callable[[list[bytes]], bytes]]:
    kinds, parts, place = [], [], 8
    while place + 12 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, place)
        kinds.append(kind)
        parts.append(content[place + 8 : place + 8 + length])
        place += 12 + length
    return parts, lambda parts: png(list(zip(kinds, parts, strict=True)))


def png(chunks: Sequence[tuple[bytes, bytes]]) -> bytes:
    """A PNG file of its chunks, their checksums right."""
    out = [b"\x89PNG\r\n\x1a\n"]
    out += [struct.pack(">I", len(c)) + kind + c + struct.pack(">I", zlib.crc32(kind + c)) for kind, c in chunks]
    return b"".join(out)
