import shutil
import socket
from collections import namedtuple
from contextlib import contextmanager
from pathlib import Path

import pydicom
import pytest
from dicom_files import PATIENT, VL_PHOTOGRAPHIC, dicom_dataset, written
from dicom_network import CALLER, NODE, OPHTHALMIC, Lines, calling, certificates, image, instance_uid, stored
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import association as association_module

from retinagan.runtime.batch.outputs import OutputError
from retinagan.runtime.errors import OptionError
from retinagan.runtime.node.inbox import Inbox, content_digest
from retinagan.runtime.node.peers import Keys
from retinagan.runtime.node.receiving import Limits, Receiver, transfer_syntaxes

ANNOUNCED = "its SOP Instance UID is missing, or not the one announced"
SUCCESS, OUT_OF_RESOURCES, NOT_ITS_CLASS, CANNOT_UNDERSTAND = 0x0000, 0xA700, 0xA900, 0xC000


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def listening(tmp_path, lines):
    """Listen with a queue in the test's folder; yields the port."""

    @contextmanager
    def listen(*, done=(), callers=(CALLER,), keys=None, limits=None, objects=100, min_free=0):
        limits = limits or Limits()
        with Inbox(tmp_path, objects, min_free) as inbox:
            receiver = Receiver(inbox, lambda *known: known in done, NODE, callers, limits, lines)
            with receiver:
                yield receiver.listen("127.0.0.1", 0, keys or Keys())

    return listen


def queued(tmp_path) -> list[Path]:
    return sorted((tmp_path / "queue").rglob("*.dcm"))


def test_an_image_is_in_the_queue_when_it_is_acknowledged(tmp_path, listening, lines):
    with listening() as port, calling(port) as association:
        assert stored(association, image(1)) == (SUCCESS, "")
        (path,) = queued(tmp_path)
        assert stored(association, image(2)) == (SUCCESS, "")
    assert path.name == f"{instance_uid(1)}.dcm"
    assert path.parent.name == pydicom.dcmread(path).StudyInstanceUID
    sent, kept = pydicom.dcmread(pydicom.filebase.DicomBytesIO(image(1))), pydicom.dcmread(path)
    assert kept == sent
    assert kept.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert [line.partition(" from CAMERA at 127.0.0.1")[::2] for line in lines] == [
        (instance_uid(1), ": received"),
        (instance_uid(2), ": received"),
    ]


def test_it_is_not_acknowledged_before_it_is_on_the_disk(tmp_path, listening, monkeypatch):
    order = []
    for name in ("synced", "made_folder"):
        real = getattr(__import__("retinagan.runtime.node.inbox", fromlist=[name]), name)
        monkeypatch.setattr(
            f"retinagan.runtime.node.inbox.{name}",
            lambda path, real=real: (order.append(path.suffix), real(path)),
        )
    with listening() as port, calling(port) as association:
        order.clear()
        stored(association, image())
        order.append("acknowledged")
    assert order[0] == ".dcm"
    assert order[-1] == "acknowledged"
    assert len(order) >= 3


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def test_images_in_other_transfer_syntaxes_are_kept_as_they_come(tmp_path, listening, syntax):
    content = written(dicom_dataset(SOPInstanceUID=instance_uid(1)), syntax)
    with listening() as port, calling(port, syntaxes=[syntax]) as association:
        assert stored(association, content)[0] == SUCCESS
    (path,) = queued(tmp_path)
    assert pydicom.dcmread(path).file_meta.TransferSyntaxUID == syntax
    assert content_digest(path.read_bytes()) == content_digest(content)


def test_jpeg_is_taken_and_jpeg_lossless_only_with_gdcm(listening, monkeypatch):
    always = transfer_syntaxes()
    assert {"1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.5"} <= set(always)
    lossless = "1.2.840.10008.1.2.4.70"

    class Decoder:
        def __init__(self, plugins) -> None:
            self.available_plugins = plugins

    for plugins in ((), ("gdcm",)):
        monkeypatch.setattr(
            "retinagan.runtime.node.receiving.get_decoder", lambda uid, plugins=plugins: Decoder(plugins)
        )
        assert (lossless in transfer_syntaxes()) is bool(plugins)


