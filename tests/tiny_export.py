"""An exported folder: the tiny model with its spec and a proof pack."""

from pathlib import Path

from drawn_retina import drawn_retina
from tiny_model import write_tiny_model

from retinagan.export.proof.images import ProofImage
from retinagan.export.proof.measure import prepared, probability_map
from retinagan.export.proof.pack import pack_folder, write_pack
from retinagan.runtime.engines import OnnxRuntimeAdapter
from retinagan.runtime.model.spec import ModelSpec, spec_path


def write_tiny_export(folder: Path) -> Path:
    """Write the folder's files; give the path of the ONNX file."""
    path = write_tiny_model(folder)
    spec = ModelSpec.load(spec_path(path))
    images = [ProofImage(f"drawn_{turn}", drawn_retina(angles=(20 + turn, 75, 130))[0]) for turn in (0, 9)]
    with OnnxRuntimeAdapter(path, spec) as adapter:
        maps = [probability_map(adapter, prepared(image, spec), spec) for image in images]
    write_pack(pack_folder(path, spec), spec, images, maps)
    return path
