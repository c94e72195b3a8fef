import json
import re

import numpy as np
import pytest
from tiny_model import tiny_spec, write_tiny_model

from retinagan.runtime import EngineError, ImageError, NoRetinaError, RetinaGanError, Segmenter
from retinagan.runtime.faults import ENGINE_FAILURES_IN_A_ROW
from retinagan.runtime.images.photograph import Photograph
from retinagan.runtime.model.parameters import MapThreshold
from retinagan.runtime.serve.errors import RequestError
from retinagan.runtime.serve.handler import Handler, ImageRequest


def test_pixels_give_the_maps_of_the_segmenter(handler, segmenter, image):
    answer = handler.answer(ImageRequest(image=image))
    expected = segmenter(image)
    for name in ("vessels", "probability", "roi"):
        np.testing.assert_array_equal(answer.tensor(name), getattr(expected, name))


def test_a_file_gives_the_same(handler, image, png):
    by_file = handler.answer(ImageRequest(file=png))
    by_pixels = handler.answer(ImageRequest(image=image))
    np.testing.assert_array_equal(by_file.segmentation.probability, by_pixels.segmentation.probability)


def test_pixels_that_cannot_be_written_to(handler, image):
    fixed = np.frombuffer(image.tobytes(), np.uint8).reshape(image.shape)
    assert handler.answer(ImageRequest(image=fixed)).segmentation.vessels.any()


def test_the_report(handler, segmenter, png):
    report = handler.answer(ImageRequest(file=png, field_of_view=30.0)).report
    seconds = report.pop("seconds")
    assert list(seconds) == ["read", "roi", "crop", "equalize", "patches", "infer", "regroup"]
    assert all(value >= 0 for value in seconds.values())
    assert 0 <= report.pop("confidence") <= 1
    assert report == {
        "status": "done",
        "warnings": [],
        "field_of_view": 30.0,
        "field_of_view_from": "given",
        "working_size": 96,
        "width": 200,
        "height": 180,
        "frames": 1,
        "model": "tiny",
        "model_sha256": segmenter.spec.sha256,
        "engine": segmenter.engine,
        "threshold": 0.5,
        "threshold_from": "fixed",
        "version": report["version"],
    }


def test_the_report_has_the_threshold_of_the_map(tmp_path, image):
    model = write_tiny_model(tmp_path, tiny_spec(map_threshold=MapThreshold(1.0, 0.5)))
    with Segmenter(model, threads=1) as own:
        answer = Handler(own).answer(ImageRequest(image=image))
    threshold = answer.segmentation.threshold
    assert threshold != own.spec.threshold
    for report in (answer.report, answer.parameters()):
        assert (report["threshold"], report["threshold_from"]) == (threshold, "map")


def test_where_the_angle_comes_from(segmenter, image, monkeypatch):
    assert Handler(segmenter).answer(ImageRequest(image=image)).report["field_of_view_from"] == "assumed"
    own = Handler(segmenter, field_of_view=40.0).answer(ImageRequest(image=image)).report
    assert own["field_of_view_from"] == "given"
    declared = Photograph(image, bits=8, field_of_view=30.0)
    monkeypatch.setattr("retinagan.runtime.serve.handler.decode_image", lambda data, **options: declared)
    report = Handler(segmenter).answer(ImageRequest(file=b"DICOM")).report
    assert (report["field_of_view"], report["field_of_view_from"]) == (30.0, "file")


def test_warnings_are_in_the_report_and_in_the_parameters(handler, png):
    sixteen = _sixteen_bit_tiff_of_two_pages()
    answer = handler.answer(ImageRequest(file=sixteen))
    codes = [doubt["code"] for doubt in answer.report["warnings"]]
    assert codes[:2] == ["first-of-several-frames", "bit-depth-guessed"]
    assert answer.report["status"] == "warning"
    assert answer.report["frames"] == 2
    flat = answer.parameters()
    assert flat["warnings"].split() == codes
    assert flat["message"].startswith("the file holds 2 images of full size; this is the first; ")
    assert flat["seconds_infer"] > 0
    assert all(isinstance(value, str | int | float) for value in flat.values())
    assert json.loads(answer.tensor("report")[0]) == answer.report


def _sixteen_bit_tiff_of_two_pages() -> bytes:
    import cv2
    from drawn_retina import drawn_retina

    gray = drawn_retina()[0][..., 1].astype(np.uint16) * 16
    return cv2.imencodemulti(".tiff", [gray, gray])[1].tobytes()


def test_the_frame_of_a_file(handler):
    answer = handler.answer(ImageRequest(file=_sixteen_bit_tiff_of_two_pages(), frame=2))
    assert "first-of-several-frames" not in [doubt["code"] for doubt in answer.report["warnings"]]
    with pytest.raises(ImageError, match="no image 3: the file holds 2"):
        handler.answer(ImageRequest(file=_sixteen_bit_tiff_of_two_pages(), frame=3))


