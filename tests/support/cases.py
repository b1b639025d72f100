"""Cases of parametrized tests."""
import pytest


def first_and_long(cases):
    """The first case always; the others where long tests are wanted (FLOTILLA_LONG)."""
    first, *others = cases
    return [first, *(pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.long)
                     for case in others)]
