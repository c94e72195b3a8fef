import re

import numpy as np
import pytest

from retinagan.runtime.serve.errors import RequestError
from retinagan.runtime.serve.tensors import FILE, IMAGE, PROBABILITY, REPORT, VESSELS
from retinagan.runtime.serve.values import MOST_VALUES, as_bytes, as_values, from_bytes, from_values, shown


@pytest.mark.parametrize("values", [list(range(12)), [[[0, 1, 2], [3, 4, 5]], [[6, 7, 8], [9, 10, 11]]]])
def test_numbers_nested_or_flat(values):
    array = from_values(IMAGE, (2, 2, 3), values)
    assert array.dtype == np.uint8
    assert array.tolist() == np.arange(12).reshape(2, 2, 3).tolist()


@pytest.mark.parametrize(
    "values", [[0.5] * 3, [True] * 3, ["a"] * 3, [1, 2], [[1, 2], 3], None, {}, ["a" * 10**6] + [""] * 10**6]
)
def test_what_are_not_numbers_of_that_shape(values):
    with pytest.raises(
        RequestError, match="image: data: expected whole numbers from 0 to 255, 3 by the shape"
    ):
        from_values(IMAGE, (1, 1, 3), values)


def test_numbers_out_of_range():
    with pytest.raises(RequestError, match="image: data: got values from -1 to 300; expected 0 to 255"):
        from_values(IMAGE, (1, 1, 3), [-1, 0, 300])
    with pytest.raises(RequestError, match=f"image: data: got values from 0 to {2**70}; expected 0 to 255"):
        from_values(IMAGE, (1, 1, 3), [2**70, 0, 1])


def test_a_file_does_not_come_as_json():
    with pytest.raises(RequestError, match=r"^file: got its content in JSON; send it as binary data"):
        from_values(FILE, (1,), ["abc"])


def test_bytes_become_an_array_without_a_copy():
    content = bytearray(range(12))
    array = from_bytes(IMAGE, (2, 2, 3), memoryview(content))
    content[0] = 99
    assert array[0, 0].tolist() == [99, 1, 2]


def test_too_few_bytes():
    with pytest.raises(
        RequestError, match=re.escape("image: got 5 bytes; expected 12 for shape [2, 2, 3] of UINT8")
    ):
        from_bytes(IMAGE, (2, 2, 3), memoryview(bytes(5)))


def test_the_content_of_a_file():
    array = from_bytes(FILE, (1,), memoryview(b"\x03\0\0\0abc"))
    assert array.tolist() == [b"abc"]


@pytest.mark.parametrize("content", [b"", b"\x03\0\0", b"\x04\0\0\0abc", b"\x01\0\0\0a\x01\0\0\0b"])
def test_a_file_whose_length_is_wrong(content):
    with pytest.raises(
        RequestError, match=f"file: got {len(content)} bytes; expected one element: its length"
    ):
        from_bytes(FILE, (1,), memoryview(content))


def test_outputs_as_bytes():
    assert as_bytes(VESSELS, np.array([[True, False]])) == b"\1\0"
    assert as_bytes(PROBABILITY, np.array([[0.5, 1.0]], np.float32)[:, ::-1]) == b"\0\0\x80\x3f\0\0\0\x3f"
    assert as_bytes(REPORT, np.array([b"{}"], np.object_)) == b"\2\0\0\0{}"


def test_outputs_as_values():
    assert as_values(VESSELS, np.array([[True], [False]])) == [True, False]
    assert as_values(PROBABILITY, np.array([[0.5, 1.0]], np.float32)) == [0.5, 1.0]
    assert as_values(REPORT, np.array([b"{}"], np.object_)) == ["{}"]


def test_too_many_values_for_json():
    many = np.zeros((MOST_VALUES + 1, 1), np.bool_)
    with pytest.raises(
        RequestError, match=r"'vessels' has 2097153 values; expected at most 2097152 in JSON: ask"
    ):
        as_values(VESSELS, many)


def test_long_values_are_cut_in_messages():
    assert shown([1, "a"]) == '[1, "a"]'
    assert len(shown(list(range(1000)))) == 60
