import inspect
import pickle

import pytest

from retinagan.runtime import errors
from retinagan.runtime.errors import ImageError, NoRetinaError, RetinaGanError

ALL = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]


@pytest.mark.parametrize("kind", ALL)
def test_one_base_catches_all(kind):
    assert issubclass(kind, RetinaGanError)
    with pytest.raises(RetinaGanError, match="what is wrong"):
        raise kind("what is wrong")


@pytest.mark.parametrize("kind", [kind for kind in ALL if kind is not RetinaGanError])
def test_each_is_a_builtin_error_too(kind):
    """Code that knows nothing of this package catches what is wrong with a value or a state as ever."""
    assert issubclass(kind, ValueError) != issubclass(kind, RuntimeError)


def test_a_picture_without_a_retina_is_an_image_that_cannot_be_used():
    assert issubclass(NoRetinaError, ImageError)


@pytest.mark.parametrize("kind", ALL)
def test_it_comes_whole_out_of_another_process(kind):
    error = pickle.loads(pickle.dumps(kind("what is wrong")))
    assert type(error) is kind
    assert str(error) == "what is wrong"