def test_an_echo_is_answered(listening):
    with listening() as port, calling(port) as association:
        assert association.send_c_echo().Status == SUCCESS


def test_other_callers_and_other_names_are_rejected(listening, lines):
    with listening() as port:
        for names in ({"aet": "STRANGER"}, {"called": "SOMEONE"}):
            with calling(port, **names) as association:
                assert association.is_rejected
        with calling(port) as association:
            assert association.is_established
    assert lines == [
        "STRANGER at 127.0.0.1: association rejected: its AE title is not one of --allow",
        f"{CALLER} at 127.0.0.1: association rejected: it calls 'SOMEONE', and this node is '{NODE}' (--aet)",
    ]


def test_any_caller_may_call_where_none_is_named(listening):
    with listening(callers=()) as port, calling(port, aet="STRANGER") as association:
        assert association.is_established


def test_more_callers_than_allowed_are_rejected(listening, lines):
    with (
        listening(limits=Limits(associations=1)) as port,
        calling(port) as first,
        calling(port) as second,
    ):
        assert first.is_established
        assert second.is_rejected
    assert lines == [
        f"{CALLER} at 127.0.0.1: association rejected: too many callers at once; --associations is 1"
    ]


@pytest.mark.parametrize(
    ("classes", "syntaxes", "reason"),
    [
        (["1.2.840.10008.5.1.4.1.1.2"], None, "CT Image Storage, a class that is not taken"),
        (
            ["1.2.840.10008.5.1.4.1.1.2", "1.2.3"],
            None,
            "CT Image Storage, a class that is not taken, and 1 more",
        ),
        (
            ["1.2.840.10008.5.1.4.1.1.2", OPHTHALMIC],
            ["1.2.840.10008.1.2.4.201"],  # High-Throughput JPEG 2000
            "Ophthalmic Photography 8 Bit Image Storage, in a transfer syntax that cannot be read, "
            "and 1 more",
        ),
    ],
)
def test_a_caller_that_can_store_nothing_is_noted_with_the_reason(
    listening, lines, classes, syntaxes, reason
):
    classes = [UID(uid) for uid in classes]
    with listening() as port, calling(port, classes=classes, syntaxes=syntaxes) as association:
        assert association.is_established  # for an echo
    assert lines == [f"{CALLER} at 127.0.0.1: nothing is taken of what it offers: {reason}"]


def test_only_classes_that_are_read_are_taken(listening, lines):
    computed_tomography, wide_field = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.77.1.5.5"
    classes = [UID(uid) for uid in (OPHTHALMIC, VL_PHOTOGRAPHIC, computed_tomography, wide_field)]
    with listening() as port, calling(port, classes=classes) as association:
        accepted = {context.abstract_syntax for context in association.accepted_contexts}
    assert accepted == {"1.2.840.10008.1.1", OPHTHALMIC, VL_PHOTOGRAPHIC}
    assert lines == []


def test_what_was_done_before_is_acknowledged_and_dropped(tmp_path, listening, lines):
    done = [(instance_uid(1), content_digest(image(1)))]
    with listening(done=done) as port, calling(port) as association:
        assert stored(association, image(1)) == (SUCCESS, "")
        assert queued(tmp_path) == []
        assert stored(association, image(1, PatientID="corrected")) == (SUCCESS, "")
    assert len(queued(tmp_path)) == 1
    assert [line.rpartition(": ")[2] for line in lines] == ["done before", "received"]


def test_a_full_queue_is_out_of_resources(tmp_path, listening, lines):
    with listening(objects=1) as port, calling(port) as association:
        stored(association, image(1))
        assert stored(association, image(2)) == (OUT_OF_RESOURCES, "1 object wait already")
        assert association.is_established
    assert len(queued(tmp_path)) == 1
    assert lines[-1] == f"{instance_uid(2)} from CAMERA at 127.0.0.1 refused: 1 object wait already"


