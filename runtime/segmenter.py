"""One image in, its vessel map out: the whole way through the runtime."""

import os
from dataclasses import replace
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from retinagan.runtime.adapters import open_adapter
from retinagan.runtime.bundled import find_model
from retinagan.runtime.errors import ModelError
from retinagan.runtime.frames import ColorOrder, as_rgb8
from retinagan.runtime.patches import PatchGrid
from retinagan.runtime.prepare import prepare
from retinagan.runtime.spec import ModelSpec, spec_path
from retinagan.runtime.steps import Segmentation, cut_patches, regroup
from retinagan.runtime.timing import StageClock

__all__ = ["Segmentation", "Segmenter"]


class Segmenter:
    """Segments the vessels of fundus images with one model on one engine.

    Many threads may call one segmenter. It is a context manager; `close` frees the engine.

    Parameters
    ----------
    model : str or path, optional
        A bundled model's name or an ONNX file; the bundled "retina-gan" if left out.
    device : str
        Where to run: "auto" takes what works here, "cpu" the CPU.
    color : {"rgb", "bgr"}
        The order of the frames' channels; "bgr" for frames from OpenCV.
    threads : int, optional
        How many CPU threads the engine uses; all cores if left out.
    threshold : float, optional
        Probability from which on a pixel is a vessel, 0 to 1, instead of the spec's.
    overlap : float, optional
        Share of a patch's side that it has in common with the next, 0 to 0.9, instead of the spec's.

    Attributes
    ----------
    spec : ModelSpec
        The model's spec, with `threshold` and `overlap` as used.

    Raises
    ------
    ImageError
        If the colour order is unknown.
    ModelError
        If the model is unknown, broken or not what its spec says, or an option is out of range.
    EngineError
        If the engine or device is not there.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | None = None,
        *,
        device: str = "auto",
        color: ColorOrder = "rgb",
        threads: int | None = None,
        threshold: float | None = None,
        overlap: float | None = None,
    ) -> None:
        as_rgb8(np.zeros((1, 1), np.uint8), color)  # refuses an unknown order now, not at the first frame
        path = find_model(model)
        spec = ModelSpec.load(spec_path(path)) if spec_path(path).is_file() else None
        self._color = color
        self._adapter = open_adapter(path, spec, device, threads)
        try:
            self.spec = _with_options(self._adapter.spec, threshold, overlap)
        except ModelError:
            self._adapter.close()
            raise
        tiling = self.spec.tiling
        self._grid = PatchGrid(self.spec.preprocessing.working_size, tiling.patch, tiling.overlap)

    @property
    def engine(self) -> str:
        """The engine, its version and where it runs, in one line."""
        return self._adapter.description

    def __call__(self, frame: NDArray[Any]) -> Segmentation:
        """Segment one frame.

        Parameters
        ----------
        frame : (H, W, 3) or (H, W) array
            uint8 or uint16 fundus image, in the segmenter's colour order or grey.

        Returns
        -------
        Segmentation

        Raises
        ------
        ImageError
            If the frame's dtype or shape is wrong; `NoRetinaError` if it shows no retina.
        EngineError
            If the segmenter was closed, or the engine fails.
        """
        self._adapter.check_open()
        clock = StageClock()
        # RGB, ROI mask, square round the retina's disc, working size, equalization
        prepared = prepare(frame, self.spec.preprocessing, self._color, clock)
        batch = cut_patches(prepared, self._grid, self.spec.network_input, clock)
        with clock.stage("infer"):
            probability = self._adapter.infer(batch.image, batch.roi)
        return regroup(probability, batch.indices, prepared, self._grid, self.spec.threshold, clock)

    def warmup(self) -> None:
        """Run the engine once on empty patches, so that the first frame takes no longer than the rest."""
        side = self.spec.tiling.patch
        shape = (len(self._grid), 1, side, side)
        self._adapter.infer(np.zeros((shape[0], 3, side, side), np.float32), np.ones(shape, np.float32))

    def close(self) -> None:
        """Wait for the calls that run, then free the engine; later calls raise `EngineError`."""
        self._adapter.close()

    def __enter__(self) -> "Segmenter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _with_options(spec: ModelSpec, threshold: float | None, overlap: float | None) -> ModelSpec:
    """Give the spec with the user's options in place of its own, checked by the spec's own ranges."""
    if threshold is not None:
        spec = replace(spec, threshold=threshold)
    if overlap is not None:
        spec = replace(spec, tiling=replace(spec.tiling, overlap=overlap))
    return spec
