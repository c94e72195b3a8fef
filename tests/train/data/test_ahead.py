import multiprocessing
import os
import signal

import numpy as np
import pytest
from small_dataset import WORKING_SIZE, training_images

from retinagan.runtime.model.parameters import Preprocessing
from retinagan.train.data.ahead import VariantSource, WorkerError
from retinagan.train.data.colour_jitter import ColourJitter
from retinagan.train.data.variants import IMAGES, PATCHES, VariantMaker


@pytest.fixture(scope="module")
def maker(tmp_path_factory):
    images = training_images(tmp_path_factory.mktemp("data"))
    return VariantMaker(images, (), ColourJitter(), Preprocessing(working_size=WORKING_SIZE), 0)


def test_workers_change_nothing_and_end(maker):
    here, elsewhere = VariantSource(maker), VariantSource(maker, 1)
    for stream, start in ((PATCHES, 0), (PATCHES, 1), (PATCHES, 3), (IMAGES, 0)):
        pairs = zip(here.window(stream, start, 2), elsewhere.window(stream, start, 2), strict=True)
        for ours, theirs in pairs:
            np.testing.assert_array_equal(ours.layers.image, theirs.layers.image)
            assert ours.box == theirs.box
    elsewhere.close()
    assert not multiprocessing.active_children()


def test_variants_in_the_window_are_made_once(maker):
    source = VariantSource(maker)
    first, second = source.window(PATCHES, 0, 2)
    assert source.window(PATCHES, 1, 2)[0] is second
    assert source.window(PATCHES, 0, 1)[0] is not first


def test_a_worker_that_is_killed_is_named(maker):
    source = VariantSource(maker, 1)
    source.window(PATCHES, 0, 1)
    (worker,) = source._executor._processes.values()
    os.kill(worker.pid, signal.SIGKILL)
    worker.join()
    with pytest.raises(WorkerError, match="give it a lower --jitter-workers"):
        source.window(PATCHES, 10, 1)
    source.close()
