import os
from pathlib import Path

import numpy as np
import pytest
from dicom_files import dicom_dataset, dicom_file, write_medium, written

from retinagan.runtime.batch.encoding import encode_png
from retinagan.runtime.batch.inputs import InputError, find_inputs, natural_order


def touched(folder: Path, *names: str) -> Path:
    """Make empty files; finding inputs decodes none."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def names(*arguments: object) -> list[str]:
    return [item.name for item in find_inputs([str(argument) for argument in arguments]).inputs]


def test_a_folder_gives_all_images_in_it_and_below(tmp_path):
    touched(tmp_path, "b.png", "a.JPG", "sub/deep/c.tif", "sub/d.webp", "notes.txt", "sub/list.csv")
    found = find_inputs([str(tmp_path)])
    assert [item.name for item in found.inputs] == ["a.JPG", "b.png", "sub/d.webp", "sub/deep/c.tif"]
    assert [Path(item.path) for item in found.inputs] == [tmp_path / item.name for item in found.inputs]
    assert found.others == 2


def test_hidden_files_and_folders_are_not_even_counted(tmp_path):
    touched(tmp_path, "a.png", "._a.png", ".DS_Store", ".git/b.png", ".cache/notes.txt")
    found = find_inputs([str(tmp_path)])
    assert [item.name for item in found.inputs] == ["a.png"]
    assert found.others == 0


def test_a_hidden_folder_that_is_named_is_searched(tmp_path):
    touched(tmp_path, ".scans/a.png", ".scans/.b.png")
    assert names(tmp_path / ".scans") == ["a.png"]
    assert names(tmp_path / ".scans" / ".b.png") == [".b.png"]


def test_a_file_is_taken_whatever_its_extension(tmp_path):
    touched(tmp_path, "scan.dat", "scan")
    assert names(tmp_path / "scan.dat") == ["scan.dat"]
    assert names(tmp_path / "scan") == ["scan"]


def test_names_start_below_the_folder_that_all_inputs_share(tmp_path):
    touched(tmp_path, "x/a.png", "x/sub/b.png", "y/a.png")
    assert names(tmp_path / "x") == ["a.png", "sub/b.png"]
    assert names(tmp_path / "x", tmp_path / "y") == ["x/a.png", "x/sub/b.png", "y/a.png"]
    assert names(tmp_path / "x" / "a.png", tmp_path / "y" / "a.png") == ["x/a.png", "y/a.png"]
    assert names(tmp_path / "x", tmp_path / "x" / "sub") == ["a.png", "sub/b.png"]


def test_no_name_leads_out_of_the_output_folder(tmp_path, monkeypatch):
    touched(tmp_path, "scans/a.png", "b.png", "here/c.png")
    monkeypatch.chdir(tmp_path / "here")
    assert names("../scans", "../b.png", ".") == ["b.png", "here/c.png", "scans/a.png"]


def test_an_image_that_is_named_twice_counts_once(tmp_path, monkeypatch):
    touched(tmp_path, "a.png")
    monkeypatch.chdir(tmp_path)
    assert names(".", "a.png", "./a.png", tmp_path, "*.png") == ["a.png"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.png", ["a.png"]),
        ("s*/?.png", ["sub/b.png"]),
        ("**/*.png", ["a.png", "sub/b.png", "sub/deep/c.png"]),
        ("sub/**", ["b.png", "deep/c.png"]),
        ("sub/**/*.png", ["b.png", "deep/c.png"]),
        ("s[uv]b", ["sub/b.png", "sub/deep/c.png"]),
        ("*", ["a.png", "sub/b.png", "sub/deep/c.png"]),
        ("*.dat", ["scan.dat"]),
        (".h*/*.png", [".hidden/e.png"]),
    ],
)
def test_globs(tmp_path, monkeypatch, pattern, expected):
    touched(tmp_path, "a.png", "sub/b.png", "sub/deep/c.png", "notes.txt", "scan.dat", ".hidden/e.png")
    assert names(tmp_path / pattern) == expected
    monkeypatch.chdir(tmp_path)
    assert names(pattern) == expected


def test_a_file_whose_name_looks_like_a_glob(tmp_path):
    touched(tmp_path, "a[1].png", "a1.png")
    assert names(tmp_path / "a[1].png") == ["a[1].png"]


def test_links_do_not_lead_in_a_circle(tmp_path):
    touched(tmp_path, "scans/a.png", "scans/sub/b.png", "elsewhere/c.png")
    (tmp_path / "scans" / "sub" / "up").symlink_to(tmp_path / "scans")
    (tmp_path / "scans" / "a_link").symlink_to(tmp_path / "scans" / "sub")
    (tmp_path / "scans" / "more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "scans" / "d.png").symlink_to(tmp_path / "elsewhere" / "c.png")
    assert names(tmp_path / "scans") == ["a.png", "d.png", "more/c.png", "sub/b.png"]
    assert names(tmp_path / "scans" / "**" / "*.png") == ["a.png", "d.png", "sub/b.png"]


def test_a_link_to_nothing_is_an_input_whose_row_will_say_so(tmp_path):
    (tmp_path / "lost.png").symlink_to(tmp_path / "nothing.png")
    assert names(tmp_path) == ["lost.png"]


def test_a_folder_that_cannot_be_listed_is_not_passed_over_in_silence(tmp_path, monkeypatch):
    touched(tmp_path, "a.png", "locked/b.png")
    scandir = os.scandir

    def refusing(path):
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    assert names(tmp_path) == ["a.png", "locked"]


def test_pictures_of_earlier_runs_are_no_inputs(tmp_path):
    picture = encode_png(np.zeros((4, 4), np.uint8))
    for name in ("a_vessels.png", "sub/a_probability.png", "a_overlay.png", "copy.png"):
        touched(tmp_path, name)
        (tmp_path / name).write_bytes(picture)
    touched(tmp_path, "a.png", "manual_vessels.png")
    found = find_inputs([str(tmp_path)])
    assert [item.name for item in found.inputs] == ["a.png", "copy.png", "manual_vessels.png"]
    assert found.own == 3
    assert names(tmp_path / "*_vessels.png") == ["manual_vessels.png"]
    assert names(tmp_path / "a_vessels.png") == ["a_vessels.png"]


def test_an_empty_folder_among_others_is_named(tmp_path):
    touched(tmp_path, "x/a.png", "y/notes.txt")
    found = find_inputs([str(tmp_path / "x"), str(tmp_path / "y")])
    assert [item.name for item in found.inputs] == ["x/a.png"]
    assert found.empty == (str(tmp_path / "y"),)


@pytest.mark.parametrize(
    "name", ["two words", "grün 眼", "new\nline", "-dash", "=1", "a" * 251, "tab\t'\"\\"]
)
def test_odd_names(tmp_path, name):
    touched(tmp_path, f"{name}.png")
    assert names(tmp_path) == [f"{name}.png"]


def test_a_name_that_is_no_text(tmp_path):
    name = os.fsdecode(b"caf\xe9.png")
    try:
        touched(tmp_path, name)
    except OSError:
        pytest.skip("this file system takes only names that are text")
    assert names(tmp_path) == [name]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing.png"], "no such file or folder: 'nothing.png'"),
        (["scans", "nothing.png"], "no such file or folder: 'nothing.png'"),
        (["*.bmp"], r"no file matches '\*.bmp'"),
        (["scans/.*"], r"no file matches 'scans/.\*'"),
        (["a**b.png"], "(no file matches|not a pattern of file names:) 'a\\*\\*b.png'"),
        (
            ["notes"],
            r"no images found in 'notes', only 2 other files; recognised extensions: \.png \.jpg .*\.heif, "
            r"and DICOM files with any$",
        ),
        (["results"], r"no images found in 'results', only 1 picture of earlier runs"),
        (["empty", "empty"], r"no images found in 'empty', 'empty'; recognised extensions"),
        (["pipe.png"], "not an image file or a folder: 'pipe.png'"),
        (["x" * 5000], "no such file or folder: 'xxx"),
        ([""], "no such file or folder: ''"),
    ],
)
def test_arguments_that_mean_no_image(tmp_path, monkeypatch, arguments, message):
    touched(tmp_path, "scans/a.png", "notes/a.txt", "notes/b.csv", "results/a_vessels.png")
    (tmp_path / "results" / "a_vessels.png").write_bytes(encode_png(np.zeros((4, 4), np.uint8)))
    (tmp_path / "empty").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message):
        find_inputs(arguments)


def test_a_dicomdir_gives_the_photographs_that_it_lists(tmp_path):
    pixels = np.zeros((40, 50), np.uint8)
    report = dicom_dataset(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.33")
    directory = write_medium(tmp_path / "cd", [dicom_dataset(pixels), dicom_dataset(pixels)])
    (tmp_path / "cd" / "stray.dcm").write_bytes(dicom_file(pixels))
    found = find_inputs([str(directory)])
    assert [item.name for item in found.inputs] == [
        "PT000000/ST000000/SE000000/IM000000",
        "PT000000/ST000000/SE000000/IM000001",
    ]
    assert found.objects == ()
    (tmp_path / "cd" / "SR000000").write_bytes(written(report))
    folder = find_inputs([str(tmp_path / "cd")])
    assert [item.name for item in folder.inputs] == [*(item.name for item in found.inputs), "stray.dcm"]
    assert (folder.objects, folder.others) == ((("Comprehensive SR Storage", 1),), 0)


def test_a_damaged_dicomdir_is_named(tmp_path):
    directory = write_medium(tmp_path, [])
    directory.write_bytes(directory.read_bytes()[:-4])
    with pytest.raises(InputError, match=r"DICOMDIR': the DICOMDIR is damaged; name the folder instead"):
        find_inputs([str(directory)])


def test_numbers_in_names_are_sorted_by_value(tmp_path):
    touched(tmp_path, "eye10.png", "eye2.png", "eye1b.png", "eye1.png", "v10/a.png", "v9/a.png", "10.png")
    assert names(tmp_path) == [
        *("10.png", "eye1.png", "eye1b.png", "eye2.png", "eye10.png"),
        *("v9/a.png", "v10/a.png"),
    ]
    assert natural_order("eye01") != natural_order("eye1")
