"""A stand-in for ``triton_python_backend_utils``, the module that Triton's Python backend gives to a model.

Only what `retinagan.runtime.serve.triton` uses. A real server runs the same model in
tests/export/triton/test_real_triton.py.
"""

import json
from dataclasses import dataclass, field
from enum import Enum

import numpy as np


class Code(Enum):
    INTERNAL = 1
    INVALID_ARG = 3


class TritonError:
    INTERNAL, INVALID_ARG = Code.INTERNAL, Code.INVALID_ARG

    def __init__(self, message: str, code: Code = Code.INTERNAL) -> None:
        self.message, self.code = message, code


class Tensor:
    def __init__(self, name: str, array: np.ndarray) -> None:
        assert array.flags.c_contiguous
        self.name, self._array = name, array

    def as_numpy(self) -> np.ndarray:
        return self._array

    def to_dlpack(self) -> np.ndarray:
        return self._array

    @classmethod
    def from_dlpack(cls, name: str, array: np.ndarray) -> "Tensor":
        return cls(name, array)


class TensorOfOldBackend(Tensor):
    """What pybind11 before 2.12 makes of NumPy 2's arrays: the item size is 0, so each value is the first."""

    @classmethod
    def from_dlpack(cls, name: str, array: np.ndarray) -> "Tensor":
        return cls(name, np.full_like(array, array.flat[0]))


@dataclass
class InferenceResponse:
    output_tensors: list = field(default_factory=list)
    error: TritonError | None = None

    def arrays(self) -> dict[str, np.ndarray]:
        assert self.error is None, self.error.message
        return {tensor.name: tensor.as_numpy() for tensor in self.output_tensors}


@dataclass
class Request:
    """An inference request; `inputs` by name."""

    inputs: dict[str, np.ndarray]
    outputs: tuple[str, ...] = ("vessels", "report")
    given: dict = field(default_factory=dict)

    def requested_output_names(self) -> list[str]:
        return list(self.outputs)

    def parameters(self) -> str:
        return json.dumps(self.given) if self.given else ""


def get_input_tensor_by_name(request: Request, name: str) -> Tensor | None:
    return Tensor(name, request.inputs[name]) if name in request.inputs else None
