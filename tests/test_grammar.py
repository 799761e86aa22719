"""The prompt language: grammatical, every word on one class's side, and no attributes where they would leak."""

import re

import numpy as np
import pytest

from affectvlm.emotions import EMOTIONS, FURTHER_EXPRESSIONS
from affectvlm.language import Grammar
from affectvlm.language.grammar import ADJECTIVE_TEMPLATES, ADJECTIVES, NOUN_TEMPLATES, NOUNS

CLASSES = EMOTIONS + FURTHER_EXPRESSIONS
GRAMMAR = Grammar(CLASSES)
ATTRIBUTE_WORDS = {"female", "woman", "male", "man", "young", "middle-aged", "older", "girl", "boy"}
ATTRIBUTE_WORDS |= {"african", "asian", "european"}
PEOPLE = [{}, *({"sex": sex, "age": age} for sex in ("female", "male") for age in ("young", "middle-aged", "older"))]
PEOPLE += [{"ancestry": ancestry} for ancestry in ("african", "asian", "european")]


def drawn(emotion: str, attributes: dict[str, str], count: int = 400, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    return [GRAMMAR.sample(emotion, attributes, rng) for _ in range(count)]


def words(prompt: str) -> set[str]:
    return set(re.findall(r"[\w-]+", prompt.lower()))


def every_prompt() -> set[str]:
    prompts = set(GRAMMAR.corpus())
    for emotion in CLASSES:
        for attributes in PEOPLE:
            prompts.update(drawn(emotion, attributes))
    return prompts


@pytest.fixture(scope="module")
def prompts() -> set[str]:
    return every_prompt()


def test_a_and_an_stand_before_the_right_letters(prompts):
    for prompt in prompts:
        assert not re.search(r"\b[aA] [aeiouAEIOU]", prompt) or "a European" in prompt, prompt
        assert not re.search(r"\b[aA]n [^aeiouA]", prompt), prompt
    assert any("an angry" in prompt for prompt in prompts)
    assert any("an older" in prompt for prompt in prompts)
    assert any("a happy older" in prompt for prompt in prompts)
    assert any("an Asian" in prompt for prompt in prompts)
    assert any("a European" in prompt for prompt in prompts)


def test_prompts_are_single_spaced_and_complete(prompts):
    for prompt in prompts:
        assert prompt == " ".join(prompt.split())
        assert not set("{}") & set(prompt)


def test_no_word_stands_for_two_classes():
    owner: dict[str, str] = {}
    for name in CLASSES:
        for word in {*ADJECTIVES[name], *NOUNS[name]}:
            assert owner.setdefault(word, name) == name, word
    assert list(ADJECTIVES) == list(NOUNS) == list(CLASSES)


@pytest.mark.parametrize("emotion", CLASSES)
def test_a_drawn_prompt_speaks_of_its_class_alone(emotion):
    own = {*ADJECTIVES[emotion], *NOUNS[emotion]}
    others = {word for name in CLASSES for word in (*ADJECTIVES[name], *NOUNS[name])} - own
    for prompt in drawn(emotion, {"sex": "male", "age": "young"}):
        assert len(words(prompt) & own) == 1
        assert not words(prompt) & others


@pytest.mark.parametrize("emotion", CLASSES)
def test_an_ensemble_holds_every_wording_once_and_nothing_about_the_subject(emotion):
    ensemble = GRAMMAR.ensemble(emotion)
    expected = len(ADJECTIVE_TEMPLATES) * len(ADJECTIVES[emotion]) + len(NOUN_TEMPLATES) * len(NOUNS[emotion])
    assert len(ensemble) == len(set(ensemble)) == expected
    for prompt in ensemble:
        assert not words(prompt) & ATTRIBUTE_WORDS
        assert "person" in words(prompt)


def test_without_attributes_a_prompt_names_none():
    for emotion in CLASSES:
        for prompt in drawn(emotion, {}):
            assert not words(prompt) & ATTRIBUTE_WORDS


def test_known_attributes_are_used_about_half_the_time_and_never_turned_round():
    prompts = [words(prompt) for prompt in drawn("fear", {"sex": "female", "age": "older"}, 2000)]
    # 2000 draws at 1/2: four deviations are 90.
    assert abs(sum(bool(found & {"woman", "female"}) for found in prompts) - 1000) < 90
    assert abs(sum("older" in found for found in prompts) - 1000) < 90
    assert not any(found & {"man", "male", "young", "middle-aged"} for found in prompts)


@pytest.mark.parametrize("attributes", [{"hair": "red"}, {"sex": "unknown"}, {"age": "34"}, {"sex": "", "age": ""}])
def test_unknown_attributes_are_left_out(attributes):
    assert drawn("anger", attributes) == drawn("anger", {})


def test_every_template_and_every_word_is_drawn():
    found = drawn("surprise", {}, 2000)
    for word in (*ADJECTIVES["surprise"], *NOUNS["surprise"]):
        assert any(word in words(prompt) for prompt in found), word
    for template in (*ADJECTIVE_TEMPLATES, *NOUN_TEMPLATES):
        pattern = re.escape(template).replace(r"\{a\}", "an?")
        pattern = re.sub(r"\\{(word|who)\\}", r"[\\w-]+", pattern)
        assert any(re.fullmatch(pattern, prompt) for prompt in found), template


def test_prompts_depend_on_the_seed_alone():
    assert drawn("pain", PEOPLE[1], seed=3) == drawn("pain", PEOPLE[1], seed=3)
    assert drawn("pain", PEOPLE[1], seed=3) != drawn("pain", PEOPLE[1], seed=4)


def test_the_corpus_holds_every_word_that_a_prompt_of_its_classes_can_hold():
    grammar = Grammar(EMOTIONS)
    known = set().union(*map(words, grammar.corpus()))
    for emotion in EMOTIONS:
        for attributes in PEOPLE:
            for prompt in drawn(emotion, attributes):
                assert words(prompt) <= known
    assert not known & {*ADJECTIVES["contempt"], *NOUNS["contempt"]}
