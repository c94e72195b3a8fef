import numpy as np

from retinagan.runtime.model.parameters import NetworkInput
from retinagan.runtime.steps.tensors import image_tensor, roi_tensor


def test_pixels_are_normalised_by_channel():
    patches = np.random.default_rng(0).integers(0, 256, (2, 8, 16, 3), dtype=np.uint8)
    options = NetworkInput((0.1, 0.2, 0.3), (0.5, 0.25, 2.0))
    tensor = image_tensor(patches, options)
    expected = (patches / 255.0 - options.mean) / options.std
    assert tensor.shape == (2, 3, 8, 16)
    assert tensor.dtype == np.float32
    assert tensor.flags.c_contiguous
    np.testing.assert_allclose(tensor, expected.transpose(0, 3, 1, 2), rtol=1e-6, atol=1e-6)


def test_the_roi_becomes_zero_and_one():
    patches = np.array([[[True, False], [False, True]]])
    tensor = roi_tensor(patches)
    assert tensor.dtype == np.float32
    assert tensor.tolist() == [[[[1.0, 0.0], [0.0, 1.0]]]]


def test_arrays_that_are_there_are_filled():
    patches = np.random.default_rng(0).integers(0, 256, (2, 8, 16, 3), dtype=np.uint8)
    images, rois = np.full((4, 3, 8, 16), 9, np.float32), np.full((4, 1, 8, 16), 9, np.float32)
    image = image_tensor(patches, NetworkInput(), images[:2])
    roi = roi_tensor(patches[..., 0] > 99, rois[:2])
    assert np.shares_memory(image, images)
    assert np.shares_memory(roi, rois)
    np.testing.assert_array_equal(images[:2], image_tensor(patches, NetworkInput()))
    np.testing.assert_array_equal(rois[:2], roi_tensor(patches[..., 0] > 99))
    assert (images[2:] == 9).all()
    assert (rois[2:] == 9).all()
