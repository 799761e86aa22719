"""Where a pretrained model lies: in a folder, whose files are looked over, or on the hub of Hugging Face."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from transformers.utils.hub import cached_file

from affectvlm.errors import ModelError, in_one_line

TOKENIZERS = (("tokenizer.json",), ("vocab.json", "merges.txt"), ("vocab.txt",))
"""Any one of these groups of files is a tokenizer."""

FILES = "config.json, model.safetensors and tokenizer.json (or vocab.json and merges.txt, or vocab.txt)"

_HUB_ID = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")
_RESNET = re.compile(r"(?<![a-z0-9])rn\d+|resnet-?\d+.*clip|clip.*resnet", re.IGNORECASE)

UNREADABLE = (
    OSError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    AssertionError,
    RuntimeError,
    SafetensorError,
    StrictDataclassError,
)
"""What transformers and PyTorch raise for files that are not there or not what they should be."""


def find_model(name: str) -> str:
    """Make sure that a folder holds what it takes, or that a hub id can be reached; give what transformers calls it."""
    folder = Path(name).expanduser()
    if folder.is_dir():
        _refuse_resnet(name, folder)
        missing = [] if (folder / "config.json").is_file() else ["config.json"]
        if not any((folder / file).is_file() for file in ("model.safetensors", "model.safetensors.index.json")):
            pickled = any(folder.glob("*.bin")) or any(folder.glob("*.pt"))
            missing.append("model.safetensors" + (" (a pickle is never read: convert it)" if pickled else ""))
        if not any(all((folder / file).is_file() for file in files) for files in TOKENIZERS):
            missing.append("tokenizer.json")
        if missing:
            raise ModelError(f"{name}: expected a folder with {FILES}; found no {', no '.join(missing)}")
        if (folder / "adapter_config.json").exists():
            raise ModelError(f"{name}: expected a whole model, found an adapter beside it; merge it with peft first")
        return str(folder)
    _refuse_resnet(name, folder)
    if folder.exists() or not _HUB_ID.fullmatch(name):
        found = "a file" if folder.exists() else "no such folder"
        raise ModelError(f"{name}: expected a folder with {FILES}, or a hub id; found {found}")
    try:
        cached_file(name, "config.json")
    except UNREADABLE as error:
        raise ModelError(
            f"{name}: found no folder of that name, and the hub gives nothing ({first_line(error)}); without network, "
            f"put its {FILES}, and preprocessor_config.json if it has one, into a folder and name that folder instead"
        ) from error
    if optional_file(name, "adapter_config.json") is not None:
        raise ModelError(f"{name}: expected a whole model, found an adapter; merge it with peft first")
    return name


def _refuse_resnet(name: str, folder: Path) -> None:
    """Say it plainly if a CLIP with a ResNet is named, in OpenAI's, open_clip's or timm's way."""
    file = folder / "config.json"
    config = read_json(file) if file.is_file() else {}
    if config.get("model_type") is not None:
        vision = _part(config, "vision_config")
        resnet = isinstance(vision.get("layers"), list) or ("patch_size" in vision and vision["patch_size"] is None)
    elif (folder / "open_clip_config.json").is_file():
        settings = _part(read_json(folder / "open_clip_config.json"), "model_cfg")
        resnet = isinstance(_part(settings, "vision_cfg").get("layers"), list)
    else:
        resnet = _RESNET.search(folder.name) is not None
    if resnet:
        raise ModelError(
            f"{name}: a CLIP with a ResNet, which transformers does not carry; take one with a vision transformer "
            "(openai/clip-vit-base-patch32, say), or leave model.pretrained out for the small ResNet from scratch"
        )


def _part(settings: dict[str, Any], name: str) -> dict[str, Any]:
    part = settings.get(name)
    return part if isinstance(part, dict) else {}


def read_any_json(file: Path) -> Any:
    """Read JSON, whatever it holds."""
    try:
        return json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{file}: expected JSON; {in_one_line(str(error))}") from error


def read_json(file: Path) -> dict[str, Any]:
    """Read a JSON object."""
    content = read_any_json(file)
    if not isinstance(content, dict):
        raise ModelError(f"{file}: expected a JSON object, found a {type(content).__name__}")
    return content


def optional_file(source: str, file: str) -> Path | None:
    """Find a file that a model may or may not have."""
    found = cached_file(
        source,
        file,
        _raise_exceptions_for_missing_entries=False,
        _raise_exceptions_for_connection_errors=False,
    )
    return None if found is None else Path(found)


def first_line(error: BaseException) -> str:
    """Shorten what a library said to its first line."""
    return in_one_line(str(error).partition("\n")[0]).rstrip(".")
