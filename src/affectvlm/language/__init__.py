"""Words for what faces show: the prompt grammar and its tokenizer."""

from affectvlm.language.grammar import Grammar

__all__ = ["Grammar"]
