"""The model that Triton's Python backend runs: the same handler as in `retina-serve`, in Triton's process.

``retina-export MODEL --triton DIR`` writes a ``model.py`` that imports `TritonPythonModel` from here. Triton
puts its module ``triton_python_backend_utils`` on the path of the process that it starts for the model.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from retinagan.runtime.errors import EngineError, ImageError, RetinaGanError
from retinagan.runtime.segmenter import Segmenter
from retinagan.runtime.serve.errors import RequestError
from retinagan.runtime.serve.handler import Handler, ImageRequest
from retinagan.runtime.serve.tensors import INPUTS, OUTPUTS

BACKEND = "triton_python_backend_utils"
_DEVICES = {"CPU": "cpu", "GPU": "cuda:{device}", "MODEL": "auto"}


class TritonPythonModel:
    """What Triton calls: `initialize` once, `execute` with requests, `finalize` at the end."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Open the model of the repository.

        Parameters
        ----------
        args : mapping of str to str
            As Triton gives them: ``model_config`` (JSON), ``model_repository``, ``model_version``,
            ``model_instance_kind`` and ``model_instance_device_id``. The configuration's parameters are
            ``model_file``, which is required, and ``engine``, ``threads`` and ``field_of_view``.

        Raises
        ------
        EngineError
            If this Triton hands over wrong arrays, or the engine or device is not available.
        ModelError
            If the model is missing or damaged.
        """
        self._backend = importlib.import_module(BACKEND)
        check_arrays(self._backend)
        given = json.loads(args["model_config"]).get("parameters", {})
        parameters = {name: value["string_value"] for name, value in given.items()}
        device = _DEVICES[args["model_instance_kind"]].format(device=args["model_instance_device_id"])
        angle = parameters.get("field_of_view")
        field_of_view = None if angle is None else float(angle)
        segmenter = Segmenter(
            Path(args["model_repository"], args["model_version"], parameters["model_file"]),
            device=device,
            engine=parameters.get("engine", "auto"),
            threads=int(parameters["threads"]) if "threads" in parameters else None,
            field_of_view=field_of_view,
        )
        segmenter.warmup()
        self._handler = Handler(segmenter, field_of_view)

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Return a response for each request; one that fails has an error and costs no other."""
        return [self._response(request) for request in requests]

    def finalize(self) -> None:
        """Free the engine."""
        self._handler.segmenter.close()

    def _response(self, request: Any) -> Any:
        backend = self._backend
        try:
            answer = self._handler.answer(self._read(request))
        except RetinaGanError as error:
            codes = backend.TritonError
            code = codes.INVALID_ARG if isinstance(error, RequestError | ImageError) else codes.INTERNAL
            return backend.InferenceResponse(error=backend.TritonError(str(error), code))
        wanted = set(request.requested_output_names())
        return backend.InferenceResponse(
            [
                backend.Tensor(output.name, np.ascontiguousarray(answer.tensor(output.name)))
                for output in OUTPUTS
                if output.name in wanted
            ]
        )

    def _read(self, request: Any) -> ImageRequest:
        inputs = {}
        for declared in INPUTS:
            tensor = self._backend.get_input_tensor_by_name(request, declared.name)
            if tensor is not None:
                inputs[declared.name] = tensor.as_numpy()
        return ImageRequest.of(inputs, json.loads(request.parameters() or "{}"))


def check_arrays(backend: Any) -> None:
    """Check that arrays come through Triton's backend as they were.

    Before Triton 24.11 the backend was built with pybind11 2.10, which takes NumPy 2's item size for 0: each
    element that arrives is the first one (https://github.com/triton-inference-server/python_backend/pull/384).

    Raises
    ------
    EngineError
        If they do not.
    """
    sent = np.arange(3, dtype=np.uint8)
    came = backend.Tensor.from_dlpack("sent", backend.Tensor("sent", sent).to_dlpack()).as_numpy()
    if not np.array_equal(sent, came):
        raise EngineError(
            f"this Triton's Python backend changes arrays ({sent.tolist()} came as {came.tolist()}): it "
            f"does not know NumPy {np.__version__}; use Triton 24.11 or later, or in its Python type  "
            'pip install "numpy<2" "opencv-python-headless<4.12"'
        )
