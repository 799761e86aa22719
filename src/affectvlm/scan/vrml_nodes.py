"""The structure of a VRML file: nodes, their fields, and where the long lists of numbers stand.

ISO/IEC 14772-1:1997, clause 5 and annex A. The bytes are read once, from the first to the last, as words, strings and
brackets; a list of numbers is only stepped over, so that a file of 5 MB is a few dozen steps.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from affectvlm.errors import ScanError

MAX_DEPTH = 64
"""Nodes within nodes; an exporter's scene has about six."""

MAX_STEPS = 100_000
"""Words, strings and brackets outside lists of numbers; a scan has about a hundred."""

GAP = re.compile(rb"(?:[\s,]++|#[^\r\n]*+)*+")
"""What separates: spaces, line ends, commas, comments."""

TOKEN = re.compile(rb'[{}\[\]]|"(?:[^"\\]|\\.)*+"|[^\s,#"{}\[\]]++', re.DOTALL)

NUMBER_START = re.compile(rb"[-+.0-9]")

NUMBER_FIELDS = (b"point", b"color", b"coordIndex", b"texCoordIndex", b"textureCoordIndex", b"colorIndex")
"""Fields whose list is one of numbers whatever stands in it: a word there is a mistake in it."""


@dataclass(frozen=True)
class NumberList:
    """A list of numbers in the file, not yet read.

    Parameters
    ----------
    start, end : int
        Bytes, between the brackets.
    """

    start: int
    end: int


@dataclass
class Node:
    """One node.

    Parameters
    ----------
    kind : bytes
        Such as ``b"IndexedFaceSet"``; empty for the whole file.
    fields : dict of bytes -> list of (bytes, NumberList or Node)
        Values in their order, strings with their quotes. Nodes that stand in no field, as in VRML 1.0, are in the
        field before them, or in ``b""``.
    """

    kind: bytes
    fields: dict[bytes, list[bytes | NumberList | Node]] = field(default_factory=dict)

    def children(self) -> list[Node]:
        """Every node directly in this one, in the file's order."""
        return [value for values in self.fields.values() for value in values if isinstance(value, Node)]

    def node(self, name: bytes) -> Node | None:
        """Return the node in a field; None without one."""
        return next((value for value in self.fields.get(name, ()) if isinstance(value, Node)), None)

    def numbers(self, name: bytes) -> NumberList | None:
        """Return the list of numbers in a field; None without one."""
        return next((value for value in self.fields.get(name, ()) if isinstance(value, NumberList)), None)

    def words(self, name: bytes) -> list[bytes]:
        """Return the words, single numbers and strings in a field."""
        return [value for value in self.fields.get(name, ()) if isinstance(value, bytes)]


def line_at(content: bytes, place: int) -> int:
    """Count the lines to a byte, from 1, with line ends of any system."""
    return content.count(b"\n", 0, place) + 1 if b"\n" in content else content.count(b"\r", 0, place) + 1


def read_nodes(content: bytes, path: Path) -> tuple[Node, bool]:
    """Find the nodes of a VRML file.

    What is unknown is kept or passed over: further nodes and fields, PROTO, ROUTE, Script. ``USE`` gives the node
    that ``DEF`` named before.

    Parameters
    ----------
    content : bytes
    path : Path
        For messages.

    Returns
    -------
    root : Node
    complete : bool
        Whether every brace is closed.

    Raises
    ------
    ScanError
        A list or string does not end, or the structure is deeper or longer than any scan's.
    """
    return _Reader(content, path).read()


@dataclass
class _Open:
    """A node that is being read."""

    node: Node
    name: bytes = b""  # what DEF calls it
    field: bytes = b""  # where the next value goes

    def add(self, value: bytes | NumberList | Node) -> None:
        self.node.fields.setdefault(self.field, []).append(value)


class _Reader:
    def __init__(self, content: bytes, path: Path) -> None:
        self.content = content
        self.path = path
        self.named: dict[bytes, Node] = {}

    def read(self) -> tuple[Node, bool]:
        content = self.content
        around: list[_Open] = []
        here = _Open(Node(b""))
        define = b""
        at = self._after_gap(0)
        for _ in range(MAX_STEPS):
            if at >= len(content):
                complete = not around
                while around:
                    done, here = here, around.pop()
                    here.add(done.node)
                return here.node, complete
            token, at = self._token(at)
            if token == b"}":
                if around:  # a brace too many is passed over
                    done, here = here, around.pop()
                    here.add(done.node)
                    if done.name:
                        self.named[done.name] = done.node
            elif token == b"[":
                if here.field in NUMBER_FIELDS or NUMBER_START.match(content, at):
                    end = self._list_end(at, here.field)
                    here.add(NumberList(at, end))
                    at = self._after_gap(end + 1)
            elif token == b"]":
                pass  # of a list of nodes or strings, whose values are in their field
            elif token == b"{" or content.startswith(b"{", at):
                # A brace without a word before it is the body of a PROTO, which is not drawn.
                kind, at = (b"PROTO", at) if token == b"{" else (token, self._after_gap(at + 1))
                around.append(here)
                if len(around) > MAX_DEPTH:
                    raise ScanError(f"{self._place(at)}: nodes stand more than {MAX_DEPTH} deep; export the scan again")
                here, define = _Open(Node(kind), define), b""
            elif token == b"DEF":
                define, at = self._token(at)
            elif token == b"USE":
                name, at = self._token(at)
                if name in self.named:
                    here.add(self.named[name])
            elif token[0] in b'"+-.0123456789' or token in (b"TRUE", b"FALSE", b"NULL"):
                here.add(token)
            else:
                here.field = token
                here.node.fields.setdefault(token, [])
        raise ScanError(f"{self.path}: expected the VRML file of one scan, found over {MAX_STEPS} words; export again")

    def _token(self, at: int) -> tuple[bytes, int]:
        """Return the word, string or bracket that begins here, and where the next one does."""
        found = TOKEN.match(self.content, at)
        if found is None:
            if at >= len(self.content):
                return b"}", at
            raise ScanError(f"{self._place(at)}: a string does not end; export or copy the scan again")
        return found[0], self._after_gap(found.end())

    def _after_gap(self, at: int) -> int:
        return GAP.match(self.content, at).end()  # type: ignore[union-attr]

    def _list_end(self, start: int, name: bytes) -> int:
        """Find the bracket that closes a list of numbers; not one in a comment."""
        end = self.content.find(b"]", start)
        at = start
        while end >= 0 and (comment := self.content.find(b"#", at, end)) >= 0:
            at = self._after_gap(comment)
            if end < at:
                end = self.content.find(b"]", at)
        if end < 0:
            raise ScanError(
                f"{self._place(start)}: the list of numbers {name.decode('latin-1')!r} that begins here does not end; "
                "the file is cut short: export or copy the scan again"
            )
        return end

    def _place(self, at: int) -> str:
        return f"{self.path}: line {line_at(self.content, at)}"
