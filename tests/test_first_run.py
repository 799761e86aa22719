"""The first run says why it takes long, once; a run that compiles nothing says nothing."""

import numba

from affectvlm.cli.first_run import compiling_told


def test_what_is_compiled_is_told_once_and_what_is_not_is_not(capsys):
    doubled, tripled = numba.njit(lambda number: 2 * number), numba.njit(lambda number: 3 * number)
    with compiling_told():
        assert doubled(1) == 2
        assert tripled(1) == 3
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == ["compiling for this machine, up to a minute; later runs need not ..."]
    with compiling_told():
        assert doubled(2) == 4
    assert capsys.readouterr().err == ""


def test_nothing_is_told_outside_of_it(capsys):
    with compiling_told():
        pass
    assert numba.njit(lambda number: number + 1)(1) == 2
    assert capsys.readouterr().err == ""
