import math
from contextlib import contextmanager
from pathlib import Path

import pytest
from dicom_files import SECONDARY_CAPTURE
from dicom_network import OPHTHALMIC, Archive, Lines, certificates, image, instance_uid
from pydicom.uid import ExplicitVRLittleEndian

from retinagan.runtime.node.ledger import Ledger
from retinagan.runtime.node.peers import Keys, Peer
from retinagan.runtime.node.sending import LONGEST_PAUSE, LONGEST_PAUSE_OF_ONE, Sender


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def ledger(tmp_path):
    with Ledger(tmp_path / "node.sqlite3") as ledger:
        yield ledger


@pytest.fixture
def sender(tmp_path, ledger, lines, clock):
    def make(port: int, title="ARCHIVE", tls=None) -> Sender:
        return Sender(ledger, tmp_path, Peer(title, "127.0.0.1", port), "RETINA", tls, lines, clock)

    return make


@contextmanager
def archive(classes=(OPHTHALMIC,), syntaxes=None, **options):
    running = Archive(classes=classes, syntaxes=syntaxes, **options)
    try:
        yield running
    finally:
        running.close()


def results(tmp_path: Path, ledger: Ledger, *names: object) -> list[str]:
    """Have results wait to be sent; return their UIDs."""
    for name in names:
        (tmp_path / f"{name}.dcm").write_bytes(image(name))
        ledger.record_done(str(name), "", "", [f"{name}.dcm"])
    return [instance_uid(name) for name in names]


def test_results_are_sent_once_and_as_they_are(tmp_path, ledger, sender, lines):
    with archive() as running:
        uids = results(tmp_path, ledger, 1, 2)
        sending = sender(running.port)
        assert sending.send_due() == 0.0
        assert running.received == uids
        assert math.isinf(sending.send_due())
        assert math.isinf(sender(running.port).send_due())
    assert running.received == uids
    assert ledger.count_outgoing() == 0
    assert lines == ["1.dcm: sent to ARCHIVE", "2.dcm: sent to ARCHIVE"]


def test_more_results_than_go_in_one_association(tmp_path, ledger, sender, monkeypatch):
    monkeypatch.setattr("retinagan.runtime.node.sending._AT_ONCE", 2)
    with archive() as running:
        uids = results(tmp_path, ledger, 1, 2, 3)
        sending = sender(running.port)
        assert [sending.send_due(), sending.send_due()] == [0.0, 0.0]
    assert running.received == uids


def test_a_result_that_is_refused_is_tried_again_later_and_the_others_go_on(
    tmp_path, ledger, sender, lines, clock
):
    with archive() as running:
        first, second = results(tmp_path, ledger, 1, 2)
        running.answers = [0xA700]
        sending = sender(running.port)
        sending.send_due()
        assert running.received == [second]
        assert lines[0] == (
            "1.dcm: not sent to ARCHIVE: refused, status A700 (as the test wants it); next try in 1.0 s"
        )
        running.answers = [0xC000]
        assert sending.send_due() == 1.0
        clock.now += 1
        sending.send_due()
        assert lines[-1].endswith("refused, status C000 (as the test wants it); next try in 2.0 s")
        clock.now += 2
        sending.send_due()
        assert running.received == [second, first]
        assert math.isinf(sending.send_due())


def test_a_warning_counts_as_stored(tmp_path, ledger, sender, lines):
    with archive() as running:
        uids = results(tmp_path, ledger, 1)
        running.answers = [0xB000]
        sender(running.port).send_due()
    assert running.received == uids
    assert ledger.count_outgoing() == 0
    assert lines == ["1.dcm: sent to ARCHIVE, with the warning B000 (as the test wants it)"]


def test_an_archive_that_is_away_is_tried_again_at_growing_intervals(tmp_path, ledger, sender, lines):
    with archive() as running:
        port = running.port
    uids = results(tmp_path, ledger, 1, 2)
    sending = sender(port)
    assert [sending.send_due() for _ in range(3)] == [1.0, 2.0, 4.0]
    assert lines[0] == (
        f"ARCHIVE@127.0.0.1:{port}: cannot be reached, or does not speak DICOM; 2 results to send, "
        "next try in 1.0 s"
    )
    sending._failures = 30
    assert sending.send_due() == LONGEST_PAUSE
    with archive(port=port) as running:
        assert sending.send_due() == 0.0
        assert running.received == uids
    results(tmp_path, ledger, 3)
    assert sending.send_due() == 1.0


