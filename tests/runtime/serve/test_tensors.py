import pytest
from tiny_model import tiny_spec

from retinagan.runtime.serve.tensors import DTYPES, FILE, IMAGE, INPUTS, OUTPUTS, served_name


@pytest.mark.parametrize(
    ("tensor", "shape", "fits"),
    [
        (IMAGE, (180, 200, 3), True),
        (IMAGE, (0, 200, 3), True),
        (IMAGE, (180, 200, 4), False),
        (IMAGE, (-1, 200, 3), False),
        (IMAGE, (180, 200), False),
        (FILE, (1,), True),
        (FILE, (2,), False),
        (FILE, (1, 1), False),
    ],
)
def test_which_shapes_fit(tensor, shape, fits):
    assert tensor.fits(shape) is fits


def test_every_tensor_has_a_known_datatype_and_a_name_of_its_own():
    tensors = (*INPUTS, *OUTPUTS)
    assert {tensor.datatype for tensor in tensors} <= set(DTYPES)
    assert len({tensor.name for tensor in tensors}) == len(tensors)


@pytest.mark.parametrize(
    ("name", "served"),
    [
        ("retina-gan", "retina-gan"),
        ("My model, v1.2", "My-model-v1.2"),
        ("../up/and away", "up-and-away"),
        ("Netzhaut-Gefäße", "Netzhaut-Gef-e"),
        ("眼", "model"),
    ],
)
def test_a_name_that_fits_into_a_url_and_a_folder(name, served):
    assert served_name(tiny_spec(name=name)) == served
