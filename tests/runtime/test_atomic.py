import pytest

from retinagan.runtime.atomic import written_atomically


def test_the_file_appears_whole_under_its_name(tmp_path):
    target = tmp_path / "picture.png"
    target.write_text("old")
    with written_atomically(target) as temporary:
        temporary.write_text("new")
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".png"
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def write_half(target, error):
    with written_atomically(target) as temporary:
        temporary.write_text("half")
        raise error


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_exception_leaves_the_old_file_and_nothing_else(tmp_path, error):
    target = tmp_path / "model.json"
    target.write_text("old")
    with pytest.raises(error):
        write_half(target, error)
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_nothing_written_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), written_atomically(tmp_path / "a.json"):
        pass
    assert not list(tmp_path.iterdir())
