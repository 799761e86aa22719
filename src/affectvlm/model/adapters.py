"""Low-rank adapters (LoRA; Hu et al. 2021, arXiv 2106.09685) on the attention of a pretrained tower, through peft.

Each query and value matrix W, as in the paper, becomes W + B A with A (rank, in) and B (out, rank): only those two
learn, and B starts at zero, so that nothing changes at first. Merging adds B A to W, and what is left is plain.
"""

from __future__ import annotations

from torch import nn

from affectvlm.errors import ModelError

QUERIES_AND_VALUES = frozenset({"q_proj", "v_proj", "query", "value", "q_lin", "v_lin", "q", "v"})
"""What transformers' encoders call them: CLIP, BERT and its kin, DistilBERT, T5 and MPNet."""


def add_adapters(model: nn.Module, rank: int) -> None:
    """Put adapters on a tower's queries and values; all else in it stops learning.

    Raises
    ------
    ModelError
        The tower has no layers of such a name.
    """
    from peft import LoraConfig, inject_adapter_in_model  # only large towers need it: the extra `lora`

    targets = [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and name.rpartition(".")[2] in QUERIES_AND_VALUES
    ]
    if not targets:
        raise ModelError(
            f"expected attention with queries and values to adapt, found none in a {type(model).__name__}; "
            "leave model.lora_rank out, or freeze this tower"
        )
    # B A is used as it is: alpha = rank makes peft's scale 1.
    inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=rank, target_modules=targets), model)


def is_adapter(parameter: str) -> bool:
    """Whether a parameter of that name belongs to an adapter."""
    return ".lora_" in parameter


def merge_adapters(model: nn.Module) -> None:
    """Add the adapters' products to the weights and take them away; a model without adapters stays as it is."""
    if not hasattr(model, "peft_config"):
        return
    from peft.tuners.lora import LoraLayer

    for name, module in list(model.named_modules()):
        if isinstance(module, LoraLayer):
            module.merge(safe_merge=True)
            model.set_submodule(name, module.get_base_layer())
    del model.peft_config
