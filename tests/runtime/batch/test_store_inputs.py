import io
import sys

import numpy as np
import pytest
from memory_store import empty_store, encoded
from PIL import Image

from retinagan.runtime.batch.encoding import encode_png
from retinagan.runtime.batch.inputs import Input, InputError, every_frame, find_inputs
from retinagan.runtime.batch.store_inputs import find_objects
from retinagan.runtime.storage.store import StorageError, Store, store_of

PNG = encoded(np.zeros((4, 4, 3), np.uint8))


@pytest.fixture
def url() -> str:
    return f"{empty_store()}/scans"


def put(url: str, *names: str, content: bytes = PNG) -> str:
    for name in names:
        store_of(url).write(f"{url}/{name}", content)
    return url


def names(*urls: str) -> list[str]:
    return [item.name for item in find_inputs(urls).inputs]


def test_a_folder_gives_all_images_in_it_and_below(url):
    put(url, "b.png", "a.JPG", "sub/deep/c.tif", "notes.txt", "sub/list.csv")
    put(f"{url}2", "d.png")
    found = find_inputs([url + "/"])
    assert [item.name for item in found.inputs] == ["a.JPG", "b.png", "sub/deep/c.tif"]
    assert [item.path for item in found.inputs] == [f"{url}/{item.name}" for item in found.inputs]
    assert found.inputs[0].listed[0] == str(len(PNG))
    assert float(found.inputs[0].listed[1]) > 1e9
    assert (found.others, found.examples) == (2, ("notes.txt", "list.csv"))


def test_an_object_is_taken_whatever_its_extension(url):
    put(url, "scan.dat", "sub/scan")
    assert names(f"{url}/scan.dat", f"{url}/sub/scan") == ["scan.dat", "sub/scan"]


def test_names_start_below_the_folder_that_all_inputs_share(url):
    put(url, "x/a.png", "x/sub/b.png", "y/a.png")
    assert names(f"{url}/x") == ["a.png", "sub/b.png"]
    assert names(f"{url}/x", f"{url}/y") == ["x/a.png", "x/sub/b.png", "y/a.png"]
    assert names(f"{url}/x/a.png", f"{url}/y/a.png") == ["x/a.png", "y/a.png"]
    assert names("memory://clinic") == ["scans/x/a.png", "scans/x/sub/b.png", "scans/y/a.png"]
    store_of(url).write("memory://other/c.png", PNG)
    assert names(f"{url}/x/sub", "memory://other") == ["clinic/scans/x/sub/b.png", "other/c.png"]
    store_of(url).remove("memory://other/c.png")


def test_globs(url):
    put(url, "visit1/left.png", "visit1/right.png", "visit2/left.png", "visit2/deep/left.jpg", "visit2/n.txt")
    assert names(f"{url}/**/left*") == ["visit1/left.png", "visit2/deep/left.jpg", "visit2/left.png"]
    assert names(f"{url}/visit?/left.png") == ["visit1/left.png", "visit2/left.png"]
    found = find_inputs([f"{url}/visit2*"])
    assert [item.name for item in found.inputs] == ["visit2/deep/left.jpg", "visit2/left.png"]
    assert found.others == 1
    assert names(f"{url}/visit2/*.txt") == ["n.txt"]


def test_a_name_with_a_wildcard_in_it_is_itself(url):
    put(url, "a[1]/b.png", "a1/c.png", "d?.png")
    assert names(f"{url}/a[1]") == ["b.png"]
    assert names(f"{url}/d?.png") == ["d?.png"]


def test_hidden_objects_and_folders_are_left_out(url):
    put(url, "a.png", ".b.png", ".trash/c.png", "sub/._d.png")
    found = find_inputs([url])
    assert [item.name for item in found.inputs] == ["a.png"]
    assert found.others == 0
    assert names(f"{url}/**/*.png") == ["a.png"]
    assert names(f"{url}/.b.png") == [".b.png"]
    assert names(f"{url}/.trash") == ["c.png"]
    assert names(f"{url}/.t*/*.png") == [".trash/c.png"]


@pytest.mark.parametrize("name", ["../e.png", "x/../../e.png", "./e.png", "x//e.png", "e\0.png"])
def test_no_name_leads_out_of_the_output_folder(url, name, monkeypatch):
    put(url, "a.png")
    below = Store.below
    odd = find_objects(url).images[0]._replace(url=f"{url}/{name}")
    monkeypatch.setattr(Store, "below", lambda self, url: [*below(self, url), odd])
    found = find_inputs([url])
    assert [item.name for item in found.inputs] == ["a.png"]
    assert found.others == 1


