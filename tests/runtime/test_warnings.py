import re

import pytest

from retinagan.runtime.warnings import SENTENCES, ImageWarning


def test_a_warning_is_its_code_and_its_sentence():
    warning = ImageWarning("bit-depth-guessed", "taken as 12-bit data")
    assert (warning.code, warning.message) == ("bit-depth-guessed", "taken as 12-bit data")
    assert str(warning) == "bit-depth-guessed: taken as 12-bit data"


def test_without_a_message_the_code_has_its_own_sentence():
    assert ImageWarning("negative").message == SENTENCES["negative"]


def test_a_code_that_no_program_could_know_is_refused():
    with pytest.raises(ValueError, match="unknown warning code 'odd'; expected one of bit-depth-guessed, "):
        ImageWarning("odd")


def test_equal_warnings_are_one_in_a_set():
    assert len({ImageWarning("negative"), ImageWarning("negative", SENTENCES["negative"])}) == 1


@pytest.mark.parametrize("code", SENTENCES)
def test_codes_are_words_with_hyphens_and_sentences_are_one_line(code):
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", code)
    assert SENTENCES[code].endswith(SENTENCES[code].strip())
    assert "\n" not in SENTENCES[code]