def test_what_is_unknown_is_not_a_parameter(handler, image):
    answer = handler.answer(ImageRequest(image=image))
    answer.report["confidence"] = None
    assert "confidence" not in answer.parameters()


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (b"", ImageError, "the file is empty"),
        (b"no image", ImageError, "not an image that can be read"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), ImageError, "truncated|damaged|not"),
    ],
)
def test_files_that_are_no_images(handler, content, error, message):
    with pytest.raises(error, match=message):
        handler.answer(ImageRequest(file=content))
    assert handler.lost is None


def test_an_image_without_a_retina(handler):
    with pytest.raises(NoRetinaError):
        handler.answer(ImageRequest(image=np.zeros((64, 64, 3), np.uint8)))


@pytest.mark.parametrize("kind", ["image", "file"])
def test_images_of_too_many_pixels(segmenter, image, png, kind):
    small = Handler(segmenter, max_pixels=1000)
    with pytest.raises(ImageError, match="the image has 200x180 = 36000 pixels; expected at most 1000"):
        small.answer(ImageRequest(**{kind: {"image": image, "file": png}[kind]}))


def test_an_engine_that_fails_again_and_again_is_lost(handler, image, monkeypatch):
    def failing(frame, field_of_view=None):
        raise EngineError("no power")

    monkeypatch.setattr(handler, "segmenter", _Segmenter(handler.segmenter, failing))
    for _ in range(ENGINE_FAILURES_IN_A_ROW - 1):
        with pytest.raises(EngineError, match="no power"):
            handler.answer(ImageRequest(image=image))
        assert handler.lost is None
    with pytest.raises(EngineError, match="the engine failed on 3 images in a row: no power"):
        handler.answer(ImageRequest(image=image))
    assert handler.lost is not None


def test_a_defect_is_not_the_images_fault(handler, image, monkeypatch):
    def broken(frame, field_of_view=None):
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(handler, "segmenter", _Segmenter(handler.segmenter, broken))
    with pytest.raises(
        RetinaGanError, match=r"^unexpected ZeroDivisionError: oh .*; please report it"
    ) as caught:
        handler.answer(ImageRequest(image=image))
    assert not isinstance(caught.value, ImageError)


class _Segmenter:
    """A segmenter whose call is another function."""

    def __init__(self, own, call) -> None:
        self.spec, self.engine, self._call = own.spec, own.engine, call

    def __call__(self, frame, field_of_view=None):
        return self._call(frame, field_of_view)


def test_a_request_of_tensors_and_parameters(image):
    request = ImageRequest.of({"image": image}, {"field_of_view": 45})
    assert request.image is image
    assert request.field_of_view == 45.0
    request = ImageRequest.of(
        {"file": np.array([b"abc"], np.object_)}, {"frame": "2", "field_of_view": "30.5"}
    )
    assert (request.file, request.frame, request.field_of_view) == (b"abc", 2, 30.5)


FILE = {"file": np.array([b"abc"], np.object_)}
PIXELS = {"image": np.zeros((2, 2, 3), np.uint8)}


@pytest.mark.parametrize(
    ("inputs", "parameters", "message"),
    [
        ({}, {}, 'inputs: got none of "image" and "file"; expected one'),
        ({**FILE, **PIXELS}, {}, 'inputs: got both of "image" and "file"; expected one'),
        ({"photo": FILE["file"]}, {}, "inputs: got 'photo'; expected image or file"),
        (FILE, {"priority": 1}, 'parameters: got ["priority"]; expected field_of_view, frame'),
        (FILE, {"field_of_view": "wide"}, 'field_of_view: got "wide"; expected a number'),
        (FILE, {"field_of_view": True}, "field_of_view: got true; expected a number"),
        (FILE, {"field_of_view": [45]}, "field_of_view: got [45]; expected a number"),
        (FILE, {"field_of_view": 10**400}, f"field_of_view: got 1{'0' * 56}...; expected a number"),
        (FILE, {"\ud800": 1}, 'parameters: got ["\\ud800"]; expected field_of_view, frame'),
        (FILE, {"frame": 1.5}, "frame: got 1.5; expected a whole number from 1"),
        (FILE, {"frame": 0}, "frame: got 0; expected a whole number from 1"),
        (FILE, {"frame": True}, "frame: got true; expected a whole number from 1"),
        (FILE, {"frame": "nan"}, 'frame: got "nan"; expected a whole number from 1'),
        (PIXELS, {"frame": 1}, 'frame: it selects an image of a "file"; leave it out with "image"'),
    ],
)
def test_a_request_that_cannot_be(inputs, parameters, message):
    with pytest.raises(RequestError, match=f"^{re.escape(message)}"):
        ImageRequest.of(inputs, parameters)


@pytest.mark.parametrize("angle", [5, 300, float("nan"), float("inf")])
def test_an_angle_that_no_camera_has(angle):
    with pytest.raises(ImageError, match="expected the camera's angle, 10 to 220"):
        ImageRequest.of(FILE, {"field_of_view": angle})
