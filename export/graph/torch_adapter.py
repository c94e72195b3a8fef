"""The trained generator, run by torch, under the engines' contract."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from retinagan.runtime.engines import EngineAdapter
from retinagan.runtime.model.spec import ModelSpec


class TorchAdapter(EngineAdapter):
    """The trained generator, run by torch, under the engines' contract.

    Parameters
    ----------
    generator : torch.nn.Module
        In eval mode, on the CPU; returns logits.
    spec : ModelSpec
        The spec of the model that is exported from it.
    """

    def __init__(self, generator: nn.Module, spec: ModelSpec) -> None:
        self._generator = generator
        super().__init__(spec, f"torch {torch.__version__}, CPU")

    def _run(self, image: NDArray[np.float32], roi: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        with torch.inference_mode():
            logits = self._generator(torch.from_numpy(image), torch.from_numpy(roi))
            np.copyto(out, torch.sigmoid(logits).numpy())

    def _close(self) -> None:
        del self._generator
