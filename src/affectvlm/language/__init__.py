"""Words for what faces show: the vocabulary, the prompt grammar and its tokenizer."""

from affectvlm.language.grammar import Grammar, Known
from affectvlm.language.vocabulary import Vocabulary

__all__ = ["Grammar", "Known", "Vocabulary"]
