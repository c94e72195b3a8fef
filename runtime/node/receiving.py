"""What the node answers its callers: C-ECHO, and C-STORE of images that it can segment."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset
from pydicom.pixels import get_decoder
from pydicom.uid import UID
from pynetdicom import AE, _config, evt
from pynetdicom.sop_class import Verification

from retinagan.runtime.dicom.mark import PRODUCT
from retinagan.runtime.errors import OptionError, RetinaGanError
from retinagan.runtime.faults import unexpected
from retinagan.runtime.images.dicom.classes import READ, as_uid, class_name
from retinagan.runtime.images.dicom.elements import Elements
from retinagan.runtime.node.inbox import Full, Inbox, content_digest, file_name
from retinagan.runtime.node.peers import Keys
from retinagan.runtime.node.transport import HANDSHAKE_BYTES, BoundedServer

SUCCESS, OUT_OF_RESOURCES, NOT_ITS_CLASS, CANNOT_UNDERSTAND = 0x0000, 0xA700, 0xA900, 0xC000
"""The answers to C-STORE (PS3.4, table B.2-1)."""

_TRANSFER_SYNTAXES = (
    "1.2.840.10008.1.2.1",  # explicit VR, which keeps the type of private elements
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.51",
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.91",
    "1.2.840.10008.1.2.5",
)
"""Those that can always be read, in the order in which one is chosen from several that a caller offers."""

_BY_GDCM = (
    "1.2.840.10008.1.2.4.57",
    "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.4.81",
)
_CLASS, _INSTANCE, _MANUFACTURER, _STUDY = 0x00080016, 0x00080018, 0x00080070, 0x0020000D
_WANTED = {_CLASS: "UI", _INSTANCE: "UI", _MANUFACTURER: "LO", _STUDY: "UI"}
_LONGEST_COMMENT = 64  # characters of Error Comment
_PATIENCE = 30.0  # seconds without a byte in the middle of a message


@dataclass(frozen=True)
class Limits:
    """What callers may cost.

    Attributes
    ----------
    object_bytes : int
        Size of the largest object.
    objects : int
        How many may wait.
    free_bytes : int
        Bytes that stay free on the disk.
    associations : int
        How many callers at once.
    pdu_bytes : int
        Length of the longest protocol data unit that callers are told to send.
    """

    object_bytes: int = 256 << 20
    objects: int = 1000
    free_bytes: int = 1 << 30
    associations: int = 8
    pdu_bytes: int = 1 << 17


class Refused(Exception):
    """An object is not taken: a status of C-STORE, and why, in 64 characters at most."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Receiver:
    """Listens for callers, and puts what they send into the queue; a context manager.

    An object is acknowledged when it is on the disk, and not before. One that was done already, of the same
    content and with the same settings, is acknowledged and dropped.

    Parameters
    ----------
    inbox : Inbox
        The queue, entered.
    is_done : callable
        Tells by instance and digest whether an object was done already.
    title : str
        This node's AE title; callers must call it by that.
    callers : sequence of str
        AE titles of those who may call; any if it is empty.
    limits : Limits
        What callers may cost.
    note : callable
        Gets lines for the log. No line holds an attribute of an object but UIDs.
    """

    def __init__(
        self,
        inbox: Inbox,
        is_done: Callable[[str, str], bool],
        title: str,
        callers: Sequence[str],
        limits: Limits,
        note: Callable[[str], None],
    ) -> None:
        _config.LOG_HANDLER_LEVEL = "none"  # its log of each message takes time, and nobody reads it
        self._inbox = inbox
        self._is_done = is_done
        self._limits = limits
        self._note = note
        self._server: BoundedServer | None = None
        self._entity = AE(ae_title=title)
        self._entity.require_called_aet = True
        self._entity.require_calling_aet = list(callers)
        self._entity.maximum_associations = limits.associations
        self._entity.maximum_pdu_size = limits.pdu_bytes
        self._entity.add_supported_context(Verification)
        for uid in READ:
            self._entity.add_supported_context(uid, transfer_syntaxes())

    def __enter__(self) -> Receiver:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close(0.0)

    def listen(self, host: str, port: int, keys: Keys) -> int:
        """Listen in threads; return the port.

        Parameters
        ----------
        host : str
            Address of this machine.
        port : int
            0 takes a free one.
        keys : Keys
            For TLS, if they hold a certificate.

        Raises
        ------
        OptionError
            If the address is not this machine's, or the port is taken.
        """
        handlers = [
            (evt.EVT_ACCEPTED, self._accepted),
            (evt.EVT_REJECTED, self._rejected),
            (evt.EVT_C_ECHO, self._echo),
            (evt.EVT_C_STORE, self._store),
        ]
        context = keys.for_serving()
        try:
            self._server = self._entity.make_server(
                (host, port),
                ssl_context=context,
                evt_handlers=handlers,
                server_class=BoundedServer,
                patience=_PATIENCE,
                note=self._note,
            )
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise OptionError(
                f"cannot listen at {host}, port {port} ({reason}); choose another --host or --port"
            ) from None
        threading.Thread(target=self._server.serve_forever, name="retina-node-listen", daemon=True).start()
        return int(self._server.server_address[1])

    def close(self, patience: float = 5.0) -> None:
        """Accept no more calls and objects; end the calls that do not end within `patience` seconds."""
        self._inbox.close()
        server, self._server = self._server, None
        if server is None:
            return
        server.shutdown()
        latest = time.monotonic() + patience
        while server.active_associations and time.monotonic() < latest:
            time.sleep(0.05)
        server.end_associations()

    def _accepted(self, event: Any) -> None:
        self._allow_next(event)
        self._note_what_is_not_taken(event)

    def _note_what_is_not_taken(self, event: Any) -> None:
        """Say why a caller can store nothing: it gets no status with a reason, since it sends no object."""
        rejected = [str(context.abstract_syntax) for context in event.assoc.rejected_contexts]
        accepted = {str(context.abstract_syntax) for context in event.assoc.accepted_contexts}
        if not rejected or accepted - {str(Verification)}:
            return
        known = [uid for uid in rejected if uid in READ]
        name = class_name(as_uid((known or rejected)[0].encode("ascii", "replace")))
        reason = "in a transfer syntax that cannot be read" if known else "a class that is not taken"
        others = f", and {len(rejected) - 1} more" if len(rejected) > 1 else ""
        self._note(f"{_caller(event)}: nothing is taken of what it offers: {name}, {reason}{others}")

    def _rejected(self, event: Any) -> None:
        self._note(f"{_caller(event)}: association rejected: {self._why_rejected(event)}")

    def _why_rejected(self, event: Any) -> str:
        """Return the reason: what pynetdicom checks, since its event does not have it."""
        requestor = event.assoc.requestor
        called = str(requestor.primitive.called_ae_title).strip()
        if called != self._entity.ae_title:
            return f"it calls {called!r}, and this node is {self._entity.ae_title!r} (--aet)"
        callers = self._entity.require_calling_aet
        if callers and str(requestor.ae_title).strip() not in callers:
            return "its AE title is not one of --allow"
        return f"too many callers at once; --associations is {self._limits.associations}"

    def _echo(self, event: Any) -> int:
        self._allow_next(event)
        return SUCCESS

    def _allow_next(self, event: Any) -> None:
        """Let a caller send one more message; what it sends beyond that ends its connection."""
        connection = event.assoc.dul.socket.socket
        if connection is not None:
            connection.budget = self._limits.object_bytes + HANDSHAKE_BYTES

    def _store(self, event: Any) -> Dataset:
        self._allow_next(event)
        asked = as_uid(str(event.request.AffectedSOPInstanceUID or "").encode("ascii", "replace"))
        answer = Dataset()
        answer.Status = SUCCESS
        try:
            self._take(event, asked)
        except Refused as refused:
            reason, answer.Status = str(refused), refused.status
        except RetinaGanError as error:  # of the ledger
            reason, answer.Status = str(error), OUT_OF_RESOURCES
        except Exception as error:  # a defect is the node's, and not in silence
            reason, answer.Status = f"{unexpected(error)}; please report it", OUT_OF_RESOURCES
        if answer.Status != SUCCESS:
            answer.ErrorComment = reason[:_LONGEST_COMMENT]
            self._note(f"{asked or 'an object'} from {_caller(event)} refused: {reason}")
        return answer

    def _take(self, event: Any, asked: str) -> None:
        if event.request.DataSet is None:
            raise Refused(CANNOT_UNDERSTAND, "it has no data set")
        content = event.encoded_dataset()
        if len(content) > self._limits.object_bytes:
            most = self._limits.object_bytes >> 20
            raise Refused(OUT_OF_RESOURCES, f"larger than {most} MiB")
        study, instance = self._identified(content, asked)
        digest = content_digest(content)
        if self._is_done(file_name(instance), digest):
            self._note(f"{instance} from {_caller(event)}: done before")
            return
        try:
            self._inbox.check_room(len(content))
            self._inbox.put(content, digest, study, instance)
        except Full as full:
            raise Refused(OUT_OF_RESOURCES, str(full)) from None
        except OSError as error:
            raise Refused(OUT_OF_RESOURCES, f"cannot be written to the disk ({error.strerror})") from None
        self._note(f"{instance} from {_caller(event)}: received")

    def _identified(self, content: bytes, asked: str) -> tuple[str, str]:
        """Return the Study and SOP Instance UIDs of an object that may be segmented."""
        try:
            elements = Elements(content, _WANTED, 2 * self._limits.object_bytes)
            instance, study = (as_uid(elements.raw(tag)) for tag in (_INSTANCE, _STUDY))
            maker = elements.words(_MANUFACTURER)[0]
        except Exception:  # of damaged data sets pydicom raises errors of any kind, with what stands in them
            raise Refused(CANNOT_UNDERSTAND, "its data set is damaged") from None
        if not instance or instance != asked:
            raise Refused(NOT_ITS_CLASS, "its SOP Instance UID is missing, or not the one announced")
        if maker == PRODUCT:
            raise Refused(CANNOT_UNDERSTAND, f"it is a result of {PRODUCT} itself")
        return study, instance


def transfer_syntaxes() -> list[str]:
    """Return the transfer syntaxes in which images can be read here; more with python-gdcm."""
    more = [uid for uid in _BY_GDCM if "gdcm" in get_decoder(UID(uid)).available_plugins]
    return [*_TRANSFER_SYNTAXES, *more]


def _caller(event: Any) -> str:
    requestor = event.assoc.requestor
    return f"{str(requestor.ae_title).strip()} at {requestor.address}"