def test_a_full_disk_is_out_of_resources(tmp_path, listening, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(0, 0, 1 << 20))
    with listening(min_free=1 << 20) as port, calling(port) as association:
        assert stored(association, image()) == (OUT_OF_RESOURCES, "the disk has only 0 MiB left")


def test_a_disk_that_fails_is_no_acknowledgement(tmp_path, listening, monkeypatch):
    def fail(path):
        raise OSError(28, "of the test")

    with listening() as port, calling(port) as association:
        monkeypatch.setattr("retinagan.runtime.node.inbox.synced", fail)
        assert stored(association, image()) == (
            OUT_OF_RESOURCES,
            "cannot be written to the disk (of the test)",
        )
    assert queued(tmp_path) == []


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OutputError("cannot use 'node.sqlite3'"), "cannot use 'node.sqlite3'"),
        (
            ZeroDivisionError("of the test"),
            "unexpected ZeroDivisionError: of the test (test_receiving.py, line ",
        ),
    ],
)
def test_a_fault_of_the_node_is_no_acknowledgement_and_is_said(tmp_path, lines, error, reason):
    def is_done(*known):
        raise error

    with (
        Inbox(tmp_path, 10, 0) as inbox,
        Receiver(inbox, is_done, NODE, (), Limits(), lines) as receiver,
        calling(receiver.listen("127.0.0.1", 0, Keys())) as association,
    ):
        status, comment = stored(association, image())
    assert status == OUT_OF_RESOURCES
    assert reason.startswith(comment) or comment.startswith(reason[:40])
    assert f" refused: {reason}" in lines[0]
    assert queued(tmp_path) == []


def test_an_object_that_is_too_large_is_out_of_resources(tmp_path, listening):
    limits = Limits(object_bytes=10_000)
    with listening(limits=limits) as port, calling(port) as association:
        assert stored(association, image()) == (OUT_OF_RESOURCES, "larger than 0 MiB")
    assert queued(tmp_path) == []


def test_an_object_that_is_far_too_large_ends_its_connection(tmp_path, listening):
    limits = Limits(object_bytes=10_000)
    with listening(limits=limits) as port:
        with calling(port) as association:
            assert stored(association, image(1, PixelData=bytes(3 << 20)))[0] is None
        with calling(port) as association:
            small = written(dicom_dataset(SOPInstanceUID=instance_uid(2)))
            assert stored(association, small)[0] == SUCCESS
    assert [path.stem for path in queued(tmp_path)] == [instance_uid(2)]


def test_many_images_in_one_association_are_no_excess(tmp_path, listening):
    limits = Limits(object_bytes=1 << 18)
    with listening(limits=limits) as port, calling(port) as association:
        for number in range(5):
            content = image(number, PixelData=bytes(250_000))
            assert stored(association, content)[0] == SUCCESS
    assert len(queued(tmp_path)) == 5


def test_own_results_are_refused(tmp_path, listening):
    with listening() as port, calling(port) as association:
        content = image(1, Manufacturer="Retina-GAN")
        assert stored(association, content) == (CANNOT_UNDERSTAND, "it is a result of Retina-GAN itself")
    assert queued(tmp_path) == []


@pytest.mark.parametrize(
    ("data", "status", "comment"),
    [
        (b"\x10\0\x10\0PN\0\0", NOT_ITS_CLASS, "its SOP Instance UID is missing, or not the one announced"),
        (
            b"\x08\0\x18\0UI\x04\x001.2\0",
            NOT_ITS_CLASS,
            "its SOP Instance UID is missing, or not the one announced",
        ),
        (b"\xfe\xff\x00\xe0\xff\xff\xff\xff" * 3000, CANNOT_UNDERSTAND, "its data set is damaged"),
    ],
)
def test_data_sets_that_are_none_are_refused(tmp_path, listening, monkeypatch, data, status, comment):
    monkeypatch.setattr(association_module, "encode", lambda *arguments: data)
    with listening() as port, calling(port) as association:
        assert stored(association, image()) == (status, comment)
        monkeypatch.undo()
        assert stored(association, image())[0] == SUCCESS


