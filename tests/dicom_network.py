"""Callers and archives for tests of the DICOM node, by pynetdicom; and certificates for TLS."""

import shutil
import subprocess
import threading
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from dicom_files import dicom_file
from drawn_retina import drawn_retina
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, build_context, evt
from pynetdicom.sop_class import Verification

CALLER, NODE = "CAMERA", "RETINA"
PATIENCE = 60.0  # seconds after which a test that waits has failed


def instance_uid(name: object) -> str:
    return generate_uid(entropy_srcs=[f"instance {name}"])


def image(name: object = 1, **attributes) -> bytes:
    """Return the file of a drawn eye; its name sets its SOP Instance UID."""
    attributes.setdefault("SOPInstanceUID", instance_uid(name))
    return dicom_file(drawn_retina(60, 66)[0], **attributes)


@contextmanager
def calling(port: int, *, aet=CALLER, called=NODE, syntaxes=None, classes=(), tls_args=None):
    """Open an association with the node; end it at the end of the block if it still is."""
    entity = AE(ae_title=aet)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = PATIENCE
    contexts = [build_context(Verification)]
    contexts += [build_context(uid, syntaxes) for uid in classes or (pydicom.uid.UID(OPHTHALMIC),)]
    association = entity.associate("127.0.0.1", port, contexts=contexts, ae_title=called, tls_args=tls_args)
    try:
        yield association
    finally:
        if association.is_established:
            association.release()


OPHTHALMIC = "1.2.840.10008.5.1.4.1.1.77.1.5.1"


def stored(association, content: bytes, **command) -> tuple[int | None, str]:
    """Send a file; return the status and the comment of the answer, None if the connection is lost."""
    data = pydicom.dcmread(BytesIO(content))
    for keyword, value in command.items():
        setattr(data, keyword, value)
    answer = association.send_c_store(data)
    return answer.get("Status"), answer.get("ErrorComment", "")


class Archive:
    """An archive that keeps the UIDs of what it gets; `answers` are the statuses of its next answers."""

    def __init__(self, *, classes, syntaxes=None, title="ARCHIVE", tls=None, port=0) -> None:
        self.received: list[str] = []
        self.answers: list[int] = []
        self.lost = False  # whether it goes away instead of an answer
        entity = AE(ae_title=title)
        entity.require_called_aet = True
        for uid in classes:
            entity.add_supported_context(uid, syntaxes)
        self.server = entity.start_server(
            ("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, self._store)], ssl_context=tls
        )
        self.port = self.server.server_address[1]

    def _store(self, event) -> Dataset:
        if self.lost:
            event.assoc.abort()
            return 0xC000
        answer = Dataset()
        answer.Status = self.answers.pop(0) if self.answers else 0x0000
        if answer.Status:
            answer.ErrorComment = "as the test wants it"
        if answer.Status in (0x0000, 0xB000):
            self.received.append(str(event.request.AffectedSOPInstanceUID))
        return answer

    def close(self) -> None:
        for association in self.server.active_associations:
            association.abort()
        self.server.shutdown()


class Lines(list):
    """A log in memory, from any thread."""

    def __init__(self) -> None:
        self._more = threading.Condition()

    def __call__(self, line: str) -> None:
        with self._more:
            self.append(line)
            self._more.notify_all()

    def wait_for(self, text: str) -> None:
        """Wait until a line holds a text."""
        with self._more:
            assert self._more.wait_for(lambda: any(text in line for line in self), PATIENCE), list(self)


def certificates(folder: Path) -> Path:
    """Make an authority, and certificates of ``node`` and ``caller`` for 127.0.0.1; return their folder."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    new = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    ends = ("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
    openssl(
        *new,
        "-x509",
        "-days",
        "2",
        "-subj",
        "/CN=Drawn authority",
        *ends,
        "-keyout",
        "ca.key",
        "-out",
        "ca.pem",
    )
    (folder / "extensions").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    for name in ("node", "caller"):
        openssl(*new, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        signed = ("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "2")
        openssl(*signed, "-CAcreateserial", "-extfile", "extensions", "-out", f"{name}.pem")
    return folder
