"""The vocabulary as data: the packaged file, one's own, and one line for what is wrong with it."""

import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from pydantic import ValidationError

from affectvlm.emotions import EMOTIONS, FURTHER_EXPRESSIONS
from affectvlm.errors import ConfigError
from affectvlm.language import Grammar, Known, Vocabulary
from affectvlm.views.rig import CHANNELS, Rig

PACKAGED = Vocabulary.packaged()


@pytest.fixture
def written(tmp_path):
    """Write a vocabulary, and read it."""

    def read(text: str) -> Vocabulary:
        (tmp_path / "words.yaml").write_text(text, "utf-8")
        return Vocabulary.from_yaml(tmp_path / "words.yaml")

    return read


def test_the_packaged_one_has_words_for_all_that_data_sets_rigs_and_face_models_name():
    assert tuple(PACKAGED.classes) == EMOTIONS + FURTHER_EXPRESSIONS
    assert set(PACKAGED.map) == set(CHANNELS)
    assert set(Rig().names) <= set(PACKAGED.view)
    assert sorted(PACKAGED.intensity) == [1, 2, 3, 4]
    assert set(PACKAGED.sex) == {"female", "male"}
    assert set(PACKAGED.attributes["age"]) == {"young", "middle-aged", "older"}
    # What BU-3DFE's codes and the face models' axes of ancestry are called.
    assert set(PACKAGED.attributes["ancestry"]) == {
        "african", "asian", "european", "indian", "latino", "middle-eastern"
    }  # fmt: skip


def test_what_a_file_leaves_out_is_as_in_the_packaged_one(written):
    own = written("classes:\n  frown:\n    adjectives: [frowning]\n  anger:\n    nouns: [crossness]\n")
    assert own.classes["frown"].adjectives == ("frowning",)
    assert own.classes["anger"].nouns == ("crossness",)
    assert own.classes["anger"].adjectives == PACKAGED.classes["anger"].adjectives
    assert list(own.classes) == [*PACKAGED.classes, "frown"]
    assert own.model_copy(update={"classes": PACKAGED.classes}) == PACKAGED


def test_lists_stand_in_place_of_lists_and_names_are_added(written):
    own = written(
        "templates: ['{noun} of a {who}[, {view}]', 'a {adjective} {who}', 'a {who} {doing}']\n"
        "people: [driver]\nview: {mirror: [in the mirror]}\nattributes: {glasses: {some: [bespectacled]}}\n"
    )
    assert own.people == ("driver",)
    assert own.view == {**PACKAGED.view, "mirror": ("in the mirror",)}
    assert list(own.attributes) == ["age", "ancestry", "glasses"]
    known = Known({"glasses": "some", "age": "young"}, view="mirror")
    rng = np.random.default_rng(0)
    prompts = {Grammar(EMOTIONS, own).sample("fear", known, rng) for _ in range(4000)}
    assert {"terror of a young bespectacled driver, in the mirror", "a scared driver", "a driver cowering"} <= prompts


def test_a_class_of_ones_own_is_said_in_the_templates_that_fit(written):
    grammar = Grammar(("frown",), written("classes:\n  frown:\n    doing: [frowning, knitting the brows]\n"))
    assert "this person is knitting the brows" in grammar.corpus()
    ensemble = grammar.ensemble("frown")
    assert all("frowning" in prompt or "knitting the brows" in prompt for prompt in ensemble)
    doing = [template for template in PACKAGED.templates if "{doing}" in template]
    assert len(ensemble) == 2 * len(doing)


def test_words_of_any_script_are_words(written):
    grammar = Grammar(("müde",), written("classes:\n  müde: {adjectives: [müde, 疲れた]}\n"))
    assert {"a müde person", "a 疲れた person"} <= set(grammar.corpus())


def test_a_vocabulary_comes_back_from_json_and_from_yaml(written):
    own = written("classes:\n  frown:\n    doing: [frowning]\n")
    assert Vocabulary.model_validate_json(own.model_dump_json()) == own
    text = yaml.safe_dump(own.model_dump(mode="json"), allow_unicode=True)
    assert Vocabulary.model_validate(yaml.safe_load(text)) == own
    assert written(text) == own


