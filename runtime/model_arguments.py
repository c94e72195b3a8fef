"""The arguments with which commands name a model and where it runs, and the segmenter that they mean."""

from __future__ import annotations

import argparse
import warnings
from typing import TYPE_CHECKING, Literal

from retinagan.runtime.console.command import complain
from retinagan.runtime.memory import return_large_arrays
from retinagan.runtime.model.bundled import DEFAULT_MODEL, bundled_models

if TYPE_CHECKING:
    from retinagan.runtime.images.frames import ColorOrder
    from retinagan.runtime.segmenter import Segmenter


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that `open_segmenter` needs."""
    add = parser.add_argument
    names = ", ".join(bundled_models())
    add(
        "--model",
        metavar="MODEL",
        help=f"bundled model ({names}), ONNX file or engine (default: {DEFAULT_MODEL})",
    )
    add(
        "--device",
        default="auto",
        help="where to run: cpu, cuda, or cuda:1 for the second GPU (default: %(default)s, "
        "the best available)",
    )
    add(
        "--engine",
        default="auto",
        help="onnxruntime, openvino or tensorrt (default: %(default)s, the fastest available)",
    )
    add(
        "--field-of-view",
        type=float,
        metavar="DEGREES",
        help="the camera's angle, 10 to 220, which sets the scale at which the network sees the vessels "
        "(default: that of the image's file, otherwise what the model assumes)",
    )
    add(
        "--pixels-per-degree",
        type=float,
        metavar="D",
        help="density at which the network sees the vessels; a lower one is faster and less "
        "accurate (default: the model's)",
    )
    add(
        "--threshold",
        type=_threshold,
        metavar="P",
        help="pixels at or above this probability count as vessel, on all images; the word fixed takes the "
        "model's number for all (default: each map's own, by the model's rule)",
    )
    add(
        "--overlap",
        type=float,
        metavar="SHARE",
        help="share of a patch that the next one overlaps (default: the model's)",
    )
    add("--threads", type=int, metavar="N", help="CPU threads (default: all cores)")


def _threshold(text: str) -> float | Literal["fixed"]:
    if text == "fixed":
        return "fixed"
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r}; expected a number from 0 to 1, or the word fixed"
        ) from None


def open_segmenter(
    name: str, options: argparse.Namespace, *, quiet: bool = False, color: ColorOrder = "rgb"
) -> Segmenter:
    """Open the model that the arguments mean, and print each of its warnings in one line.

    Parameters
    ----------
    name : str
        The command's name, with which its messages begin.
    options : argparse.Namespace
        With the arguments of `add_model_arguments`.
    quiet : bool
        Whether to print no warnings.
    color : {"rgb", "bgr"}
        The order of the frames' channels.

    Raises
    ------
    RetinaGanError
        As of `Segmenter`.
    """
    import cv2

    from retinagan.runtime.segmenter import Segmenter

    return_large_arrays()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        segmenter = Segmenter(
            options.model,
            device=options.device,
            engine=options.engine,
            threads=options.threads,
            threshold=options.threshold,
            overlap=options.overlap,
            field_of_view=options.field_of_view,
            pixels_per_degree=options.pixels_per_degree,
            color=color,
        )
    if options.threads is not None:
        cv2.setNumThreads(options.threads)
    if quiet:
        return segmenter
    for warning in caught:
        if issubclass(warning.category, (UserWarning, RuntimeWarning)):
            complain(name, f"warning: {warning.message}")
    fixed = segmenter.spec.preprocessing.working_size
    if options.field_of_view is not None and fixed is not None:
        complain(
            name,
            f"warning: --field-of-view has no effect on maps: model {segmenter.spec.name} has a fixed "
            f"working size of {fixed} pixels",
        )
    return segmenter
