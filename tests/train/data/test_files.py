import gzip
import os
import shutil

import pytest
from other_layouts import as_chase, as_hrf, as_plain, as_stare
from small_dataset import write_dataset

from retinagan.train.data.description import Description
from retinagan.train.data.files import DataError, find_dataset, find_samples
from retinagan.train.data.images import load_labelled
from retinagan.train.data.layouts import LAYOUTS


@pytest.fixture
def folder(tmp_path):
    return write_dataset(tmp_path / "drawn")


def names(folder, split):
    return [sample.name for sample in find_samples(folder, split)]


def test_drive_layout_matches_files_by_number(folder):
    dataset = find_dataset(folder, "training")
    assert [sample.name for sample in dataset.samples] == ["21_training", "22_training", "23_training"]
    assert dataset.samples[1].truth.name == "22_manual1.png"
    assert dataset.samples[1].fov.name == "22_training_mask.png"
    assert dataset.samples[1].second is None
    assert dataset.description == "21_training to 23_training (DRIVE layout, folder training)"
    assert dataset.notes == []
    assert names(folder, "test") == ["24_test", "25_test"]
    assert len(names(folder, "all")) == 5
    assert names(folder / "test", "test") == names(folder / "test", "training"), "a half is taken whole"


def test_plain_layout_matches_files_by_stem(folder, tmp_path):
    plain = as_plain(folder, tmp_path / "plain")
    dataset = find_dataset(plain, "training")
    assert [sample.name for sample in dataset.samples] == ["a1", "a2", "a3", "a4"]
    assert {sample.fov.name for sample in dataset.samples} >= {"a1.png"}
    assert names(plain, "test") == ["a5"], "the last fifth"
    assert len(names(plain, "all")) == 5
    assert find_dataset(plain, "test").description == (
        "a5 (plain layout, test images: the last fifth by name tests)"
    )


def test_chase_db1_parts_its_children(folder, tmp_path):
    chase = as_chase(folder, tmp_path / "chase")
    assert names(chase, "training") == ["Image_01L", "Image_01R", "Image_10R"]
    first, second = find_samples(chase, "test")
    assert (first.name, first.truth.name, first.second.name) == (
        "Image_11L",
        "Image_11L_1stHO.png",
        "Image_11L_2ndHO.png",
    )
    assert (second.name, second.fov) == ("Image_14R", None)
    assert load_labelled(first).fov.any(), "the retina is found"
    assert find_dataset(chase, "all").notes == []


@pytest.mark.parametrize("folders", [True, False])
def test_stare_lies_in_folders_or_in_one(folder, tmp_path, folders):
    stare = as_stare(folder, tmp_path / "stare", folders)
    assert names(stare, "training") == ["im0001", "im0002", "im0003", "im0004"]
    (sample,) = find_samples(stare, "test")
    assert (sample.name, sample.truth.name, sample.second.name) == (
        "im0255",
        "im0255.ah.ppm",
        "im0255.vk.ppm",
    )
    assert load_labelled(sample).second.any()


@pytest.mark.parametrize("folders", [True, False])
def test_compressed_images_come_with_what_to_type(folder, tmp_path, folders):
    stare = as_stare(folder, tmp_path / "stare", folders)
    for path in stare.rglob("*.ppm"):
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    with pytest.raises(DataError, match=r"images are compressed; type  gunzip .*/\*\.gz"):
        find_samples(stare, "training")


def test_hrf_trains_on_the_first_five_of_each_kind(folder, tmp_path):
    hrf = as_hrf(folder, tmp_path / "hrf")
    assert names(hrf, "training") == ["01_dr", "01_h", "05_g"]
    first, second = find_samples(hrf, "test")
    assert (first.name, first.image.name, first.truth.name, first.fov.name) == (
        "06_h",
        "06_h.JPG",
        "06_h.tif",
        "06_h_mask.tif",
    )
    assert second.name == "15_dr"
    assert load_labelled(first).fov.any()
    assert find_dataset(hrf, "all").notes == []


def test_no_image_is_on_both_sides(folder, tmp_path):
    for lay_out in (as_plain, as_chase, as_stare, as_hrf):
        made = lay_out(folder, tmp_path / lay_out.__name__)
        training, test = set(names(made, "training")), set(names(made, "test"))
        assert training
        assert test
        assert not training & test
        assert training | test == set(names(made, "all"))


def test_a_dataset_too_small_to_part_says_so(folder, tmp_path):
    plain = as_plain(folder, tmp_path / "plain")
    for kind in ("images", "labels", "masks"):
        (plain / kind / "a1.png").unlink()
    assert len(names(plain, "training")) == 4
    with pytest.raises(DataError, match=r"none of its 4 images is for test .*: give --split all"):
        find_samples(plain, "test")


def test_each_file_that_does_not_fit_has_a_line(folder, tmp_path):
    plain = as_plain(folder, tmp_path / "plain")
    (plain / "images" / "notes.txt").write_text("words")
    (plain / "images" / ".hidden").write_text("words")
    shutil.copy(plain / "labels" / "a1.png", plain / "labels" / "b1.png")
    (plain / "masks" / "a2.png").unlink()
    notes = find_dataset(plain, "all").notes
    assert len(notes) == 3
    assert "notes.txt: fits nothing in plain's layout (images/NAME.png" in notes[0]
    assert notes[0].endswith("; left out")
    assert notes[1].endswith("b1.png: no image of it; left out")
    assert "a2.png: no mask in" in notes[2]
    assert notes[2].endswith("the retina found in the image is used instead")


