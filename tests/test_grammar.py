"""The prompt language: grammatical, every word on one class's side, and no attributes where they would leak."""

import re
from itertools import product

import numpy as np
import pytest

from affectvlm.emotions import EMOTIONS, FURTHER_EXPRESSIONS
from affectvlm.errors import ConfigError
from affectvlm.language import Grammar, Known, Vocabulary
from affectvlm.language.grammar import SAID
from affectvlm.language.template import KINDS, beside, fill, kind_of

CLASSES = EMOTIONS + FURTHER_EXPRESSIONS
WORDS = Vocabulary.packaged()
GRAMMAR = Grammar(CLASSES)
ATTRIBUTE_WORDS = {"female", "woman", "male", "man", "young", "middle-aged", "older", "girl", "boy"}
ATTRIBUTE_WORDS |= {"african", "asian", "european", "indian", "latin", "american", "middle", "eastern"}
BESIDE_WORDS = {"seen", "front", "head-on", "left", "right", "map", "image", "photograph"}
BESIDE_WORDS |= {"slight", "faint", "subtle", "mild", "moderate", "strong", "pronounced", "intense", "extreme", "very"}
ANCESTRIES = ("african", "asian", "european", "indian", "latino", "middle-eastern")
PEOPLE = [
    {},
    *({"sex": sex, "age": age} for sex in ("female", "male") for age in ("young", "middle-aged", "older")),
    *({"ancestry": ancestry} for ancestry in ANCESTRIES),
]
EVERYTHING = Known({"sex": "female", "age": "older", "ancestry": "asian"}, 4, "left", "depth")


