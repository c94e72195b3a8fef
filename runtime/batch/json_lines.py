"""`retina-run --json`: a line of JSON for each image, with what its row in run.csv says, typed and named."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, TextIO

from retinagan.runtime.batch.inputs import Input
from retinagan.runtime.batch.measuring import FILE_NAME as MEASURES
from retinagan.runtime.batch.measuring import MeasuresTable, OldMeasures, Value
from retinagan.runtime.batch.outputs import OutputError, OutputFolder
from retinagan.runtime.batch.report import FILE_NAME
from retinagan.runtime.batch.row import COLUMNS, FAILED, SEPARATOR, STAGES
from retinagan.runtime.batch.table import path_from_cell
from retinagan.runtime.storage.address import absolute
from retinagan.runtime.warnings import SENTENCES

_TYPED: dict[str, Callable[[str], object]] = {
    **dict.fromkeys(("width", "height", "working_size", "input_bytes"), int),
    **dict.fromkeys(
        ("field_of_view", "row_spacing", "column_spacing", "roi_share", "vessel_density", "confidence"), float
    ),
    **dict.fromkeys(("threshold", "overlap"), float),
}
_OTHERWISE = ("path", "output", "status", "message", "warnings")  # cells that have another form in JSON
_ALIKE = [name for name in COLUMNS if name not in _OTHERWISE and not name.startswith("seconds_")]


class JsonLines:
    """Writes a line of JSON for each image.

    Parameters
    ----------
    stream : TextIO
        Where to write; every line is flushed. An error, such as that of a closed pipe, is raised.
    folder : OutputFolder
        The output folder of the run.
    kinds : sequence of str
        Which pictures the run writes, of `KINDS`.
    inputs : iterable of Input
        The images of the run.
    """

    def __init__(
        self, stream: TextIO, folder: OutputFolder, kinds: Sequence[str], inputs: Iterable[Input]
    ) -> None:
        self._stream = stream
        self._folder = folder
        self._kinds = tuple(kinds)
        self._inputs = {item.name: item for item in inputs}

    def write_kept(
        self,
        rows: Iterable[Mapping[str, str]],
        again: Collection[str],
        measures: MeasuresTable | OldMeasures | None = None,
    ) -> None:
        """Write the lines of images whose results are kept from an earlier run.

        Parameters
        ----------
        rows : iterable of mappings
            The rows of run.csv when the run starts.
        again : collection of str
            Names of the images that are not kept.
        measures : MeasuresTable, optional
            Has the measures of the images; those of `OldMeasures` are not written.
        """
        table = measures if isinstance(measures, MeasuresTable) else None
        of = {} if table is None else dict(table.lines())
        for row in rows:
            name = path_from_cell(row["path"])
            if name in self._inputs and name not in again:
                values = _values(table, name, of[name]) if table is not None and name in of else None
                self.write(row, values, kept=True)

    def write(
        self,
        row: Mapping[str, str],
        measures: Mapping[str, Value] | None = None,
        *,
        kept: bool = False,
    ) -> None:
        """Write an image's line.

        Parameters
        ----------
        row : mapping of str to str
            Its row of run.csv, by column.
        measures : mapping of str to float, int or None, optional
            Its measures, if they were asked for.
        kept : bool
            Whether the result is kept from an earlier run.

        Raises
        ------
        OutputError
            If the row holds what no run has written.
        """
        item = self._inputs[path_from_cell(row["path"])]
        stem = path_from_cell(row["output"])
        kinds = () if row["status"] == FAILED else self._kinds
        try:
            said = described(row)
        except ValueError as error:
            raise OutputError(
                f"the row of {item.name!r} in {FILE_NAME} was changed ({error}); start again with --overwrite"
            ) from None
        record = {
            "path": item.name,
            "file": absolute(item.path),
            "frame": item.frame or 1,
            "kept": kept,
            "pictures": {kind: absolute(self._folder.picture(stem, kind)) for kind in kinds},
            **said,
            **({} if measures is None else {"measures": dict(measures)}),
        }
        self._stream.write(json.dumps(record, allow_nan=False) + "\n")
        self._stream.flush()


def _values(table: MeasuresTable, name: str, line: str) -> dict[str, Value]:
    """Return the measures of an image from its line of `MeasuresTable.lines`."""
    try:
        return table.values(line)
    except ValueError as error:
        raise OutputError(
            f"the row of {name!r} in {MEASURES} was changed ({error}); start again with --overwrite"
        ) from None


def described(row: Mapping[str, str]) -> dict[str, Any]:
    """Return what a row of run.csv says as values of JSON; None for cells that are empty.

    Parameters
    ----------
    row : mapping of str to str
        Cells by column, of `COLUMNS`.
    """
    failed, codes = row["status"] == FAILED, row["warnings"].split()
    sentences = row["message"].rsplit(SEPARATOR, len(codes) - (not failed)) if codes else [row["message"]]
    error = sentences.pop(0) if failed else None
    sentences += [""] * (len(codes) - len(sentences))
    seconds = {stage: row[f"seconds_{stage}"] for stage in (*STAGES, "total")}
    return {
        "status": row["status"],
        "error": error,
        "warnings": [
            {"code": code, "message": text or SENTENCES.get(code, "")}
            for code, text in zip(codes, sentences, strict=False)
        ],
        **{name: _TYPED.get(name, str)(row[name]) if row[name] else None for name in _ALIKE},
        "seconds": {stage: float(cell) for stage, cell in seconds.items() if cell},
    }
