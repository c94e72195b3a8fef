import pytest

from retinagan.runtime.wording import counted, spoken


def test_a_number_of_things():
    assert [counted(number, "image") for number in (0, 1, 2)] == ["0 images", "1 image", "2 images"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (10, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (125, "2 min 05 s"),
        (3599.9, "1 h 00 min"),
        (360000, "100 h 00 min"),
    ],
)
def test_a_span_of_time(seconds, words):
    assert spoken(seconds) == words
