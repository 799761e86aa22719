"""Imports go down the floors only, and whatever is optional stays out of the core."""

import ast
import subprocess
import sys
from pathlib import Path

import affectvlm

ROOT = Path(affectvlm.__file__).parent

# From the ground up; a module may import from its own package and from floors below.
FLOORS = (
    {"__init__", "errors", "emotions", "cores"},
    {"files", "model_files"},
    {"run_record"},
    {"scan"},
    {"datasets", "synthesis"},
    {"views"},
    {"prepared"},
    {"language"},
    {"model"},
    {"objectives"},
    {"training"},
    {"evaluation", "recognizer"},
    {"app"},
    {"console"},
    {"cli"},
    {"__main__"},
)
LEVEL = {part: level for level, parts in enumerate(FLOORS) for part in parts}


def _part(module):
    """affectvlm.views.rig -> views."""
    return module.split(".")[1] if "." in module else "__init__"


def _imported(file):
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "affectvlm":
            yield node.module if node.module != "affectvlm" else f"affectvlm.{node.names[0].name}"
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "affectvlm")


def _is_typing_only(file, module):
    """Whether a module is imported under ``if TYPE_CHECKING`` alone."""
    tree = ast.parse(file.read_text())
    guarded = [n for n in ast.walk(tree) if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING"]
    return any(isinstance(n, ast.ImportFrom) and n.module == module for block in guarded for n in ast.walk(block))


def test_imports_go_down_only():
    upward = []
    for file in ROOT.rglob("*.py"):
        here = file.relative_to(ROOT).parts[0].removesuffix(".py")
        for module in _imported(file):
            there = _part(module) if _part(module) in LEVEL else "__init__"
            if there != here and LEVEL[there] >= LEVEL[here] and not _is_typing_only(file, module):
                upward.append(f"{file.relative_to(ROOT)} imports {module}")
    assert not upward


def test_every_part_has_its_floor():
    parts = {path.name.removesuffix(".py") for path in ROOT.iterdir() if path.name not in ("__pycache__", "py.typed")}
    assert parts == set(LEVEL)


def test_recognising_needs_nothing_but_the_core_installation():
    # The libraries of the extras are made impossible to import, then everything that `predict` and `show` use is.
    script = """
import sys
for name in "lightning torchmetrics sklearn pandas pyarrow joblib matplotlib streamlit plotly peft".split():
    sys.modules[name] = None
import affectvlm.cli, affectvlm.recognizer, affectvlm.synthesis.tree, affectvlm.datasets, affectvlm.views.picture
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
