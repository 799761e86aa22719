"""Files made to harm are refused, or read without what they ask for, in little time and memory."""

import pytest

from . import hostile
from .campaign import Result, run_cases
from .cases import Case


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> list[Result]:
    names = hostile.make_fixtures(tmp_path_factory.mktemp("made"))
    return run_cases([Case(name, None) for name in names], registry=hostile.__name__)


def test_no_file_does_harm_and_none_elsewhere_is_opened(results):
    findings = [str(result) for result in results if result.verdict.complaint]
    assert not findings, "\n".join(findings)


def test_what_cannot_be_true_is_refused(results):
    read = [
        result.case.fixture
        for result in results
        if result.case.fixture.split(": ", 1)[1].startswith(hostile.MUST_BE_REFUSED) and not result.verdict.refusal
    ]
    assert not read


def test_a_name_of_a_file_elsewhere_spoils_no_shape(results):
    # A buffer holds the shape itself; without a picture or a material the shape is read all the same.
    refused = [
        str(result)
        for result in results
        if " asks for " in result.case.fixture and ", a buffer" not in result.case.fixture and result.verdict.refusal
    ]
    assert not refused, "\n".join(refused)
