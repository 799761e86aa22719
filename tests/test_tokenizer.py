"""The tokenizer: whole words of the prompt language, bytes of everything else."""

import re

import numpy as np
import pytest

from affectvlm.emotions import EMOTIONS, FURTHER_EXPRESSIONS
from affectvlm.language import Grammar, Known, Vocabulary
from affectvlm.language.template import KINDS, kind_of
from affectvlm.language.tokenizer import END, MAX_TOKENS, PAD, START, train_tokenizer

GRAMMAR = Grammar(EMOTIONS)
FOREIGN = [
    "😀 a smile",
    "一张愤怒的脸",
    "ein wütendes Gesicht",
    "гнев",
    "\u202eright to left",
    "tab\tand\nline",
    "a\x00b",
    "",
]


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(GRAMMAR)


def test_every_prompt_comes_back_from_its_tokens(tokenizer):
    rng = np.random.default_rng(0)
    known = Known({"sex": "female", "age": "older"}, 4, "left", "depth")
    drawn = [GRAMMAR.sample(name, known, rng) for name in EMOTIONS for _ in range(50)]
    for prompt in (*GRAMMAR.corpus(), *drawn):
        assert tokenizer.decode(tokenizer(prompt)["input_ids"], skip_special_tokens=True).strip() == prompt.lower()


@pytest.mark.parametrize("text", FOREIGN)
def test_any_text_comes_back_and_nothing_is_unknown(tokenizer, text):
    ids = tokenizer(text)["input_ids"]
    assert tokenizer.unk_token is None
    assert all(0 <= i < len(tokenizer) for i in ids)
    # The first word gets the space that stands before all others.
    assert tokenizer.decode(ids, skip_special_tokens=True) == (f" {text.lower()}" if text else "")


def test_a_prompt_stands_between_its_start_and_end_tokens_and_is_padded_behind(tokenizer):
    start, end, pad = tokenizer.convert_tokens_to_ids([START, END, PAD])
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id) == (start, end, pad)
    batch = tokenizer(["a face", "a person who looks angry"], padding=True)
    short, long = batch["input_ids"]
    assert (short[0], short[3:], len(short)) == (start, [end, pad, pad, pad], 7)
    assert (long[0], long[-1], {start, end, pad} & set(long[1:-1])) == (start, end, set())
    assert batch["attention_mask"] == [[1, 1, 1, 1, 0, 0, 0], [1] * 7]


def test_the_end_token_is_not_the_one_that_clips_text_tower_mistrusts(tokenizer):
    # transformers pools CLIP's text at the token with the largest id when the end token's id is 2.
    assert tokenizer.eos_token_id != 2


def test_capitals_and_compatible_characters_do_not_matter(tokenizer):
    assert tokenizer("A HAPPY Face")["input_ids"] == tokenizer("a happy face")["input_ids"]
    assert tokenizer("a ﬁne ｆａｃｅ")["input_ids"] == tokenizer("a fine face")["input_ids"]


@pytest.mark.parametrize("classes", [EMOTIONS, EMOTIONS + FURTHER_EXPRESSIONS], ids=["six", "ten"])
def test_the_words_of_the_classes_are_one_token_each(classes):
    tokenizer = train_tokenizer(Grammar(classes))
    every = Vocabulary.packaged().classes
    phrases = [phrase for name in classes for kind in KINDS for phrase in every[name].of_kind(kind)]
    emotion_words = {word for phrase in phrases for word in phrase.split() if "-" not in word}
    assert len(emotion_words) > 20 * len(classes)
    for word in (*emotion_words, "person", "face", "woman", "older", "expression", "showing", "Eastern", "depth"):
        assert len(tokenizer(word)["input_ids"]) == 3, word


def test_the_same_corpus_gives_the_same_vocabulary(tokenizer):
    again = train_tokenizer(Grammar(EMOTIONS))
    assert again.get_vocab() == tokenizer.get_vocab()
    assert again.backend_tokenizer.to_str() == tokenizer.backend_tokenizer.to_str()


def test_the_vocabulary_is_no_larger_than_asked_for():
    assert len(train_tokenizer(GRAMMAR, 300)) == 300
    assert len(train_tokenizer(Grammar(EMOTIONS + FURTHER_EXPRESSIONS))) < 1200


def test_a_long_text_is_cut_and_keeps_its_end_token(tokenizer):
    ids = tokenizer("angry " * 100, truncation=True)["input_ids"]
    assert len(ids) == MAX_TOKENS
    assert (ids[0], ids[-1]) == (tokenizer.bos_token_id, tokenizer.eos_token_id)
    assert len(set(ids[1:-1])) == 1


def test_every_prompt_fits(tokenizer):
    assert max(len(ids) for ids in tokenizer(GRAMMAR.corpus())["input_ids"]) <= MAX_TOKENS


def test_the_longest_prompt_of_all_fits_with_much_to_spare():
    # Each template with the longest words of its kind, and all that can be said beside them.
    grammar, every = Grammar(EMOTIONS + FURTHER_EXPRESSIONS), Vocabulary.packaged()
    tokenizer = train_tokenizer(grammar)

    def length(text: str) -> int:
        return len(tokenizer(text)["input_ids"]) - 2

    def longest(tables) -> int:
        return max(length(word) for own in tables.values() for word in own)

    who = longest(every.sex) + sum(map(longest, every.attributes.values()))
    counts = {"who": who, **{slot: longest(getattr(every, slot)) for slot in ("intensity", "view", "map")}}
    for template in every.templates:
        kind = kind_of(template)
        counts[kind] = max(length(word) for own in every.classes.values() for word in own.of_kind(kind))
        slots = [slot for slot in counts if f"{{{slot}}}" in template]
        bare = re.sub(r"[\[\]]|\{\w+\}", "", template)
        assert length(bare) + sum(counts[slot] for slot in slots) + 2 <= 36 < MAX_TOKENS
