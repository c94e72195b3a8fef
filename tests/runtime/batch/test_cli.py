import shlex
import signal
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn_retina import drawn_retina
from PIL import Image
from run_folder import pictures, rows
from tiny_model import tiny_spec, write_tiny_model

from retinagan.runtime import EngineError, Segmenter, __version__, read_image, segmenter
from retinagan.runtime.batch.cli import _parsed, main
from retinagan.runtime.model.parameters import MapThreshold
from retinagan.runtime.model.spec import spec_path


def png_of_size(width: int, height: int) -> bytes:
    """A PNG whose header promises an image of this size."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))


def test_a_folder_gives_vessel_maps_and_a_report(here, model, capsys):
    assert main(["in", "--model", model]) == 0
    assert pictures() == ["a_vessels.png", "b_vessels.png", "sub/c_vessels.png"]
    image, lines = drawn_retina()
    vessels = cv2.imread("out/a_vessels.png", cv2.IMREAD_UNCHANGED)
    assert vessels.shape == image.shape[:2]
    assert set(np.unique(vessels)) == {0, 255}
    assert vessels[lines].mean() > 200
    found = rows()
    assert list(found) == ["a.png", "b.jpg", "sub/c.tif"]
    for row in found.values():
        assert (row["status"], row["width"], row["height"]) == ("done", "200", "180")
        assert 0 < float(row["vessel_density"]) < float(row["roi_share"]) < 1
        assert row["engine"]
        assert len(row["model_sha256"]) == 64
        assert all(float(row[f"seconds_{stage}"]) > 0 for stage in ("read", "infer", "write", "total"))
    said = capsys.readouterr()
    assert said.err == ""
    first, second, last = said.out.splitlines()
    assert first == "3 images: 3 done"
    assert f"images/s; {found['a.png']['engine']}; model tiny {row['model_sha256'][:12]}" in second
    assert last == "report: out/run.csv"


def test_inputs_may_stand_anywhere(here, model):
    assert main(["in/a.png", "--out", "maps", "in/b.jpg", "--model", model, "--threads", "1", "in/sub"]) == 0
    assert pictures("maps") == ["a_vessels.png", "b_vessels.png", "sub/c_vessels.png"]


def test_a_name_that_begins_with_a_dash(here, model):
    Path("in/a.png").rename("-a.png")
    assert main(["--model", model, "--", "-a.png"]) == 0
    assert pictures() == ["-a_vessels.png"]
    assert list(rows()) == ["./-a.png"]


def test_images_that_fail_have_a_row_each_and_do_not_stop_the_rest(here, model, capsys):
    good = Path("in/a.png").read_bytes()
    files = {
        "empty.png": b"",
        "half.png": good[: len(good) // 2],
        "text.jpg": b"this is no image at all",
        "huge.png": png_of_size(60_000, 60_000),
    }
    for name, content in files.items():
        Path("in", name).write_bytes(content)
    arrays = {
        "black.png": np.zeros((180, 200, 3), np.uint8),
        "noise.png": np.random.default_rng(0).integers(0, 256, (180, 200, 3), np.uint8),
        "one.png": np.full((1, 1, 3), 200, np.uint8),
        "white.png": np.full((180, 200, 3), 255, np.uint8),
    }
    for name, array in arrays.items():
        Image.fromarray(array).save(Path("in", name))
    Path("in/notes.txt").touch()
    Path("in/.DS_Store").touch()
    assert main(["in", "--model", model]) == 1
    found = rows()
    failed = {name for name, row in found.items() if row["status"] == "failed"}
    assert failed == files.keys() | arrays.keys()
    assert pictures() == ["a_vessels.png", "b_vessels.png", "sub/c_vessels.png"]
    said = capsys.readouterr()
    assert sorted(said.err.splitlines()) == sorted(f"{name}: {found[name]['message']}" for name in failed)
    assert all(len(found[name]["message"]) > 20 for name in failed)
    assert said.out.splitlines()[:2] == [
        "11 images: 3 done, 8 failed",
        "skipped: 1 other file (notes.txt)",
    ]


def test_warnings_leave_the_exit_code_unless_strict(here, model, capsys):
    image = np.array(Image.open("in/a.png"))
    Image.fromarray(np.hstack([image, image])).save("in/both.png")
    assert main(["in", "--model", model]) == 0
    assert capsys.readouterr().out.splitlines()[:2] == [
        "4 images: 3 done, 1 with warnings",
        "warnings: several-fields-of-view 1",
    ]
    row = rows()["both.png"]
    assert (row["status"], row["warnings"]) == ("warning", "several-fields-of-view")
    assert row["message"].startswith("2 fields of view found, 1 segmented: the one round (")
    assert 0 < float(row["confidence"]) <= 1
    assert main(["in", "--model", model, "--strict"]) == 1
    assert capsys.readouterr().out.splitlines()[0] == "4 images: 0 done, 4 kept from before"
    assert main(["in/a.png", "--out", "other", "--model", model, "--strict"]) == 0


def test_what_a_file_leaves_in_doubt_is_a_warning_too(here, model):
    first, second = (Image.fromarray(np.array(Image.open("in/a.png"))) for _ in range(2))
    first.save("in/two.tif", save_all=True, append_images=[second])
    assert main(["in/two.tif", "--model", model]) == 0
    row = rows()["two.tif"]
    assert (row["status"], row["warnings"]) == ("warning", "first-of-several-frames")


def test_a_second_run_goes_on_and_tries_again_what_failed(here, model, capsys):
    Path("in/bad.png").touch()
    assert main(["in", "--model", model]) == 1
    before = rows()
    Image.fromarray(drawn_retina()[0]).save("in/bad.png")
    capsys.readouterr()
    assert main(["in", "--model", model]) == 0
    assert capsys.readouterr().out.startswith("4 images: 1 done, 3 kept from before\n")
    after = rows()
    assert {name: after[name] for name in after if name != "bad.png"} == {
        name: before[name] for name in before if name != "bad.png"
    }
    assert main(["in", "--model", model]) == 0
    assert capsys.readouterr().out == "4 images: 0 done, 4 kept from before\nreport: out/run.csv\n"


@pytest.mark.parametrize(
    "more",
    [["--threshold", "0.9"], ["--overlap", "0.5"], ["--save", "overlay"], ["--overwrite"]],
    ids=["threshold", "overlap", "save", "overwrite"],
)
def test_a_changed_option_does_all_again(here, model, capsys, more):
    main(["in", "--model", model])
    capsys.readouterr()
    assert main(["in", "--model", model, *more]) == 0
    said = capsys.readouterr()
    first = said.out.splitlines()[0]
    assert first.startswith("3 images: ")
    assert "kept from before" not in first  # at a high threshold some have warnings
    why = {
        "--threshold": "threshold was '0.5' and is '0.9' now",
        "--overlap": "overlap was",
        "--save": "pictures or measures that are asked for are not there yet",
    }.get(more[0])
    assert (f"retina-run: 3 images are done again: {why}" in said.err) is (why is not None)
    assert len(rows()) == 3


def test_a_changed_model_does_all_again(here, model, tmp_path, capsys):
    main(["in", "--model", model])
    capsys.readouterr()
    (tmp_path / "other").mkdir()
    other = write_tiny_model(tmp_path / "other", width=3)
    assert main(["in", "--model", str(other)]) == 0
    assert capsys.readouterr().out.startswith("3 images: 3 done\n")
    assert main(["in", "--model", str(other)]) == 0
    spec = tiny_spec(threshold=0.7)
    write_tiny_model(tmp_path / "other", spec, width=3)
    capsys.readouterr()
    assert main(["in", "--model", str(other)]) == 0
    assert capsys.readouterr().out.startswith("3 images: 0 done, 3 with warnings\n")
    assert {row["threshold"] for row in rows().values()} == {"0.7"}


def test_each_row_has_the_threshold_of_its_map(here, model, tmp_path, capsys):
    (tmp_path / "own").mkdir()
    own = write_tiny_model(tmp_path / "own", tiny_spec(map_threshold=MapThreshold(1.0, 0.5)))
    main(["in", "--model", str(own)])
    with Segmenter(own) as own_thresholds:
        for row in rows().values():
            assert row["threshold_from"] == "map"
            result = own_thresholds(read_image(f"in/{row['path']}"))
            assert row["threshold"] == f"{result.threshold:g}"
    capsys.readouterr()
    main(["in", "--model", str(own), "--threshold", "fixed"])
    assert "threshold_from was 'map' and is 'fixed' now" in capsys.readouterr().err
    assert {(row["threshold"], row["threshold_from"]) for row in rows().values()} == {("0.5", "fixed")}


def test_options_reach_the_segmenter(here, model):
    main(["in/a.png", "--model", model, "--threshold", "0.25", "--overlap", "0.5", "--device", "cpu"])
    (row,) = rows().values()
    assert (row["threshold"], row["overlap"]) == ("0.25", "0.5")
    main(["in/a.png", "--model", model, "--engine", "onnxruntime", "--device", "cpu", "--overwrite"])
    (row,) = rows().values()
    assert row["engine"].startswith("ONNX Runtime ")


def test_threads_bound_opencv_too(here, model):
    before = cv2.getNumThreads()
    try:
        main(["in/a.png", "--model", model, "--threads", "1"])
        assert cv2.getNumThreads() == 1
    finally:
        cv2.setNumThreads(before)


def test_quiet_says_nothing(here, model, capsys):
    Path("in/bad.png").touch()
    assert main(["in", "--model", model, "--quiet"]) == 1
    assert capsys.readouterr() == ("", "")


def test_a_lone_model_runs_with_a_warning_of_one_line(here, tmp_path, capsys):
    lone = write_tiny_model(tmp_path)
    spec_path(lone).unlink()
    assert main(["in/a.png", "--model", str(lone)]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"retina-run: warning: {lone} is not verified")
    (row,) = rows().values()
    assert len(row["model_sha256"]) == 64


def test_a_signal_counts_even_where_a_library_makes_another_error_of_it(here, model, monkeypatch, capsys):
    def interrupted(*arguments, **options):
        try:
            signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt:
            raise EngineError("initialization failed") from None

    monkeypatch.setattr(segmenter, "open_adapter", interrupted)
    before = signal.getsignal(signal.SIGTERM)
    assert main(["in", "--model", model]) == 143
    assert capsys.readouterr() == ("", "")
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize("missing", ["stdout", "stderr"])
def test_a_process_may_have_no_stdout_or_stderr(here, model, monkeypatch, missing):
    monkeypatch.setattr("sys." + missing, None)
    assert main(["in/a.png", "--model", model]) == 0
    assert main(["nothing"]) == 2
    assert pictures() == ["a_vessels.png"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give an image, a folder or a glob; see retina-run --help"),
        (["nothing.png"], "no such file or folder: 'nothing.png'"),
        (["in", "nothing"], "no such file or folder: 'nothing'"),
        (["*.bmp"], "no file matches '*.bmp'"),
        (["empty"], "no images found in 'empty'; recognised extensions: .png"),
        (
            ["in", "--model", "best"],
            '"best" is neither a model file nor a bundled model; bundled models:',
        ),
        (["in", "--model", "in/a.png"], "in/a.png: "),
        (["in", "--device", "toaster"], 'device: got \'toaster\'; expected "auto", "cpu", "cuda" or'),
        (["in", "--engine", "diesel"], "engine: got 'diesel'; expected one of"),
        (["in", "--threshold", "2"], "threshold: got 2.0; expected a number from 0 to 1"),
        (["in", "--threshold", "nan"], "threshold: got nan; expected a number from 0 to 1"),
        (
            ["in", "--threshold", "high"],
            "argument --threshold: 'high'; expected a number from 0 to 1, or the word fixed",
        ),
        (["in", "--overlap", "1"], "overlap: got 1.0; expected a number from 0 to 0.9"),
        (["in", "--threads", "0"], "threads: got 0; expected a whole number from 1"),
        (["in", "--save", "everything"], "argument --save: got 'everything'; expected vessels, probability"),
        (
            ["in", "--overlay-colour", "calibre"],
            "--overlay-colour calibre: no overlay is written; add --save overlay or panel",
        ),
        (["in", "--overlay-colour", "red"], "argument --overlay-colour: invalid choice: 'red'"),
        (["in", "--save"], "argument --save: expected at least one argument"),
        (["in/a.png", "--watch"], "--watch expects folders that exist; got 'in/a.png'"),
        (["nothing", "--watch"], "--watch expects folders that exist; got 'nothing'"),
        (["in", "--watch", "--settle", "0"], "--settle: got 0; expected 0.1 to 3600 seconds"),
        (["in", "--settle", "1"], "--settle needs --watch; see retina-run --help"),
        (["in", "--watch", "--overwrite"], "--overwrite cannot be combined with --watch"),
        (["in", "--watch", "--strict"], "--strict cannot be combined with --watch"),
        (["in", "--watch", "--shard", "1/2"], "--shard cannot be combined with --watch"),
        (["in", "--cluster", "auto", "--shard", "1/2"], "--shard cannot be combined with --cluster"),
        (["in", "--cluster", "auto", "--report"], "--report cannot be combined with --cluster"),
        (["in", "--cluster", "auto", "--watch"], "--watch cannot be combined with --cluster"),
        (["in", "--cluster", "auto", "--workers", "0"], "argument --workers: got 0; expected 1 or more"),
        (
            ["in", "--cluster", "auto", "--worker-gpus", "nan"],
            "argument --worker-gpus: got nan; expected 0 or",
        ),
        (["in", "--workers", "2"], "--workers needs --cluster; see retina-run --help"),
        (["in", "--thresh", "0.5"], "unrecognized arguments: --thresh"),
        (["in", "--out", "in/a.png"], "cannot write to the output folder 'in/a.png' (File exists); choose"),
        (["in", "--out", "in/a.png/x"], "cannot write to the output folder 'in/a.png/x' (Not a directory)"),
    ],
)
def test_what_cannot_run_is_said_in_one_line(here, model, capsys, arguments, message):
    Path("empty").mkdir()
    if arguments and "--model" not in arguments:
        arguments = [*arguments, "--model", model]
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("retina-run: ")
    assert message in said.err
    assert len(said.err.splitlines()) == 1
    assert not Path("out").exists()


def test_another_programs_report_is_not_replaced(here, model, capsys):
    Path("out").mkdir()
    Path("out/run.csv").write_text("my own,table\n")
    assert main(["in", "--model", model]) == 2
    assert "'out/run.csv' does not have the columns" in capsys.readouterr().err
    assert pictures() == []


def test_a_full_disk_is_said_in_one_line_after_what_was_done(here, model, capsys, monkeypatch):
    def full(self, target):
        if target.suffix == ".png":
            raise OSError(28, "No space left on device")
        return rename(self, target)

    rename = Path.replace
    monkeypatch.setattr(Path, "replace", full)
    assert main(["in", "--model", model]) == 2
    said = capsys.readouterr()
    assert (
        said.err == "retina-run: cannot write to the output folder 'out' any more (No space left on device)\n"
    )
    assert said.out.startswith("3 images: 0 done, 3 not reached; run the same command again to continue\n")
    assert list(Path("out").iterdir()) == [Path("out/run.csv")]
    monkeypatch.setattr(Path, "replace", rename)
    assert main(["in", "--model", model]) == 0


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"retina-run {__version__}\n"


def test_help_fits_a_terminal_and_names_every_option(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    names = ("out", "save", "model", "device", "engine", "threshold", "overlap", "threads", "overwrite")
    for option in (*names, "quiet", "watch", "settle"):
        assert f"--{option}" in text
    assert "exit code: 0" in text
    assert max(map(len, text.splitlines())) <= 80


def test_the_examples_in_the_help_are_commands(capsys):
    main(["--help"])
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    examples = [shlex.split(line.split("   ")[0]) for line in lines if line.startswith("retina-run ")]
    assert len(examples) >= 3
    parsed = [_parsed(example[1:]) for example in examples]
    assert [options.inputs for options in parsed] == [
        ["scan.jpg"],
        ["scans/"],
        ["scans/**/left*.png"],
        ["shared/"],
        ["scans/"],
        ["s3://clinic/scans"],
    ]
