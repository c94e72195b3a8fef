import itertools
from pathlib import Path

import pytest

from retinagan.runtime.batch.inputs import Input
from retinagan.runtime.batch.naming import assign_stems
from retinagan.runtime.batch.pictures import KINDS, picture_name


def stems(*names: str, owned: dict[str, str] | None = None, folder: str = "/out") -> dict[str, str]:
    inputs = [Input(f"/in/{name}", name) for name in names]
    return dict(zip(names, assign_stems(inputs, folder, owned or {}), strict=True))


def test_a_stem_is_the_name_without_its_extension():
    assert stems("a.png", "sub/b.c.tif", "noext") == {
        "a.png": "a",
        "sub/b.c.tif": "sub/b.c",
        "noext": "noext",
    }


def test_a_uid_has_no_extension():
    given = stems("1.2.840.10008.5", "sub/1.2.840.10008.6", "visit.1", "2.1.jpg")
    assert list(given.values()) == ["1.2.840.10008.5", "sub/1.2.840.10008.6", "visit", "2.1"]


def test_frames_of_a_file_are_numbered():
    given = stems("a.tif#1", "a.tif#2", "IM0001#1", "1.2.840.10008.5#12")
    assert list(given.values()) == ["a_frame1", "a_frame2", "IM0001_frame1", "1.2.840.10008.5_frame12"]


def test_images_that_differ_in_their_extension_keep_it():
    assert stems("a.png", "a.tif", "b.png") == {"a.png": "a.png", "a.tif": "a.tif", "b.png": "b"}


def test_images_that_differ_in_case_or_composition_alone_get_a_hash():
    given = stems("A.png", "a.png", "é.png", "e\u0301.png")
    assert given["a.png"].startswith("a.png-")
    folded = {stem.casefold() for stem in given.values()}
    assert len(folded) == 4
    assert given == stems("e\u0301.png", "é.png", "a.png", "A.png")


def test_an_extension_that_is_another_images_name():
    given = stems("a.png", "a.tif", "a.png.jpg")
    assert len(set(given.values())) == 3
    assert given["a.tif"] == "a.tif"


@pytest.mark.parametrize("names", list(itertools.permutations(["a.png", "a.tif", "A.tif", "a.png.bmp"])))
def test_names_do_not_depend_on_the_order(names):
    assert stems(*names) == stems(*sorted(names))


def test_an_image_keeps_the_stem_of_an_earlier_run():
    assert stems("a.png", "a.tif", owned={"a.png": "a"}) == {"a.png": "a", "a.tif": "a.tif"}
    assert stems("a.png", owned={"a.png": "a.png", "a.tif": "a.tif"}) == {"a.png": "a.png"}


def test_the_stem_of_an_image_of_an_earlier_run_is_not_given_to_another():
    assert stems("a.tif", owned={"a.png": "a"}) == {"a.tif": "a.tif"}


@pytest.mark.parametrize("edited", ["../a", "/etc/a", "b", ""])
def test_a_stem_that_someone_wrote_into_the_report_is_not_believed(edited):
    assert stems("a.png", owned={"a.png": edited}) == {"a.png": "a"}


def test_two_images_with_one_stem_in_the_report_are_parted():
    assert stems("a.png", "a.tif", owned={"a.png": "a", "a.tif": "a"}) == {"a.png": "a.png", "a.tif": "a.tif"}


def test_no_picture_replaces_an_input(tmp_path):
    given = stems("a.png", "a_vessels.png", folder="/in")
    assert given == {"a.png": "a.png", "a_vessels.png": "a_vessels"}
    assert stems("a.png", "a_vessels.png", folder="/in/results")["a.png"] == "a"


@pytest.mark.parametrize("long", ["x" * 251, "é" * 125, "眼" * 83])
def test_a_name_too_long_for_its_results_is_cut(tmp_path, long):
    given = stems(f"sub/{long}.png", f"sub/{long[:-1]}y.png", f"sub/{long[:-1]}y.jpg")
    assert len(set(given.values())) == 3
    for stem in given.values():
        assert stem.startswith(f"sub/{long[:50]}")
        for kind in KINDS:
            path = tmp_path / picture_name(Path(stem).name, kind)
            path.touch()
