"""A tokenizer trained on the prompt language, so that the small model needs no download."""

from __future__ import annotations

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from affectvlm.language.grammar import Grammar

MAX_TOKENS = 48
START, END, PAD = "<start>", "<end>", "<pad>"


def train_tokenizer(grammar: Grammar, vocabulary: int = 2048) -> PreTrainedTokenizerFast:
    """Train byte-level pair encoding on all prompts: frequent words become one token, unknown ones their pieces.

    Parameters
    ----------
    grammar : Grammar
    vocabulary : int
        Most tokens, the 256 bytes and three special ones included.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        # The end must not be number 2: a CLIP of transformers with this tokenizer would take that for an old mistake,
        # and read a text only up to the token with the largest number.
        special_tokens=[PAD, END, START],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(sorted(grammar.corpus()), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}",
        special_tokens=[(START, tokenizer.token_to_id(START)), (END, tokenizer.token_to_id(END))],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=START, eos_token=END, pad_token=PAD, model_max_length=MAX_TOKENS
    )
