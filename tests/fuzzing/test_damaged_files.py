"""Two thousand damaged files; ``make fuzz`` reads a hundred thousand."""

from .campaign import run_cases
from .cases import cases
from .fixtures import make_fixtures


def test_damaged_files_are_read_or_refused_in_one_line(tmp_path):
    names = list(make_fixtures(tmp_path))
    results = run_cases(cases(names, 2000))
    assert len(results) == 2000
    findings = [str(result) for result in results if result.verdict.complaint]
    assert not findings, "\n".join(findings)
    refused = sum(result.verdict.refusal is not None for result in results)
    assert 500 < refused < 1800  # most is noticed, and not all is so damaged that only the first lines are tried