def test_a_vocabulary_cannot_be_changed_by_accident():
    with pytest.raises(ValidationError, match="frozen"):
        PACKAGED.people = ("nobody",)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "expected a vocabulary in YAML, such as `classes:` and below it names and words"),
        ("- happy\n", "expected a vocabulary in YAML"),
        ("classes: [\n", "expected a vocabulary in YAML; while parsing"),
        ("people: [2020-13-45]\n", "expected a vocabulary in YAML; month must be in 1..12"),
        ("word: 1\n", "word: this name is not known"),
        ("1: 2\n", "1: expected a name, found 1"),
        ("classes: [a]\n", "classes: expected names, and words below each, found ['a']"),
        ("classes: {Frown: {nouns: [x]}}\n", "classes.Frown: expected the name of a class in small letters"),
        ("classes: {a/b: {nouns: [x]}}\n", "classes.a/b: expected the name of a class in small letters"),
        ("classes: {frown: {}}\n", "classes.frown: expected at least one word among adjectives, nouns and doing"),
        ("classes: {frown: [x]}\n", "classes.frown: expected adjectives, nouns or doing below it, found ['x']"),
        ("classes: {frown: {adjectves: [x]}}\n", "classes.frown.adjectves: this name is not known"),
        ("classes: {frown: {nouns: frown}}\n", "classes.frown.nouns: expected a list of words in [brackets]"),
        ("classes: {frown: {nouns: [yes]}}\n", "classes.frown.nouns.0: expected a word, in quotes if it is a number"),
        ("classes: {frown: {nouns: ['a  b']}}\n", "classes.frown.nouns.0: expected a word or a phrase"),
        ("classes: {frown: {nouns: ['{who}']}}\n", "classes.frown.nouns.0: expected a word or a phrase"),
        (f"classes: {{frown: {{nouns: [{'x' * 61}]}}}}\n", "classes.frown.nouns.0: expected something shorter"),
        ("people: []\n", "people: expected at least one word, found []"),
        ("view: {front: []}\n", "view.front: expected at least one word, found []"),
        ("intensity: {5: [huge]}\n", "intensity.5: expected an intensity of 1 to 4, found 5"),
        ("intensity: {much: [huge]}\n", "intensity.much: expected an intensity of 1 to 4, found 'much'"),
        ("attributes: {age: [young]}\n", "attributes.age: expected names, and words below each, found ['young']"),
        ("templates: ['a {who}']\n", "templates.0: expected exactly one of {adjective}, {noun} and {doing}"),
        ("templates: ['{noun} {noun}']\n", "templates.0: expected exactly one of {adjective}, {noun} and {doing}"),
        ("templates: ['{who}[ {noun}{view}]']\n", "templates.0: expected exactly one of {adjective}, {noun}"),
        ("templates: ['{noun} {age}']\n", "templates.0: expected the slots {adjective}, {noun}, {doing}, {who}, "),
        ("templates: ['{noun} { who}']\n", "templates.0: expected the slots"),
        ("templates: ['{noun} {view}']\n", "templates.0: expected {intensity}, {view} and {map} in [square brackets]"),
        ("templates: ['{noun}[ of {who}]']\n", "templates.0: expected {intensity}, {view} and {map} in [square"),
        ("templates: ['{noun}[, {view}']\n", "templates.0: expected pairs of square brackets"),
        ("templates: ['{noun}[, {view}[ {map}]]']\n", "templates.0: expected pairs of square brackets"),
        ("templates: ['{noun}  {who}']\n", "templates.0: expected single spaces"),
        ("templates: ['a [{intensity}] {noun}']\n", "templates.0: expected single spaces"),
        (
            "templates: ['a {noun}']\nclasses: {frown: {doing: [x]}}\n",
            "no template has a slot for the words of 'frown'",
        ),
    ],
)
def test_what_is_wrong_is_one_line_with_the_place(written, tmp_path, text, line):
    with pytest.raises(ConfigError) as error:
        written(text)
    assert str(error.value).startswith(f"{tmp_path / 'words.yaml'}: {line}")
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < len(str(tmp_path)) + 300


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00", b"classes: " + b"[" * 500], ids=["none", "binary", "deep"])
def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path, content):
    file = tmp_path / "words.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError) as error:
        Vocabulary.from_yaml(file)
    assert str(error.value).startswith(f"{file}: ")
    assert "\n" not in str(error.value)


def blocks_of_the_documentation() -> list[str]:
    text = (Path(__file__).parents[1] / "docs" / "language.md").read_text("utf-8")
    return re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)


def test_the_documentations_examples_are_vocabularies_that_do_what_they_say(written):
    classes, lists = blocks_of_the_documentation()
    own = written(classes)
    assert own.classes["frown"].doing == ("frowning", "knitting the brows")
    assert own.classes["happiness"].doing == ("smiling", "grinning")
    assert own.classes["happiness"].nouns == PACKAGED.classes["happiness"].nouns
    rng = np.random.default_rng(0)
    grammar = Grammar((*EMOTIONS, "frown"), own)
    known = Known({"glasses": "yes", "age": "older"}, view="chin")
    drawn = {grammar.sample("frown", known, rng) for _ in range(3000)}
    assert "an older bespectacled person frowning, seen from under the chin" in drawn
    assert (written(lists).people, len(written(lists).templates)) == (("person", "driver"), 3)


def test_the_documentation_counts_what_there_is():
    text = (Path(__file__).parents[1] / "docs" / "language.md").read_text("utf-8")
    counts = [len(own.adjectives) + len(own.nouns) + len(own.doing) for own in PACKAGED.classes.values()]
    assert f"{len(PACKAGED.templates)} templates and {min(counts)} to {max(counts)} words a\nclass" in text
    assert f"its {len(Grammar(EMOTIONS).ensemble('fear'))} prompts" in text


def test_yaml_that_would_run_code_is_refused(written):
    with pytest.raises(ConfigError, match="expected a vocabulary in YAML; could not determine a constructor"):
        written("people: !!python/object/apply:os.system ['true']\n")
