from retinagan.runtime.batch.row import COLUMNS, DONE, FAILED, STAGES, Row, cells_of, row_of
from retinagan.runtime.batch.settings import Settings, Stamp
from retinagan.runtime.warnings import ImageWarning

SETTINGS = Settings("ONNX Runtime 1, CPU", "tiny", "ab" * 32, 0.4, 0.25, "0.1.0", "0123456789abcdef")
STAMP = Stamp("1000", "1700000000.000000001", SETTINGS.model_sha256, SETTINGS.digest)


def row(path: str, status: str = DONE, **changes) -> Row:
    return Row(**({"path": path, "status": status, "message": "", "output": path, "stamp": STAMP} | changes))


NEGATIVE = ImageWarning("negative", "vessels are bright")


def test_a_row_comes_back_from_its_cells():
    for one in (
        row("=a.png", FAILED, message="é", output="-a", stamp=Stamp("", "", "", "0123456789abcdef")),
        row(
            "sub/a.png",
            width=565,
            field_of_view=45.0,
            roi_share=0.69123,
            threshold=0.409,
            pixel_spacing=(0.00512346, 0.005),
            seconds=dict.fromkeys(STAGES, 0.5),
            warnings="truncated",
        ),
    ):
        assert row_of(cells_of(one, SETTINGS)) == one


def test_a_failed_image_stays_failed_with_its_warnings():
    failed = row("a.png", FAILED, message="no retina").doubted([NEGATIVE])
    assert (failed.status, failed.warnings, failed.message) == (
        FAILED,
        "negative",
        "no retina | vessels are bright",
    )


def test_without_warnings_a_row_stays_as_it_is():
    assert row("a.png").doubted([]) == row("a.png")


def test_the_last_column_has_a_fixed_length():
    assert COLUMNS[-1] == "settings"