def test_an_archive_that_rejects_is_named(tmp_path, ledger, sender, lines):
    with archive() as running:
        results(tmp_path, ledger, 1)
        assert sender(running.port, title="OTHER").send_due() == 1.0
    assert lines[0].startswith(
        f"OTHER@127.0.0.1:{running.port}: rejects associations; check the AE titles on both sides; 1 result"
    )


def test_a_connection_that_is_lost_midway(tmp_path, ledger, sender, lines):
    with archive() as running:
        uids = results(tmp_path, ledger, 1, 2)
        running.lost = True
        sending = sender(running.port)
        assert sending.send_due() == 1.0
        assert "the connection was lost; 2 results to send" in lines[0]
        running.lost = False
        sending.send_due()
    assert running.received == uids


def test_a_class_that_the_archive_does_not_take(tmp_path, ledger, sender, lines):
    with archive() as running:
        (tmp_path / "capture.dcm").write_bytes(image("capture", SOPClassUID=SECONDARY_CAPTURE))
        ledger.record_done("0", "", "", ["capture.dcm"])
        uids = results(tmp_path, ledger, 1)
        sender(running.port).send_due()
    assert running.received == uids
    assert lines[0] == (
        "capture.dcm: not sent to ARCHIVE: the archive does not take Secondary Capture Image Storage in this "
        "encoding; next try in 1.0 s"
    )


def test_an_encoding_that_the_archive_does_not_take(tmp_path, ledger, sender, lines):
    with archive(syntaxes=["1.2.840.10008.1.2.4.50"]) as running:
        results(tmp_path, ledger, 1)
        sender(running.port).send_due()
    assert running.received == []
    assert ledger.count_outgoing() == 1
    assert ExplicitVRLittleEndian.name not in lines[0]


def test_files_that_are_gone_or_damaged_are_tried_again(tmp_path, ledger, sender, lines, clock):
    with archive() as running:
        ledger.record_done("0", "", "", ["gone.dcm", "damaged.dcm"])
        (tmp_path / "damaged.dcm").write_bytes(b"nothing")
        sending = sender(running.port)
        sending.send_due()
        assert lines == [
            f"{name}: not sent to ARCHIVE: the file {reason}; next try in 1.0 s"
            for name, reason in (
                ("gone.dcm", "cannot be read (No such file or directory)"),
                ("damaged.dcm", "is damaged"),
            )
        ]
        (tmp_path / "gone.dcm").write_bytes(image("gone"))
        clock.now += 1
        sending.send_due()
    assert running.received == [instance_uid("gone")]


def test_no_pause_is_longer_than_an_hour(tmp_path, ledger, sender, lines, clock):
    ledger.record_done("0", "", "", ["gone.dcm"])
    sending = sender(1)
    for _ in range(40):
        clock.now += LONGEST_PAUSE_OF_ONE
        sending.send_due()
    assert lines[-1].endswith("next try in 1 h 00 min")


def test_a_thread_sends_what_comes_and_ends(tmp_path, ledger, sender, lines):
    with archive() as running:
        first = results(tmp_path, ledger, 1)
        with sender(running.port) as sending:
            lines.wait_for("1.dcm: sent")
            second = results(tmp_path, ledger, 2)
            sending.wake()
            lines.wait_for("2.dcm: sent")
        assert not sending._thread.is_alive()
    assert running.received == first + second


def test_a_defect_does_not_end_the_thread_in_silence(tmp_path, ledger, sender, lines, monkeypatch):
    def broken(*arguments, **options):
        raise ZeroDivisionError("of the test")

    monkeypatch.setattr(ledger, "outgoing", broken)
    with sender(1):
        lines.wait_for("unexpected ZeroDivisionError: of the test (test_sending.py, line ")


def test_tls_checks_the_archives_certificate(tmp_path, ledger, sender, lines, tmp_path_factory):
    keys = certificates(tmp_path_factory.mktemp("keys"))
    trusting = Keys(authorities=keys / "ca.pem").for_sending()
    serving = Keys(keys / "node.pem", keys / "node.key").for_serving()
    with archive(tls=serving) as running:
        uids = results(tmp_path, ledger, 1)
        assert sender(running.port, tls=Keys().for_sending()).send_due() == 1.0
        assert running.received == []
        assert sender(running.port, tls=trusting).send_due() == 0.0
        assert running.received == uids
