"""The tests that every engine adapter passes: inherit `AdapterContract` and implement `open`."""

import os
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_model import PATCH, reference_output, tiny_spec, write_tiny_model

from retinagan.runtime.engines import EngineAdapter
from retinagan.runtime.errors import EngineError, ImageError, ModelError
from retinagan.runtime.model.spec import ModelSpec, spec_path


def patches(count: int, height: int = PATCH, width: int = PATCH, seed: int = 0):
    """Give random inputs: image (count, 3, height, width) and roi (count, 1, height, width) float32."""
    generator = np.random.default_rng(seed)
    image = generator.normal(0, 1, (count, 3, height, width)).astype(np.float32)
    roi = (generator.random((count, 1, height, width)) < 0.7).astype(np.float32)
    return image, roi


class AdapterContract:
    """Subclass as ``class TestX(AdapterContract)``.

    Attributes
    ----------
    tolerance : float
        How far a probability may be from that of onnx's reference evaluator.
    """

    tolerance = 1e-5

    def open(self, model: Path, spec: ModelSpec | None) -> EngineAdapter:
        """Open a tiny model's ONNX file (or an artefact made from it) by the adapter under test."""
        raise NotImplementedError

    def reference(self, model: Path, image: np.ndarray, roi: np.ndarray) -> np.ndarray:
        """Give what the model must give."""
        return reference_output(model, image, roi)

    @pytest.fixture
    def model(self, tmp_path) -> Path:
        return write_tiny_model(tmp_path)

    @pytest.fixture
    def adapter(self, model):
        with self.open(model, ModelSpec.load(spec_path(model))) as adapter:
            yield adapter

    def test_gives_the_probability_of_the_reference(self, adapter, model):
        image, roi = patches(3)
        probability = adapter.infer(image, roi)
        assert probability.dtype == np.float32
        np.testing.assert_allclose(probability, self.reference(model, image, roi), atol=self.tolerance)

    def test_takes_any_number_of_patches(self, adapter):
        image, roi = patches(70)  # more than an engine gets at once
        together = adapter.infer(image, roi)
        one_by_one = [adapter.infer(image[i : i + 1], roi[i : i + 1]) for i in range(len(image))]
        np.testing.assert_allclose(together, np.concatenate(one_by_one), atol=self.tolerance)
        assert adapter.infer(image[:0], roi[:0]).shape == (0, 1, PATCH, PATCH)

    def test_says_what_runs_and_by_which_spec(self, adapter, model):
        assert adapter.spec == ModelSpec.load(spec_path(model))
        assert adapter.description.strip()
        assert "\n" not in adapter.description

    def test_a_later_call_leaves_earlier_results_alone(self, adapter):
        first = adapter.infer(*patches(2, seed=1))
        kept = first.copy()
        for seed in range(2, 6):
            adapter.infer(*patches(2, seed=seed))
        np.testing.assert_array_equal(first, kept)

    def test_writes_into_out(self, adapter):
        image, roi = patches(2)
        out = np.full((2, 1, PATCH, PATCH), np.nan, np.float32)
        assert adapter.infer(image, roi, out) is out
        np.testing.assert_array_equal(out, adapter.infer(image, roi))

    def test_takes_arrays_of_any_strides_and_leaves_them_alone(self, adapter):
        image, roi = patches(2)
        strided = np.ascontiguousarray(image.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
        strided.flags.writeable = False
        np.testing.assert_array_equal(adapter.infer(strided, roi), adapter.infer(image, roi))

    def test_height_and_width_that_the_divisor_does_not_divide(self, adapter):
        with pytest.raises(
            ImageError,
            match="image: got height 60, width 65; both must be multiples of 8: pad to height 64, width 72",
        ):
            adapter.infer(*patches(1, 60, 65))
        with pytest.raises(ImageError, match="pad to height 8, width 64"):
            adapter.infer(*patches(1, 0, 64))

    @pytest.mark.parametrize(
        ("name", "change", "message"),
        [
            ("image", lambda a: a.tolist(), r"image: got list; expected a float32 array of shape \(any, 3,"),
            ("image", lambda a: a.astype(np.float64), r"image: got float64 of shape \(2, 3, 64, 64\)"),
            ("image", lambda a: a[0], r"image: got float32 of shape \(3, 64, 64\)"),
            ("image", lambda a: a[:, :2], r"image: got float32 of shape \(2, 2, 64, 64\)"),
            (
                "roi",
                lambda a: a > 0,
                r"roi: got bool of .* expected a float32 array of shape \(2, 1, 64, 64\)",
            ),
            ("roi", lambda a: a[:1], r"roi: got float32 of shape \(1, 1, 64, 64\)"),
            ("roi", lambda a: a[..., :32], r"roi: got float32 of shape \(2, 1, 64, 32\)"),
            ("out", lambda a: a.astype(np.float64), r"out: got float64 of .* shape \(2, 1, 64, 64\)"),
            ("out", lambda a: a[:1], r"out: got float32 of shape \(1, 1, 64, 64\)"),
            ("out", lambda a: a.transpose(0, 1, 3, 2), "out: expected a writeable, C-contiguous array"),
            ("out", lambda a: np.broadcast_to(a[:1], a.shape), "out: expected a writeable, C-contiguous"),
        ],
    )
    def test_a_wrong_array_is_named(self, adapter, name, change, message):
        image, roi = patches(2)
        arrays = {"image": image, "roi": roi, "out": np.zeros_like(roi)}
        arrays[name] = change(arrays[name])
        with pytest.raises(ImageError, match=message):
            adapter.infer(**arrays)

    def test_many_threads_get_the_bits_that_one_gets(self, adapter):
        inputs = [patches(2, seed=seed) for seed in range(16)]
        alone = [adapter.infer(*pair) for pair in inputs]
        with ThreadPoolExecutor(16) as pool:
            for together in pool.map(lambda pair: [adapter.infer(*pair) for _ in range(3)], inputs):
                expected = alone.pop(0)
                assert all(np.array_equal(result, expected) for result in together)

    def test_raises_once_closed_and_closes_twice(self, adapter):
        adapter.close()
        adapter.close()
        with pytest.raises(EngineError, match='the engine of model "tiny" is closed'):
            adapter.infer(*patches(1))

    def test_closing_under_running_calls_lets_them_end(self, adapter):
        image, roi = patches(4)
        expected = adapter.infer(image, roi)
        started, ends = threading.Barrier(5), []

        def call_until_closed():
            started.wait()
            try:
                while True:
                    ends.append(np.array_equal(adapter.infer(image, roi), expected))
            except EngineError as error:
                ends.append("closed" in str(error))

        threads = [threading.Thread(target=call_until_closed) for _ in range(4)]
        for thread in threads:
            thread.start()
        started.wait()
        adapter.close()
        for thread in threads:
            thread.join()
        assert len(ends) >= 4
        assert all(ends)

    def test_a_forked_process_is_told_to_open_its_own(self, adapter):
        image, roi = patches(2)
        expected = adapter.infer(image, roi)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forking beside threads, the very point
            child = os.fork()
        if child == 0:
            told = False
            try:
                adapter.infer(image, roi)
            except EngineError as error:
                told = "was opened before a fork; open the model in the process that uses it" in str(error)
            adapter.close()
            os._exit(0 if told else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        np.testing.assert_array_equal(adapter.infer(image, roi), expected)

    def test_a_changed_byte_is_found_before_loading(self, model):
        content = bytearray(model.read_bytes())
        content[len(content) // 2] ^= 1
        model.write_bytes(content)
        with pytest.raises(ModelError, match=r"SHA-256 is .*, its spec says .*: the file was changed or cut"):
            self.open(model, ModelSpec.load(spec_path(model)))

    def test_a_missing_file(self, model):
        model.unlink()
        with pytest.raises(ModelError, match="cannot read the model file"):
            self.open(model, ModelSpec.load(spec_path(model)))

    def test_a_spec_without_hash(self, model):
        with pytest.raises(ModelError, match="sha256: missing; export the model again"):
            self.open(model, replace(tiny_spec(), sha256=""))
