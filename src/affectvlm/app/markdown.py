"""Text of others on a page that reads Markdown."""

from __future__ import annotations


def literal(text: str) -> str:
    """Keep a file's name or a message from being read as Markdown."""
    return "".join(f"\\{c}" if c in r"\`*_{}[]<>()#+-!|~$:" else c for c in text)
