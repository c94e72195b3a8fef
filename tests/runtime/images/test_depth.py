import numpy as np
import pytest

from retinagan.runtime.images.depth import BitDepth, SteadyDepth, bit_depth, upper_bits


def sensor(bits, seed=0):
    """A picture that uses nearly the whole range of so many bits."""
    most = (1 << bits) - 1
    return np.random.default_rng(seed).integers(0, most, (100, 100), endpoint=True).astype(np.uint16)


def test_eight_bit_data_has_eight_bits():
    assert bit_depth(np.zeros((4, 4), np.uint8), declared=5) == BitDepth(8)


@pytest.mark.parametrize("bits", [8, 10, 12, 14])
def test_values_tell_the_sensor(bits):
    assert bit_depth(sensor(bits)) == BitDepth(bits, guessed=True)


def test_values_of_all_sixteen_bits_are_no_guess():
    assert bit_depth(sensor(16)) == BitDepth(16)
    assert BitDepth(16).warnings == ()


def test_a_declaration_is_believed_and_no_guess():
    assert bit_depth(sensor(10), declared=12) == BitDepth(12)
    assert bit_depth(sensor(5), declared=5) == BitDepth(5)


def test_a_declaration_that_the_values_exceed_is_not_believed():
    assert bit_depth(sensor(14), declared=12) == BitDepth(14, guessed=True)


def test_sixteen_bits_are_declared_by_any_program_and_say_nothing():
    assert bit_depth(sensor(12), declared=16) == BitDepth(12, guessed=True)


def test_hot_pixels_have_no_say():
    pixels = sensor(12)
    pixels[0, :40] = np.arange(40) + 60000
    assert bit_depth(pixels).bits == 12
    pixels[:2] = 50000 + np.arange(200).reshape(2, 100)
    assert bit_depth(pixels).bits == 16


@pytest.mark.parametrize(("rows", "bits"), [(15, 12), (25, 16)])
def test_a_white_label_has_no_say_unless_it_fills_the_picture(rows, bits):
    pixels = sensor(12)
    pixels[:rows] = 65535
    assert bit_depth(pixels).bits == bits


def test_a_guess_is_said():
    (warning,) = BitDepth(12, guessed=True).warnings
    assert warning.code == "bit-depth-guessed"
    assert warning.message == (
        "the file does not declare its bit depth; read as 12-bit data, "
        "since nearly all values are at most 4095"
    )


def test_a_streams_depth_is_its_first_frames_until_one_exceeds_it():
    depth = SteadyDepth()
    frames = [sensor(12), sensor(12) // 64, sensor(14), sensor(10)]
    assert [depth.of(frame) for frame in frames] == [12, 12, 14, 14]
    assert depth.of(np.zeros((4, 4), np.uint8)) == 8
    assert depth.of(sensor(10)) == 14


@pytest.mark.parametrize(
    ("bits", "values", "upper"),
    [
        (16, [0, 255, 256, 65535], [0, 0, 1, 255]),
        (12, [0, 16, 4095, 60000], [0, 1, 255, 255]),
        (8, [0, 7, 255, 256], [0, 7, 255, 255]),
        (4, [0, 1, 15, 16], [0, 17, 255, 255]),
        (1, [0, 1, 2, 9], [0, 255, 255, 255]),
    ],
)
def test_the_upper_eight_bits(bits, values, upper):
    found = upper_bits(np.array(values, np.uint16), bits)
    assert found.dtype == np.uint8
    assert found.tolist() == upper