def test_a_uid_that_is_a_path_leads_nowhere(tmp_path, listening, monkeypatch):
    uid = pydicom.dcmread(pydicom.filebase.DicomBytesIO(image())).StudyInstanceUID.encode()

    def encode(*arguments) -> bytes:
        return real(*arguments).replace(uid, b".." + bytes(len(uid) - 2))

    real = association_module.encode
    monkeypatch.setattr(association_module, "encode", encode)
    with listening() as port, calling(port) as association:
        assert stored(association, image())[0] == SUCCESS
    (path,) = queued(tmp_path)
    assert path.parent.parent == tmp_path / "queue"
    assert path.parent.name.startswith("x")


def test_nothing_of_the_patient_is_said_or_in_a_name(tmp_path, listening, lines, caplog, capsys):
    limits = Limits(object_bytes=40_000)
    with listening(limits=limits) as port, calling(port) as association:
        stored(association, image(1))
        stored(association, image(2, Manufacturer="Retina-GAN"))
        stored(association, image(3, PixelData=bytes(60_000)))
    said = "\n".join([*lines, *map(str, tmp_path.rglob("*")), *capsys.readouterr()])
    assert not [part for part in PATIENT if part.lower() in said.lower()]


def test_after_the_end_calls_are_refused_and_open_ones_end(listening, lines):
    with listening() as port, calling(port) as association:
        assert association.is_established
        kept = port
    with calling(kept) as association:
        assert not association.is_established


def test_while_it_stops_objects_are_refused(tmp_path):
    with (
        Inbox(tmp_path, 10, 0) as inbox,
        Receiver(inbox, lambda *_: False, NODE, (), Limits(), Lines()) as receiver,
    ):
        port = receiver.listen("127.0.0.1", 0, Keys())
        with calling(port) as association:
            inbox.close()
            assert stored(association, image()) == (OUT_OF_RESOURCES, "this node is stopping")


def test_an_address_that_cannot_be_had_is_named(tmp_path, listening):
    with Inbox(tmp_path, 10, 0) as inbox, socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        receiver = Receiver(inbox, lambda *_: False, NODE, (), Limits(), Lines())
        with pytest.raises(
            OptionError, match=rf"^cannot listen at 127.0.0.1, port {port} \(.*\); choose another --h"
        ):
            receiver.listen("127.0.0.1", port, Keys())
        with pytest.raises(
            OptionError, match=r"^cannot listen at 192.0.2.1, port 0 \(.*\); choose another --host or"
        ):
            receiver.listen("192.0.2.1", 0, Keys())


def test_tls_with_certificates_on_both_sides(tmp_path, listening, lines, tmp_path_factory):
    keys = certificates(tmp_path_factory.mktemp("keys"))
    own = Keys(keys / "node.pem", keys / "node.key", keys / "ca.pem")
    caller = Keys(keys / "caller.pem", keys / "caller.key", keys / "ca.pem").for_sending()
    stranger = Keys(authorities=keys / "ca.pem").for_sending()
    with listening(keys=own) as port:
        with calling(port, tls_args=(caller, "127.0.0.1")) as association:
            assert stored(association, image(1))[0] == SUCCESS
            assert stored(association, image(2, PixelData=bytes(1 << 20)))[0] == SUCCESS
        with calling(port, tls_args=(stranger, "127.0.0.1")) as association:
            assert not association.is_established
        lines.wait_for("no TLS connection: it shows no certificate (PEER_DID_NOT_RETURN_A_CERTIFICATE)")
        with calling(port) as association:
            assert not association.is_established
    assert len(queued(tmp_path)) == 2