def test_files_that_describe_the_dataset_are_no_warning(folder, tmp_path):
    chase = as_chase(folder, tmp_path / "chase")
    for name in ("README.md", "readme", "LICENSE", "LICENCE.txt", "Terms_of_use.html", "dataset.json"):
        (chase / name).write_text("{}")
    assert find_dataset(chase, "all").notes == []
    shutil.copy(next(chase.glob("Image_01L_1stHO.*")), chase / "README.png")
    (note,) = find_dataset(chase, "all").notes
    assert "README.png: fits nothing in CHASE_DB1's layout" in note


def test_a_folder_without_masks_has_one_line(folder):
    shutil.rmtree(folder / "test" / "mask")
    (note,) = find_dataset(folder, "test").notes
    assert "mask: no masks of the field of view; the retina found in the image is used instead" in note


def test_images_without_maps_are_named(folder):
    for number in (22, 23):
        (folder / "training" / "1st_manual" / f"{number}_manual1.png").unlink()
    with pytest.raises(DataError, match=r"22_training\.png: no vessel map of it in") as caught:
        find_samples(folder, "training")
    assert len(str(caught.value).splitlines()) == 2


def test_two_maps_of_one_image_are_named(folder):
    maps = folder / "training" / "1st_manual"
    shutil.copy(maps / "22_manual1.png", maps / "22_manual2.png")
    with pytest.raises(DataError, match="both belong to image 22: keep one"):
        find_samples(folder, "training")


@pytest.mark.parametrize("remove", ["images", "1st_manual"])
def test_where_nothing_fits_all_layouts_are_named(folder, remove):
    shutil.rmtree(folder / "training" / remove)
    with pytest.raises(DataError, match="holds no dataset of a known layout") as caught:
        find_samples(folder, "training")
    assert all(f"  {layout.name}: {layout.told}" in str(caught.value) for layout in LAYOUTS)


def test_a_half_that_is_missing_is_named(folder):
    shutil.rmtree(folder / "test")
    with pytest.raises(DataError, match="has a folder training and none named test: expected both"):
        find_samples(folder, "test")


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(DataError, match="nowhere is not a folder: give the folder of a dataset"):
        find_samples(tmp_path / "nowhere", "test")


def test_an_empty_folder_is_named(folder):
    for path in (folder / "training" / "images").iterdir():
        path.unlink()
    with pytest.raises(DataError, match="images holds no image of DRIVE's layout"):
        find_samples(folder, "training")


def test_drive_is_found_whole(drive):
    training, test = find_dataset(drive, "training"), find_dataset(drive, "test")
    assert [len(training.samples), len(test.samples)] == [20, 20]
    assert training.notes == test.notes == []
    assert all(sample.fov is not None for sample in training.samples + test.samples)
    assert all(sample.second is not None for sample in test.samples)
    assert load_labelled(test.samples[0]).image.shape == (584, 565, 3)


def test_a_description_beside_the_images_says_what_the_layout_does_not(tmp_path):
    folder = plain(tmp_path, 6)
    (folder / "dataset.json").write_text(
        '{"name": "Mine", "field_of_view": 50, "terms": "CC BY 4.0", "exceptions": {"b": 60},'
        ' "test": ["[ab]"]}'
    )
    found = find_dataset(folder, "test")
    assert [(one.name, one.field_of_view) for one in found.samples] == [("a", 50.0), ("b", 60.0)]
    assert (found.name, found.terms) == ("Mine", "CC BY 4.0")
    assert not any("dataset.json" in note for note in found.notes)
    assert found.description == "a to b (plain layout, test images: [ab] test)"
    assert [one.name for one in find_samples(folder, "training")] == ["c", "d", "e", "f"]


def test_what_is_given_comes_before_the_description(tmp_path):
    folder = plain(tmp_path, 3)
    (folder / "dataset.json").write_text('{"field_of_view": 50, "exceptions": {"b": 60}, "test": ["a"]}')
    given = Description(field_of_view=30.0, terms="mine", test=("c",))
    found = find_dataset(folder, "test", given)
    assert [(one.name, one.field_of_view) for one in found.samples] == [("c", 30.0)]
    assert found.terms == "mine"


def test_patterns_that_fit_nothing_are_named(tmp_path):
    folder = plain(tmp_path, 3)
    with pytest.raises(
        DataError, match=r"no image matches x\*, the images reserved for testing; it has 3 images"
    ):
        find_dataset(folder, "test", Description(test=("x*",)))


def plain(tmp_path, count):
    for kind in ("images", "labels"):
        (tmp_path / "plain" / kind).mkdir(parents=True)
        for name in "abcdefgh"[:count]:
            (tmp_path / "plain" / kind / f"{name}.png").touch()
    return tmp_path / "plain"


@pytest.mark.parametrize(
    ("variable", "given", "training", "test", "angle", "terms"),
    [
        ("RETINAGAN_CHASE_DB1", Description(), 20, 8, 30.0, "CC BY 4.0"),
        ("RETINAGAN_HRF", Description(test=("0[1-5]_*",)), 27, 15, 60.0, "CC BY 4.0"),
        ("RETINAGAN_FIVES", Description(field_of_view=50.0), 16, 3, 50.0, ""),
        ("RETINAGAN_DRIVE", Description(), 20, 20, 45.0, "research and education only"),
    ],
)
def test_real_datasets_have_their_cameras_angle_and_split(variable, given, training, test, angle, terms):
    folder = os.environ.get(variable)
    if not folder:
        pytest.skip(f"{variable} is not set")
    halves = [find_dataset(folder, split, given) for split in ("training", "test")]
    assert [len(half.samples) for half in halves] == [training, test]
    assert {one.field_of_view for half in halves for one in half.samples} == {angle}
    assert halves[0].terms == terms
