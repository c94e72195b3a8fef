import shutil

import pytest
from other_layouts import as_hrf, as_plain
from small_dataset import write_dataset

from retinagan.train.data.description import Description
from retinagan.train.data.files import DataError, find_dataset, find_samples
from retinagan.train.data.images import load_labelled
from retinagan.train.data.layouts import LAYOUTS
from retinagan.train.data.matching import Matching


@pytest.fixture
def drawn(tmp_path):
    return write_dataset(tmp_path / "drawn")


@pytest.fixture
def visits(drawn, tmp_path):
    """A plain dataset whose images lie in folders of visits, two of them of one name."""
    plain = as_plain(drawn, tmp_path / "plain")
    places = {"a1": "v1/left", "a2": "v1/right", "a3": "v2/left", "a4": "v10/deep/left", "a5": "top"}
    for kind in ("images", "labels", "masks"):
        for old, new in places.items():
            path = plain / kind / f"{new}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            (plain / kind / f"{old}.png").rename(path)
    return plain


def test_subfolders_are_part_of_the_names_in_the_plain_layout(visits):
    dataset = find_dataset(visits, "all")
    assert [one.name for one in dataset.samples] == ["top", "v1/left", "v1/right", "v10/deep/left", "v2/left"]
    assert dataset.notes == []
    for sample in dataset.samples:
        assert sample.image.relative_to(visits / "images") == sample.truth.relative_to(visits / "labels")
        assert load_labelled(sample).name == sample.name


def test_patterns_may_name_subfolders(visits):
    known = Description(test=("v1/*",), exceptions={"v2/*": 30.0}, field_of_view=45.0)
    assert [one.name for one in find_dataset(visits, "test", known).samples] == ["v1/left", "v1/right"]
    angles = {one.name: one.field_of_view for one in find_dataset(visits, "training", known).samples}
    assert angles == {"top": 45.0, "v10/deep/left": 45.0, "v2/left": 30.0}


def test_maps_of_images_in_subfolders_are_looked_for_in_the_same_ones(visits):
    shutil.move(visits / "labels" / "v1" / "left.png", visits / "labels" / "left.png")
    with pytest.raises(DataError, match=r"v1/left\.png: no vessel map of it in .*labels; add it"):
        find_samples(visits, "all")


def test_hidden_folders_and_links_are_left_out(visits):
    shutil.copytree(visits / "images" / "v1", visits / "images" / ".trash")
    (visits / "images" / "again").symlink_to(visits / "images" / "v1")
    assert len(find_samples(visits, "all")) == 5


def test_subfolders_in_other_layouts_are_said_to_be_left_out(drawn, tmp_path):
    hrf = as_hrf(drawn, tmp_path / "hrf")
    (hrf / "images" / "more").mkdir()
    shutil.copy(hrf / "images" / "01_h.JPG", hrf / "images" / "more" / "07_h.JPG")
    (hrf / "images" / "notes").mkdir()
    dataset = find_dataset(hrf, "all")
    assert dataset.notes == [
        f"{hrf / 'images' / 'more'}: 1 image in a subfolder, which HRF's layout does not have; left out"
    ]


def test_a_files_order_does_not_decide_what_belongs_together(drawn, tmp_path):
    plain = as_plain(drawn, tmp_path / "plain")
    for kind in ("images", "labels", "masks"):
        (plain / kind / "a2.png").rename(plain / kind / "a10.png")
    samples = Matching(plain, next(one for one in LAYOUTS if one.name == "plain")).samples()
    assert list(samples) == ["a1", "a10", "a3", "a4", "a5"]
    assert all(one.image.name == one.truth.name == one.fov.name for one in samples.values())
