import numpy as np
import pytest
from memory_store import empty_store

from retinagan.runtime.batch.encoding import PictureError, encode_png
from retinagan.runtime.batch.outputs import OutputError, OutputFolder
from retinagan.runtime.batch.pictures import KINDS
from retinagan.runtime.batch.shard import Shard
from retinagan.runtime.batch.store_folder import StoreFolder, StoreLines, is_own_object
from retinagan.runtime.batch.table import Table
from retinagan.runtime.storage.store import Store, store_of

GREY = np.arange(12, dtype=np.uint8).reshape(3, 4)
COLUMNS = ("path", "note", "settings")
DIGEST = "0123456789abcdef"


@pytest.fixture
def url() -> str:
    return f"{empty_store()}/maps"


def names(url: str) -> list[str]:
    return [one.url[len(url) + 1 :] for one in store_of(url).below(url)]


def rows(url: str, name: str = "table.csv") -> list[str]:
    return store_of(url).read(f"{url}/{name}").decode().splitlines()[1:]


def test_pictures_are_written_and_found(url):
    with OutputFolder(url + "/") as folder:
        folder.write("sub/a", "vessels", GREY)
        assert folder.has("sub/a", ["vessels"])
        assert not folder.has("sub/a", KINDS)
        assert folder.picture("sub/a", "vessels") == f"{url}/sub/a_vessels.png"
    assert store_of(url).read(f"{url}/sub/a_vessels.png") == encode_png(GREY)
    with OutputFolder(url) as folder:
        assert folder.path == url
        assert folder.has("sub/a", ["vessels"])
        folder.remove("sub/a", KINDS)
    assert names(url) == []


def test_a_picture_of_another_program_is_not_replaced(url):
    store_of(url).write(f"{url}/a_vessels.png", b"drawn by hand")
    with OutputFolder(url) as folder:
        with pytest.raises(PictureError, match="exists in the output folder and is not from retina-run"):
            folder.write("a", "vessels", GREY)
        folder.remove("a", KINDS)
    assert store_of(url).read(f"{url}/a_vessels.png") == b"drawn by hand"
    with OutputFolder(url, overwrite=True) as folder:
        folder.write("a", "vessels", GREY)
        assert folder.has("a", ["vessels"])


def test_a_store_that_refuses_ends_the_run(url, monkeypatch):
    def refuse(self, url, content):
        raise PermissionError(13, "Access Denied")

    with OutputFolder(url) as folder:
        monkeypatch.setattr(Store, "write", refuse)
        with pytest.raises(OutputError, match=r"cannot write to the output folder '.*' any more \(Access D"):
            folder.write("a", "vessels", GREY)


def test_a_store_that_cannot_be_listed(url, monkeypatch):
    def refuse(self, url):
        raise FileNotFoundError(2, "The specified bucket does not exist")

    monkeypatch.setattr(Store, "below", refuse)
    with pytest.raises(OutputError, match=r"cannot write to the output folder 'memory://.*bucket does not"):
        OutputFolder(url).__enter__()


def test_what_is_known_is_not_listed(url, monkeypatch):
    store_of(url).write(f"{url}/a_vessels.png", encode_png(GREY))
    monkeypatch.delattr(Store, "below")
    folder = StoreFolder(url, guest=True)
    folder.know({"a_vessels.png": 100})
    folder.enter()
    assert folder.is_own("a_vessels.png")
    assert folder.size("b_vessels.png") is None
    folder.leave()


def table(folder: OutputFolder, **options) -> Table:
    return Table(folder, "table.csv", COLUMNS, **options)


def test_rows_are_in_one_file_when_the_run_has_ended(url):
    for number in (1, 2):
        with OutputFolder(url) as folder, table(folder) as written:
            assert len(list(written.rows())) == 2 * (number - 1)
            written.append([f"{number}.png", "", DIGEST])
            written.append(["again.png", str(number), DIGEST])
    assert rows(url) == [f"1.png,,{DIGEST}", f"2.png,,{DIGEST}", f"again.png,2,{DIGEST}"]
    assert names(url) == ["table.csv"]


def test_rows_of_a_run_that_was_killed_are_taken_in(url, monkeypatch):
    monkeypatch.setattr("retinagan.runtime.batch.store_folder._LINES_IN_A_PART", 2)
    killed = OutputFolder(url)
    lost = table(killed.__enter__()).__enter__()
    for number in range(5):
        lost.append([f"{number}.png", "", DIGEST])
    assert len(names(url)) == 3
    with OutputFolder(url) as folder, table(folder) as written:
        assert [row["path"] for row in written.rows()] == ["0.png", "1.png", "2.png", "3.png"]
        assert len(rows(url)) == 4
    assert names(url) == ["table.csv"]
    killed.place.leave()


def test_shards_report_beside_one_another(url):
    shards = [OutputFolder(url, shard=Shard(number, 2)) for number in (1, 2)]
    for shard, name in zip(shards, ("a.png", "b.png"), strict=True):
        with shard as folder, table(folder) as written:
            written.append([name, "", DIGEST])
    assert names(url) == ["rows/table.1-of-2.csv", "rows/table.2-of-2.csv"]
    with OutputFolder(url) as folder, table(folder):
        assert rows(url) == [f"a.png,,{DIGEST}", f"b.png,,{DIGEST}"]
    assert names(url) == ["table.csv"]


def test_a_run_beside_another_loses_no_row(url):
    """There are no locks in a store, and so two runs may meet, though they should not."""
    first, second = OutputFolder(url), OutputFolder(url)
    with first, table(first) as one:
        one.append(["a.png", "", DIGEST])
        with second, table(second) as other:
            other.append(["b.png", "", DIGEST])
        assert rows(url) == [f"b.png,,{DIGEST}"]
    assert rows(url) == [f"b.png,,{DIGEST}", f"a.png,,{DIGEST}"]


def test_another_programs_table_is_not_replaced(url):
    store_of(url).write(f"{url}/table.csv", b"name,age\n")
    with OutputFolder(url) as folder:
        with pytest.raises(OutputError, match=r"'memory://.*/table.csv' does not have the columns"):
            table(folder).__enter__()
        with table(folder, fresh=True) as written:
            written.append(["a.png", "", DIGEST])
    assert rows(url) == [f"a.png,,{DIGEST}"]


def test_a_part_is_written_when_it_has_many_lines_or_is_old(url, monkeypatch):
    monkeypatch.setattr("retinagan.runtime.batch.store_folder._LINES_IN_A_PART", 3)
    folder = StoreFolder(url)
    folder.enter()
    now = [0.0]
    lines = StoreLines(folder, "run.csv", b"header\n", clock=lambda: now[0])
    for line in (b"1\n", b"2\n"):
        lines.append(line)
    assert lines.parts == ()
    lines.append(b"3\n")
    assert len(lines.parts) == 1
    lines.append(b"4\n")
    now[0] = 31.0
    lines.append(b"5\n")
    assert len(lines.parts) == 2
    lines.close()
    assert [store_of(url).read(f"{url}/{name}") for name in lines.parts] == [
        b"header\n1\n2\n3\n",
        b"header\n4\n5\n",
    ]
    folder.leave()


def test_an_object_that_cannot_be_read_is_not_ours(url):
    assert not is_own_object(f"{url}/a_vessels.png", 100)