def test_pictures_of_earlier_runs_are_left_out(url):
    put(url, "a.png", "b_vessels.png")
    put(url, "maps/a_vessels.png", content=encode_png(np.zeros((4, 4), np.uint8)))
    found = find_inputs([url])
    assert [item.name for item in found.inputs] == ["a.png", "b_vessels.png"]
    assert found.own == 1
    assert names(f"{url}/**/*_vessels.png") == ["b_vessels.png"]


def test_where_a_name_does_not_tell_the_content_does(url):
    put(url, "scan", "scan.001", "1.2.840.10008")
    put(url, "README", "text.001", content=b"this is a text, and a long one")
    put(url, "empty", content=b"")
    assert names(url) == ["1.2.840.10008", "scan", "scan.001"]


def test_dicom_objects_are_found_by_their_content(url):
    pydicom = pytest.importorskip("pydicom")
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = "1.2.3"
    for name, number in (("photograph.dcm", "77.1.5.1"), ("ct.ima", "2")):
        uid = f"1.2.840.10008.5.1.4.1.1.{number}"
        dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = uid
        content = pydicom.filebase.DicomBytesIO()
        pydicom.dcmwrite(content, dataset, enforce_file_format=True)
        put(url, name, content=content.getvalue())
    found = find_inputs([url])
    assert [item.name for item in found.inputs] == ["photograph.dcm"]
    assert found.objects == (("CT Image Storage", 1),)


def test_what_is_not_there(url):
    put(url, "notes.txt")
    for missing in ("a.png", "none", "none/"):
        with pytest.raises(InputError, match=rf"no such object or folder: '{url}/{missing}'"):
            find_inputs([f"{url}/{missing}"])
    with pytest.raises(InputError, match=r"no object matches 'memory://clinic/scans/\*.png'"):
        find_inputs([f"{url}/*.png"])
    with pytest.raises(InputError, match=r"no object matches 'memory://cli\*/scans'"):
        find_inputs(["memory://cli*/scans"])
    with pytest.raises(InputError, match=r"no images found in 'memory://clinic/scans', only 1 other file"):
        find_inputs([url])


def test_a_store_that_does_not_answer(url, monkeypatch):
    def refuse(self, url):
        raise PermissionError(13, "Access Denied")

    monkeypatch.setattr(Store, "find", refuse)
    message = rf"cannot list '{url}' \(Access Denied\); check the address and the credentials"
    with pytest.raises(InputError, match=message):
        find_inputs([url])


def test_a_store_whose_package_is_missing(monkeypatch):
    monkeypatch.setattr("retinagan.runtime.storage.store.find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(StorageError, match="gs:// needs gcsfs: pip install gcsfs"):
        find_inputs(["gs://bucket/scans"])


def test_a_url_of_no_store(tmp_path):
    with pytest.raises(InputError, match=r"no such kind of URL: 'http://x/a.png'; expected s3://, gs://"):
        find_inputs(["http://x/a.png"])


def test_inputs_of_several_stores(url, tmp_path):
    put(url, "a.png")
    (tmp_path / "b.png").touch()
    with pytest.raises(InputError, match=r"inputs in several stores: .*; give those of one store"):
        find_inputs([url, str(tmp_path)])


def test_a_file_url_is_a_folder_of_this_machine(tmp_path):
    (tmp_path / "b.png").touch()
    assert find_inputs([f"file://{tmp_path}"]).inputs == (Input(f"{tmp_path}/b.png", "b.png"),)


def test_every_frame_of_an_object(url):
    stack = encoded(np.zeros((20, 20, 3), np.uint8), "TIFF")
    put(url, "a.tif", content=stack)
    assert every_frame(find_inputs([url]).inputs) == find_inputs([url]).inputs
    pages = [Image.new("RGB", (20, 20), color) for color in ("red", "blue")]
    content = io.BytesIO()
    pages[0].save(content, "TIFF", save_all=True, append_images=pages[1:])
    put(url, "a.tif", content=content.getvalue())
    found = every_frame(find_inputs([url]).inputs)
    assert [(item.name, item.frame) for item in found] == [("a.tif#1", 1), ("a.tif#2", 2)]
    assert {item.listed for item in found} == {find_inputs([url]).inputs[0].listed}
    gone = find_inputs([url]).inputs
    store_of(url).remove(f"{url}/a.tif")
    assert every_frame(gone) == gone
