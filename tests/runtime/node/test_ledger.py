import sqlite3
import threading
from pathlib import Path

import pytest

from retinagan.runtime.batch.outputs import OutputError
from retinagan.runtime.node.ledger import Ledger, Outgoing


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "node.sqlite3"


def test_what_is_done_is_known_by_its_content_and_settings(path):
    with Ledger(path) as ledger:
        assert not ledger.is_done("1.2", "digest", "settings")
        ledger.record_done("1.2", "digest", "settings", [])
    with Ledger(path) as ledger:
        assert ledger.is_done("1.2", "digest", "settings")
        assert not ledger.is_done("1.2", "other", "settings")
        assert not ledger.is_done("1.2", "digest", "other")
        assert not ledger.is_done("1.3", "digest", "settings")
        ledger.record_done("1.2", "other", "settings", [])
        assert ledger.is_done("1.2", "other", "settings")
        assert not ledger.is_done("1.2", "digest", "settings")


def test_results_are_sent_once_in_their_order(path):
    with Ledger(path) as ledger:
        ledger.record_done("1.2", "digest", "", ["b", "a"])
        ledger.record_done("1.3", "digest", "", ["c"])
        first, second, third = ledger.outgoing(10)
        assert [one.path for one in (first, second, third)] == ["b", "a", "c"]
        assert ledger.outgoing(2) == [first, second]
        assert ledger.outgoing(1, keep=lambda one: one.path != "b") == [second]
        assert ledger.count_outgoing() == 3
        ledger.record_sent(second)
    with Ledger(path) as ledger:
        assert ledger.outgoing(10) == [first, third]
        assert ledger.count_outgoing() == 2


def test_a_result_that_is_written_anew_while_it_is_sent_is_sent_again(path):
    with Ledger(path) as ledger:
        ledger.record_done("1.2", "digest", "", ["a"])
        (being_sent,) = ledger.outgoing(1)
        ledger.record_done("1.2", "other", "", ["a"])
        ledger.record_sent(being_sent)
        (again,) = ledger.outgoing(1)
        assert again.path == "a"
        ledger.record_sent(again)
        ledger.record_done("1.2", "third", "", ["a"])
        assert ledger.outgoing(1)[0].number not in (being_sent.number, again.number)


def test_starts_are_counted_until_they_end(path):
    with Ledger(path) as ledger:
        assert ledger.starts("1.2") == 0
        ledger.record_start("1.2")
    with Ledger(path) as ledger:
        ledger.record_start("1.2")
        ledger.record_start("1.3")
        assert (ledger.starts("1.2"), ledger.starts("1.3")) == (2, 1)
        ledger.forget_starts(["1.3", "1.4"])
        ledger.record_done("1.2", "digest", "", [])
        assert (ledger.starts("1.2"), ledger.starts("1.3")) == (0, 0)


def test_done_and_outgoing_are_one_step(path):
    def broken():
        yield "a"
        raise KeyboardInterrupt

    with Ledger(path) as ledger:
        with pytest.raises(KeyboardInterrupt):
            ledger.record_done("1.2", "digest", "", broken())
        assert not ledger.is_done("1.2", "digest", "")
        assert ledger.outgoing(10) == []
        ledger.record_done("1.2", "digest", "", ["a"])
        assert ledger.outgoing(10) == [Outgoing(1, "a")]


def test_threads_share_it(path):
    with Ledger(path) as ledger:

        def work(number: int) -> None:
            for count in range(10):
                ledger.record_done(f"{number}.{count}", "", "", [f"{number}/{count}"])

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(ledger.outgoing(100))) == 40


def test_a_commit_is_on_the_disk(path):
    with Ledger(path) as ledger:
        assert ledger._database.execute("PRAGMA synchronous").fetchone() == (2,)


def test_what_is_no_such_database_is_named(path):
    path.write_bytes(b"no database, but long enough to be taken for one" * 10)
    with pytest.raises(
        OutputError, match=rf"^cannot use '{path}' \(file is not a database\); free the disk, or"
    ):
        Ledger(path).__enter__()


def test_a_database_of_another_version_is_left_alone(path):
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 7")
    database.close()
    with pytest.raises(
        OutputError, match=r"has the format 7 of another version of retina-node; use that version"
    ):
        Ledger(path).__enter__()
