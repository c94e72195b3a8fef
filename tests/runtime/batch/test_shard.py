import re

import pytest

from retinagan.runtime.batch.shard import Shard, reports_of
from retinagan.runtime.errors import OptionError

NAMES = [f"visit{number // 10}/{number:04}.png" for number in range(2000)]


def test_each_image_belongs_to_one_part_and_the_parts_are_alike_in_size():
    parts = [Shard(number, 8) for number in range(1, 9)]
    for name in NAMES:
        assert sum(part.holds(name) for part in parts) == 1
    sizes = [sum(map(part.holds, NAMES)) for part in parts]
    assert min(sizes) > 200
    assert max(sizes) < 300


def test_one_part_of_one_holds_all():
    assert all(map(Shard(1, 1).holds, NAMES))


def test_a_part_stays_the_same_on_every_machine():
    own = [name for name in NAMES[:40] if Shard(1, 8).holds(name)]
    assert [name[-8:-4] for name in own] == ["0005", "0007", "0008", "0015", "0018", "0039"]


@pytest.mark.parametrize("other", ["a.tif", "A.PNG", "a.tif#1", "a.tif#2"])
def test_images_that_might_write_to_one_name_are_in_one_part(other):
    for count in range(1, 50):
        (number,) = (number for number in range(1, count + 1) if Shard(number, count).holds("a.png"))
        assert Shard(number, count).holds(other)


def test_files_that_are_called_by_their_uid_are_spread_over_the_parts():
    names = [f"study/1.2.826.0.1.{number}" for number in range(200)]
    assert 50 < sum(map(Shard(1, 2).holds, names)) < 150
    assert all(Shard(1, 2).holds(f"{name}#2") == Shard(1, 2).holds(name) for name in names)


def test_a_name_that_is_not_valid_text_belongs_to_one_part():
    assert sum(Shard(number, 5).holds("\udcff.png") for number in range(1, 6)) == 1


def test_a_shard_is_written_as_its_number_and_count():
    shard = Shard.parse("3/16")
    assert shard == Shard(3, 16)
    assert str(shard) == "3/16"
    assert shard.report("run.csv") == "run.3-of-16.csv"


@pytest.mark.parametrize("text", ["", "3", "3/", "/16", "3/16/2", "a/b", "-1/16", "3 / 16", "1.5/2", "٣/16"])
def test_what_is_no_shard_is_refused(text):
    with pytest.raises(OptionError, match=re.escape(f"--shard: got {text!r}; expected a number and a count")):
        Shard.parse(text)


@pytest.mark.parametrize("text", ["17/16", "0/0", "1/0"])
def test_a_number_that_is_not_in_the_count_is_refused(text):
    with pytest.raises(OptionError, match=f"got '{text}'; expected a number from 1 to the count$"):
        Shard.parse(text)


def test_an_array_that_counts_from_zero_is_told_how_to_count():
    with pytest.raises(OptionError, match=r"from 1 to the count: with 16 tasks in SLURM, --array=1-16$"):
        Shard.parse("0/16")


def test_reports_are_told_by_their_names():
    own = ["run.1-of-4.csv", "rows/run.2-of-4.csv", "run.part-0123456789ab-00001.csv"]
    own += ["run.1-of-4.part-0123456789ab-00001.csv"]
    others = ["run.1-of-4.csv.old", "run.a-of-b.csv", "notes.txt", "other.1-of-4.csv", "run.part-1.csv"]
    assert reports_of("run.csv", own + others) == own


def test_reports_of_other_parts_of_as_many_are_not_read():
    shard = Shard(3, 16)
    for name in ("3-of-16", "1-of-8", "1-of-8.part-0123456789ab-00001", "part-0123456789ab-00001"):
        assert shard.may_know_of_ours(f"run.{name}.csv")
    for name in ("4-of-16", "4-of-16.part-0123456789ab-00001"):
        assert not shard.may_know_of_ours(f"run.{name}.csv")