def drawn(emotion: str, known: Known, count: int = 400, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    return [GRAMMAR.sample(emotion, known, rng) for _ in range(count)]


def words(prompt: str) -> set[str]:
    return set(re.findall(r"[\w-]+", prompt.lower()))


def says(prompt: str, phrase: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(phrase)}(?![\w-])", prompt) is not None


def phrases_of(name: str) -> list[str]:
    return [word for kind in KINDS for word in WORDS.classes[name].of_kind(kind)]


@pytest.fixture(scope="module")
def prompts() -> set[str]:
    """Every template with every word, all that can be said beside them, and some thousand draws."""
    found = set(GRAMMAR.corpus())
    for emotion, attributes in product(CLASSES, PEOPLE):
        found.update(drawn(emotion, Known(attributes), 100))
    for emotion, intensity, view, kind in product(CLASSES, (1, 2, 3, 4), WORDS.view, WORDS.map):
        found.update(drawn(emotion, Known({"sex": "male"}, intensity, view, kind), 10))
    return found


def test_there_are_words_and_templates_enough():
    assert len(WORDS.templates) == len(set(WORDS.templates)) >= 30
    assert tuple(WORDS.classes) == CLASSES
    for name in CLASSES:
        own = WORDS.classes[name]
        assert len(own.adjectives) >= 8
        assert len(own.nouns) >= 7
        assert len(own.doing) >= 3
        assert len(phrases_of(name)) >= 18


def test_a_and_an_stand_before_the_right_sounds(prompts):
    for prompt in prompts:
        assert not re.search(r"\b[aA] [aeiouAEIOU]", prompt) or "a European" in prompt, prompt
        assert not re.search(r"\b[aA]n [^aeiouAI]", prompt), prompt
    for expected in ("an angry", "an older", "a happy", "an Asian", "an Indian", "a European", "an individual"):
        assert any(expected in prompt for prompt in prompts), expected


def test_prompts_are_single_spaced_and_complete(prompts):
    for prompt in prompts:
        assert prompt == " ".join(prompt.split())
        assert not set("{}[]") & set(prompt)
        assert not re.search(r" [,;]", prompt)


def test_no_word_stands_for_two_classes():
    owner: dict[str, str] = {}
    for name in CLASSES:
        for word in phrases_of(name):
            assert owner.setdefault(word, name) == name, word


@pytest.mark.parametrize("emotion", CLASSES)
def test_a_drawn_prompt_speaks_of_its_class_alone(emotion):
    others = {word for name in CLASSES if name != emotion for word in phrases_of(name)}
    for prompt in drawn(emotion, EVERYTHING, 150):
        assert any(says(prompt, word) for word in phrases_of(emotion)), prompt
        assert not [word for word in others if says(prompt, word)], prompt


@pytest.mark.parametrize("emotion", CLASSES)
def test_an_ensemble_holds_every_template_and_every_word_and_nothing_about_the_subject(emotion):
    ensemble = GRAMMAR.ensemble(emotion)
    assert len(ensemble) == len(set(ensemble)) == 2 * len(WORDS.templates) <= 100
    for prompt in ensemble:
        assert not words(prompt) & (ATTRIBUTE_WORDS | BESIDE_WORDS), prompt
    for word in phrases_of(emotion):
        assert any(says(prompt, word) for prompt in ensemble), word
    for template in WORDS.templates:
        possible = [
            fill(template, {kind_of(template): word, "who": who})
            for word in WORDS.classes[emotion].of_kind(kind_of(template))
            for who in WORDS.people
        ]
        assert len(set(possible) & set(ensemble)) == 2, template


def test_a_class_with_many_words_has_all_of_them_in_its_ensemble_and_one_with_few_none_twice():
    many = [f"word{number}" for number in range(100)]
    classes = {"many": {"adjectives": many}, "one": {"nouns": ["joy"]}}
    vocabulary = Vocabulary.model_validate({**WORDS.model_dump(), "classes": classes})
    grammar = Grammar(("many", "one"), vocabulary)
    adjectival = sum(kind_of(template) == "adjective" for template in WORDS.templates)
    assert len(grammar.ensemble("many")) == -(-100 // adjectival) * adjectival
    assert set(many) <= set().union(*map(words, grammar.ensemble("many")))
    assert len(grammar.ensemble("one")) == sum(kind_of(template) == "noun" for template in WORDS.templates)


def test_of_what_is_not_known_nothing_is_said():
    for emotion in CLASSES:
        for prompt in drawn(emotion, Known()):
            assert not words(prompt) & (ATTRIBUTE_WORDS | BESIDE_WORDS), prompt


def test_known_attributes_are_said_half_the_time_and_never_turned_round():
    texts = drawn("fear", Known({"sex": "female", "age": "older", "ancestry": "latino"}), 4000)
    speaking = [words(text) for text in texts if words(text) & {"person", "individual", "subject", "woman", "female"}]
    count = len(speaking)
    deviation = 4 * np.sqrt(count * SAID * (1 - SAID))
    assert count > 3000
    assert abs(sum(bool(found & {"woman", "female"}) for found in speaking) - SAID * count) < deviation
    assert abs(sum("older" in found for found in speaking) - SAID * count) < deviation
    assert abs(sum("latin" in found for found in speaking) - SAID * count) < deviation
    assert not any(found & {"man", "male", "young", "middle-aged", "asian"} for found in speaking)
    assert any("an older Latin American woman" in text for text in texts)


@pytest.mark.parametrize(
    ("known", "said", "slot"),
    [
        (Known(intensity=1), {"slight", "faint", "subtle"}, "intensity"),
        (Known(intensity=4), {"intense", "extreme", "very"}, "intensity"),
        (Known(view="left"), {"seen"}, "view"),
        (Known(map="texture"), {"colour", "photograph"}, "map"),
    ],
)
def test_what_is_beside_the_expression_is_said_half_the_time_where_a_template_has_a_place_for_it(known, said, slot):
    count = 4000
    share = SAID * sum(slot in beside(template) for template in WORDS.templates) / len(WORDS.templates)
    found = sum(bool(words(prompt) & said) for prompt in drawn("anger", known, count))
    assert abs(found - share * count) < 4 * np.sqrt(count * share * (1 - share))


def test_an_intensity_stands_before_an_expression_never_before_an_emotions_word(prompts):
    degrees = [word for level in WORDS.intensity.values() for word in level]
    found = [prompt for prompt in prompts if any(says(prompt, word) for word in degrees)]
    assert len(found) > 100
    for prompt in found:
        degree = next(word for word in sorted(degrees, key=len, reverse=True) if says(prompt, word))
        assert re.search(rf"an? {degree} (facial expression|expression|display) of ", prompt) or prompt.endswith(
            f"; the expression is {degree}"
        ), prompt


@pytest.mark.parametrize(
    "known",
    [
        Known({"hair": "red"}),
        Known({"sex": "unknown"}),
        Known({"age": "34"}),
        Known({"sex": "", "age": ""}),
        Known(view="from-mars"),
        Known(map="x-ray"),
        Known(intensity=7),
    ],
)
def test_what_there_are_no_words_for_changes_nothing(known):
    assert drawn("anger", known) == drawn("anger", Known())


def test_every_template_and_every_word_is_drawn():
    found = drawn("surprise", Known(), 4000)
    for word in phrases_of("surprise"):
        assert any(says(prompt, word) for prompt in found), word
    for template in WORDS.templates:
        possible = {
            fill(template, {kind_of(template): word, "who": who})
            for word in WORDS.classes["surprise"].of_kind(kind_of(template))
            for who in WORDS.people
        }
        assert possible & set(found), template


def test_prompts_depend_on_the_seed_alone():
    assert drawn("pain", EVERYTHING, seed=3) == drawn("pain", EVERYTHING, seed=3)
    assert drawn("pain", EVERYTHING, seed=3) != drawn("pain", EVERYTHING, seed=4)


def test_the_corpus_holds_every_word_that_a_prompt_of_its_classes_can_hold(prompts):
    grammar = Grammar(EMOTIONS)
    known = set().union(*map(words, grammar.corpus()))
    rng = np.random.default_rng(0)
    for emotion, attributes in product(EMOTIONS, PEOPLE):
        for view, kind in zip(WORDS.view, WORDS.map, strict=True):
            assert words(grammar.sample(emotion, Known(attributes, 3, view, kind), rng)) <= known
    assert set().union(*map(words, prompts)) <= set().union(*map(words, GRAMMAR.corpus()))
    assert not known & {*WORDS.classes["contempt"].adjectives, *WORDS.classes["contempt"].nouns}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a {word}", "an angry"),
        ("an {word} face", "an angry face"),
        ("A {word} one", "An angry one"),
        ("a European, a unique, a used, a one", "a European, a unique, a used, a one"),
        ("a uneasy, a unimpressed, a honest, a hour", "an uneasy, an unimpressed, an honest, an hour"),
        ("a RGB image, a X-ray, a 3D scan, a Map", "an RGB image, an X-ray, a 3D scan, a Map"),
        ("an happy face of a {word}", "a happy face of an angry"),
    ],
)
def test_articles_go_by_the_sound(text, expected):
    assert fill(text, {"word": "angry"}) == expected


