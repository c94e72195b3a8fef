"""From a model to a file of each precision: write, prove against FP32, and only then release."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from retinagan.export.graph.calibration import Calibration, calibrate, calibration_images
from retinagan.export.graph.source import open_source
from retinagan.export.options import MEANT_FOR, ExportOptions
from retinagan.export.precisions.drafts import Draft, Prover, write_draft
from retinagan.export.precisions.layer_search import search
from retinagan.export.precisions.making import Maker
from retinagan.export.progress import StepLog
from retinagan.export.proof.agreement import ParityError
from retinagan.export.proof.bounds import bounds_for, deciding_set, faults
from retinagan.export.proof.images import ImageFolder
from retinagan.runtime.console.signals import signals_held_back
from retinagan.runtime.model.spec import ModelSpec, spec_path


@dataclass(frozen=True)
class Artefact:
    """An exported file and its spec beside it."""

    path: Path
    spec: ModelSpec

    HEADER = ("file", "for", "size", "max diff", "map Dice", "AUC", "Dice", "Acc", "Sen", "Spe", "threshold")

    def row(self) -> tuple[str, ...]:
        """Return a row of the final table, with "-" where there is no truth."""
        proof = self.spec.proof
        measured = proof[deciding_set(proof) or ""]
        scores = measured.get("scores", {})
        figures = (scores.get(name) for name in ("auc", "dice", "acc", "sen", "spe"))
        return (
            str(self.path),
            proof["meant_for"],
            f"{self.path.stat().st_size / 1e6:.2f} MB",
            f"{measured['max_abs_difference']:.1e}",
            f"{measured['map_dice']:.4f}",
            *("-" if figure is None else f"{figure:.4f}" for figure in figures),
            f"{self.spec.threshold:.3f}",
        )


def export_models(
    path: str | os.PathLike[str], out: str | os.PathLike[str], options: ExportOptions, log: StepLog
) -> list[Artefact]:
    """
    Export a checkpoint or an FP32 ONNX file in the requested precisions.

    Parameters
    ----------
    path : str or path
        A checkpoint of `retina-train`, or an FP32 ONNX file of `retina-export`.
    out : str or path
        Output folder; created if missing.
    options : ExportOptions
    log : StepLog
        Where each step is reported.

    Returns
    -------
    list of Artefact
        The written files, besides the proof pack. A failure leaves nothing new, and files of an earlier
        export unchanged.

    Raises
    ------
    ModelError
        If the source cannot be used, an option is out of range, or (`ParityError`) a precision exceeds its
        bounds.
    ImageError, InputError, DataError
        If the images for calibration or proof cannot be used.
    OSError
        If the folder cannot be written to.
    """
    calibration, verify = _folders(options)
    with _work_folder(Path(out)) as work, ExitStack() as stack:
        source = open_source(Path(path), options.changes, log)
        reference = stack.enter_context(source.open_reference())
        fp32 = write_draft(source.model, source.spec, work, {"meant_for": MEANT_FOR["fp32"]})
        maker = Maker(fp32, work, _calibrated(fp32, options, calibration, log))
        drafts = [maker.make(precision, log) for precision in options.precisions]
        with log.step("make proof pack") as results:
            prover = Prover(reference, fp32.spec, calibration, verify, log)
            pack_sha256 = prover.write_pack(work / f"{source.spec.name}-proof")
            results.append(f"{len(prover.pack)} synthetic images")
        proven = prover.prove(drafts, pack_sha256)
        kept = [_judged(draft, maker, prover, options, log) for draft in proven]
        with signals_held_back():
            return _given_out(kept, work, Path(out))


def _folders(options: ExportOptions) -> tuple[ImageFolder | None, ImageFolder | None]:
    """Return the folders for calibration and proof; raise before the work if one is unusable."""
    calibration = None if options.calibrate is None else ImageFolder(options.calibrate, "training")
    verify = None if options.verify is None else ImageFolder(options.verify, "test")
    if calibration is not None and options.quantized:
        calibration_images(calibration)
    for folder in (calibration, verify):
        if folder is not None:
            folder.find_paths()
    return calibration, verify


def _calibrated(
    fp32: Draft, options: ExportOptions, folder: ImageFolder | None, log: StepLog
) -> Calibration | None:
    if folder is None or not options.quantized:
        return None
    with log.step("calibrate") as results:
        found = calibrate(fp32.model, fp32.spec, folder, log)
        results.append(
            f"{found.patches} patches of {found.images} images, half of them rich in vessels "
            f"({found.rich_share:.0%} of the retina), half poor ({found.poor_share:.0%})"
        )
        if found.cached:
            results.append("from the cache")
    return found


def _judged(draft: Draft, maker: Maker, prover: Prover, options: ExportOptions, log: StepLog) -> Draft:
    """Check a proven draft against its bounds; if INT8 exceeds them, keep the costliest layers in float."""
    bounds = bounds_for(draft.spec.precision)
    missed = faults(draft.spec.proof, bounds)
    if not missed:
        return draft
    if options.accept_drop and draft.spec.precision != "fp32":
        proof = {**draft.spec.proof, "accepted": missed}
        return replace(draft, spec=replace(draft.spec, proof=proof))
    if draft.spec.precision == "int8":
        found = search(draft, maker, prover, log)
        if found is not None:
            return found
    raise ParityError(
        f"{draft.spec.file}: {'; '.join(missed)}. Nothing was written"
        + ("" if draft.spec.precision == "fp32" else "; use --accept-drop to write it anyway")
    )


@contextmanager
def _work_folder(out: Path) -> Iterator[Path]:
    """Create a folder for unreleased files in the output folder; a failure leaves neither."""
    made = not out.exists()
    out.mkdir(parents=True, exist_ok=True)
    try:
        with TemporaryDirectory(prefix=".retina-export-", dir=out) as work:
            yield Path(work)
    finally:
        if made and not any(out.iterdir()):
            out.rmdir()


def _given_out(drafts: Sequence[Draft], work: Path, out: Path) -> list[Artefact]:
    """Move drafts, specs and proof pack to the output folder, replacing those of an earlier export."""
    for draft in drafts:
        draft.spec.save(spec_path(draft.path))
    pack = work / f"{drafts[0].spec.name}-proof"
    earlier = out / pack.name
    if earlier.is_dir():
        earlier.replace(work / "earlier-proof")
    pack.replace(earlier)
    artefacts = []
    for draft in drafts:
        path = out / draft.path.name
        draft.path.replace(path)
        spec_path(draft.path).replace(spec_path(path))
        artefacts.append(Artefact(path, draft.spec))
    return artefacts
