from types import SimpleNamespace

from retinagan.runtime.batch.inputs import Found
from retinagan.runtime.batch.row import DONE, FAILED, WARNING, Row
from retinagan.runtime.batch.settings import Settings, Stamp
from retinagan.runtime.batch.summary import Tally, summary

REPORT = SimpleNamespace(
    path="out/run.csv",
    settings=Settings("ONNX Runtime 1, CPU", "tiny", "ab" * 32, 0.4, 0.0, "0.1.0", "0123456789abcdef"),
)


def lines(tally: Tally, **found: object) -> list[str]:
    return list(summary(tally, Found((), **found), REPORT))


def tallied(total: int, kept: int, statuses: list[str]) -> Tally:
    times = iter([100.0, 104.0])
    tally = Tally(total, kept, clock=lambda: next(times))
    for status in statuses:
        tally.count(Row("a.png", status, "", "a", Stamp("", "", "", "")))
    return tally


def test_all_done():
    assert lines(tallied(2, 0, [DONE, DONE])) == [
        "2 images: 2 done",
        "4.0 s, 0.50 images/s; ONNX Runtime 1, CPU; model tiny abababababab",
        "report: out/run.csv",
    ]


def test_some_of_everything():
    found = {"others": 1, "own": 2, "empty": tuple("uvwxyz"), "objects": (("Segmentation Storage", 3),)}
    assert lines(tallied(9, 4, [DONE, FAILED, FAILED]), **found) == [
        "9 images: 1 done, 4 kept from before, 2 failed, 2 not reached; run the same command again "
        "to continue",
        "skipped: 1 other file, 2 pictures of earlier runs, 3 of the DICOM class Segmentation Storage",
        "no images in u, v, w, x, y, ...",
        "4.0 s, 0.25 images/s; ONNX Runtime 1, CPU; model tiny abababababab",
        "report: out/run.csv",
    ]


def test_warnings_are_counted_by_their_codes():
    tally = tallied(4, 0, [DONE])
    for codes in ("negative density-implausible", "low-confidence", "low-confidence"):
        tally.count(Row("a.png", WARNING, "", "a", Stamp("", "", "", ""), warnings=codes))
    assert lines(tally)[:3] == [
        "4 images: 1 done, 3 with warnings",
        "warnings: low-confidence 2, density-implausible 1, negative 1",
        "4.0 s, 1.00 images/s; ONNX Runtime 1, CPU; model tiny abababababab",
    ]


def test_nothing_to_do():
    assert lines(tallied(1, 1, [])) == ["1 image: 0 done, 1 kept from before", "report: out/run.csv"]
