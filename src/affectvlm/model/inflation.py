"""A CLIP's image tower made to see the views of a rig: other channels than RGB, pictures of another size.

A pretrained CLIP knows coloured pictures, 0 to 1, less a mean and by a standard deviation. Our channels run from -1 to
1. One map of the rig takes the place of the picture: its texture, else its normals (as the usual picture of them, 0.5
+ 0.5 n), else its first map, in grey. The pretrained kernels are rewritten so that it is read as that picture was, and
the constant that is left over goes to the position embeddings of the patches. Nothing is left to do when it runs, and
a saved model needs no memory of it.

Each further map starts with the same kernels at a third of their strength: the mean of the RGB kernels for a map of
one channel. So it is seen from the start, also by a frozen tower, and where it is zero the output is the pretrained
one. Inflating kernels by repetition and scaling is from Carreira and Zisserman 2017, "Quo vadis, action recognition?".
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from transformers import CLIPVisionModel
from transformers.models.clip.modeling_clip import CLIPVisionEmbeddings

from affectvlm.errors import ModelError
from affectvlm.views import Rig
from affectvlm.views.rig import CHANNELS, MapName

FURTHER_SHARE = 1 / 3
"""Strength of the kernels of a map beside the one that is read as the picture."""


def picture_map(rig: Rig) -> MapName:
    """Say which map of a rig is read as the picture that a CLIP expects."""
    return next((name for name in ("texture", "normals") if name in rig.maps), rig.maps[0])


def inflate(vision: CLIPVisionModel, rig: Rig, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    """Make a pretrained image tower for RGB pictures, in place, one for a rig's views.

    Parameters
    ----------
    vision : CLIPVisionModel
    rig : Rig
    mean, std : 3 floats each
        What is taken from the RGB channels (0 to 1), and what the rest is divided by, before the CLIP sees them.

    Raises
    ------
    ModelError
        The CLIP does not see RGB, or its patches do not divide the rig's pictures.
    """
    kernels = vision.embeddings.patch_embedding.weight.detach()  # (width, 3, patch, patch)
    patch, own_px = kernels.shape[-1], vision.config.image_size
    if kernels.shape[1] != 3:
        raise ModelError(f"expected a CLIP that sees 3 channels (RGB), found one for {kernels.shape[1]}")
    if rig.size_px != own_px and rig.size_px % patch:
        smaller = rig.size_px // patch * patch
        fitting = " or ".join(str(size) for size in (smaller, smaller + patch) if size)
        raise ModelError(
            f"this CLIP sees pictures in patches of {patch} px, and the rig's views are {rig.size_px} px; prepare "
            f"views of {own_px} px, its own size, or of {fitting} px"
        )
    positions = vision.embeddings.position_embedding.weight.detach().clone()
    if rig.size_px != own_px:
        positions = resample_positions(positions, rig.size_px // patch)
    # A pixel x is (c + 1) / 2 of a channel c, and the CLIP wants (x - mean) / std = c · 0.5 / std + (0.5 - mean) / std.
    of_mean, of_std = torch.tensor(mean, dtype=torch.float64), torch.tensor(std, dtype=torch.float64)
    scaled = (kernels * (0.5 / of_std)[:, None, None]).to(kernels.dtype)
    constant = (kernels * ((0.5 - of_mean) / of_std)[:, None, None]).sum(dim=(1, 2, 3))  # (width,)
    positions[1:] += constant.to(positions.dtype)  # the first is the class token's, which has no pixels

    config = copy.deepcopy(vision.config)
    config.image_size, config.num_channels = rig.size_px, rig.channels
    embeddings = CLIPVisionEmbeddings(config)
    embeddings.load_state_dict(
        {
            "class_embedding": vision.embeddings.class_embedding,
            "patch_embedding.weight": _kernels_of_maps(scaled, rig),
            "position_embedding.weight": positions,
        }
    )
    vision.config, vision.embeddings = config, embeddings


def _kernels_of_maps(rgb: Tensor, rig: Rig) -> Tensor:
    """(width, 3, patch, patch) kernels of an RGB picture in [-1, 1] -> (width, C, patch, patch) of the rig's maps."""
    grey = rgb.sum(dim=1, keepdim=True)
    parts = []
    for name in rig.maps:
        kernels = grey if CHANNELS[name] == 1 else rgb
        parts.append(kernels if name == picture_map(rig) else kernels * FURTHER_SHARE)
    return torch.cat(parts, dim=1)


def resample_positions(positions: Tensor, grid: int) -> Tensor:
    """Resample the position embeddings of a square of patches to another number of them, bicubically.

    Parameters
    ----------
    positions : (1 + n², width) float
        The class token's, then the patches', row by row.
    grid : int
        Patches a side that are wanted.

    Returns
    -------
    (1 + grid², width) float
    """
    side = round((len(positions) - 1) ** 0.5)
    square = positions[1:].T.reshape(1, -1, side, side)
    patches = nn.functional.interpolate(square, size=(grid, grid), mode="bicubic", align_corners=False)
    return torch.cat([positions[:1], patches.flatten(2)[0].T])
