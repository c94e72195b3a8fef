import pytest

from retinagan.train.data.terms import narrowest


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        ({"A": ""}, ""),
        ({"A": "CC BY 4.0", "B": "CC BY 4.0"}, "CC BY 4.0"),
        ({"A": "CC BY 4.0", "B": "research and education only"}, "research and education only"),
        ({"A": "CC BY 4.0", "B": "ask the hospital"}, "CC BY 4.0; ask the hospital"),
        ({"A": "CC BY 4.0", "B": ""}, "CC BY 4.0; unknown terms of B"),
    ],
)
def test_a_model_is_bound_by_the_narrowest(terms, expected):
    assert narrowest(terms) == expected