def test_articles_go_by_the_sound_of_words_that_begin_with_a_vowel_or_a_number():
    an = "unidentified unintended unimpressed unimaginative unillustrated unirritated unanimated unaware upset ugly "
    an += "utter usher only honourable heir 8-year-old 11 18-year-old"
    a = "unanimous unified unidirectional unique unit universal unisex unimodal ubiquitous used usual utopian euphoric "
    a += "ewe one-eyed once-happy Ukrainian Ugandan U-shaped UV 1 110"
    for article, words in (("an", an), ("a", a)):
        for word in words.split():
            assert fill("a {adjective} face", {"adjective": word}) == f"{article} {word} face"


def test_a_part_in_brackets_is_said_if_all_in_it_is_known():
    template = "[a {map} of ]a {who}[, seen {view}]"
    assert fill(template, {"who": "person"}) == "a person"
    assert fill(template, {"who": "person", "view": "from above"}) == "a person, seen from above"
    assert fill(template, {"who": "adult", "map": "image"}) == "an image of an adult"


def test_a_class_without_words_is_named_with_what_to_do():
    with pytest.raises(ConfigError, match=r"no words for the class 'frown', only for anger, .*docs/language\.md"):
        Grammar(("anger", "frown"))


def test_two_classes_cannot_share_a_word():
    classes = {"happiness": WORDS.classes["happiness"], "smile": {"doing": ["beaming", "Smiling"]}}
    vocabulary = Vocabulary.model_validate({**WORDS.model_dump(), "classes": classes})
    with pytest.raises(ConfigError, match="'beaming' stands for happiness and for smile"):
        Grammar(("happiness", "smile"), vocabulary)
    assert Grammar(("smile",), vocabulary).ensemble("smile")
