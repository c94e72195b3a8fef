"""Send results to an archive by C-STORE, again and again until it has them."""

from __future__ import annotations

import math
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pynetdicom import AE, _config, build_context

from retinagan.runtime.console.wording import counted, spoken
from retinagan.runtime.errors import RetinaGanError
from retinagan.runtime.faults import unexpected
from retinagan.runtime.images.dicom.classes import HEAD_BYTES, as_uid, class_name, file_meta
from retinagan.runtime.node.ledger import Ledger, Outgoing
from retinagan.runtime.node.peers import Peer

LONGEST_PAUSE, LONGEST_PAUSE_OF_ONE = 300.0, 3600.0
"""Most seconds between two tries: of an archive that cannot be reached, and of a result that it refuses."""

_FIRST_PAUSE = 1.0  # twice as long after each try
_AT_ONCE = 100  # results in one association
_STORED = (0x0000, 0xB000, 0xB006, 0xB007)  # with the warnings of PS3.4, table B.2-1
_CLASS, _SYNTAX = 0x0002, 0x0010  # of the File Meta Information


class Unreachable(Exception):
    """The archive does not answer, or not as it should."""


class _Form(NamedTuple):
    """What must be agreed on before a file is sent: its class and its transfer syntax."""

    sop_class: str
    transfer_syntax: str


@dataclass
class _Postponed:
    """A result that was refused `tries` times, and is tried again at `due`."""

    tries: int
    due: float


class Sender:
    """Sends results in a thread of its own; a context manager.

    Parameters
    ----------
    ledger : Ledger
        Knows what is to be sent, and is told what was.
    folder : Path
        The folder in which the results' paths begin.
    peer : Peer
        The archive.
    title : str
        This node's AE title.
    tls : ssl.SSLContext or None
        How connections are encrypted, if they are.
    note : callable
        Gets lines for the log.
    clock : callable
        Gives the time in seconds.
    """

    def __init__(
        self,
        ledger: Ledger,
        folder: Path,
        peer: Peer,
        title: str,
        tls: ssl.SSLContext | None,
        note: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        _config.STORE_SEND_CHUNKED_DATASET = True  # files are sent as they are, a part at a time
        self._ledger = ledger
        self._folder = folder
        self._peer = peer
        self._tls = tls
        self._note = note
        self._clock = clock
        self._entity = AE(ae_title=title)
        self._entity.connection_timeout = 10
        self._failures = 0
        self._postponed: dict[int, _Postponed] = {}
        self._changed = threading.Condition()
        self._woken = False
        self._stopped = False
        self._association: Any = None
        self._thread = threading.Thread(target=self._run, name="retina-node-send", daemon=True)

    def __enter__(self) -> Sender:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def wake(self) -> None:
        """Have new results sent."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def close(self, patience: float = 10.0) -> None:
        """Finish what is being sent, within `patience` seconds; the rest is sent next time."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._thread.join(patience)
        if self._thread.is_alive() and (association := self._association) is not None:
            association.abort()
            self._thread.join(patience)

    def send_due(self) -> float:
        """Send what is due; return the seconds until something is again, 0 for at once."""
        now = self._clock()
        due = self._ledger.outgoing(_AT_ONCE, keep=lambda result: self._is_due(result, now))
        if not due:
            return min((one.due for one in self._postponed.values()), default=math.inf) - now
        try:
            self._send(due)
        except (Unreachable, OSError) as error:
            pause = _pause(self._failures, LONGEST_PAUSE)
            self._failures += 1
            self._note(
                f"{self._peer}: {error}; {counted(self._ledger.count_outgoing(), 'result')} to send, "
                f"next try in {spoken(pause)}"
            )
            return pause
        self._failures = 0
        return 0.0

    def _run(self) -> None:
        pause = 0.0
        while not self._stopped_after(pause):
            try:
                pause = self.send_due()
            except RetinaGanError as error:  # of the ledger: the disk may be full for a while
                pause = LONGEST_PAUSE
                self._note(str(error))
            except Exception as error:  # a defect must not end the sending in silence
                pause = LONGEST_PAUSE
                self._note(f"{unexpected(error)}; please report it")

    def _stopped_after(self, pause: float) -> bool:
        """Wait, unless there is more to send to an archive that can be reached; return whether to end."""
        timeout = None if math.isinf(pause) else max(0.0, pause)
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or (self._woken and not self._failures), timeout)
            self._woken = False
            return self._stopped

    def _is_due(self, result: Outgoing, now: float) -> bool:
        postponed = self._postponed.get(result.number)
        return postponed is None or postponed.due <= now

    def _send(self, results: Sequence[Outgoing]) -> None:
        """Send results in one association.

        Raises
        ------
        Unreachable
            If there is none, or it is lost.
        """
        forms = {result: form for result in results if (form := self._form(result)) is not None}
        if not forms:
            return
        association = self._associated(set(forms.values()))
        try:
            accepted = {
                _Form(one.abstract_syntax, one.transfer_syntax[0]) for one in association.accepted_contexts
            }
            for result, form in forms.items():
                if self._stopped:
                    break
                if form in accepted:
                    self._store(association, result)
                else:
                    name = class_name(form.sop_class)
                    self._postpone(result, f"the archive does not take {name} in this encoding")
        finally:
            self._association = None
            if association.is_established:
                association.release()

    def _associated(self, forms: set[_Form]) -> Any:
        contexts = [build_context(form.sop_class, form.transfer_syntax) for form in sorted(forms)]
        try:
            association = self._entity.associate(
                self._peer.host,
                self._peer.port,
                contexts=contexts,
                ae_title=self._peer.title,
                tls_args=None if self._tls is None else (self._tls, self._peer.host),
            )
        except (RuntimeError, OSError) as error:
            raise Unreachable(f"cannot be reached ({getattr(error, 'strerror', None) or error})") from None
        if association.is_established:
            self._association = association
            return association
        if association.is_rejected:
            raise Unreachable("rejects associations; check the AE titles on both sides")
        raise Unreachable("cannot be reached, or does not speak DICOM")

    def _store(self, association: Any, result: Outgoing) -> None:
        try:
            answer = association.send_c_store(self._folder / result.path)
        except RuntimeError:
            raise Unreachable("the connection was lost") from None
        except (OSError, AttributeError, ValueError) as error:
            self._postpone(result, f"the file cannot be sent ({getattr(error, 'strerror', None) or error})")
            return
        status = answer.get("Status")
        if status is None:
            raise Unreachable("the connection was lost")
        if status not in _STORED:
            self._postpone(result, f"refused, status {status:04X}{_comment(answer)}")
            return
        self._ledger.record_sent(result)
        self._postponed.pop(result.number, None)
        warned = f", with the warning {status:04X}{_comment(answer)}" if status else ""
        self._note(f"{result.path}: sent to {self._peer.title}{warned}")

    def _form(self, result: Outgoing) -> _Form | None:
        """Return what a file is; None, and try it later, if it cannot be read."""
        try:
            with (self._folder / result.path).open("rb") as file:
                meta, _ = file_meta(file.read(HEAD_BYTES))
        except OSError as error:
            self._postpone(result, f"the file cannot be read ({error.strerror})")
            return None
        form = _Form(as_uid(meta.get(_CLASS, b"")), as_uid(meta.get(_SYNTAX, b"")))
        if all(form):
            return form
        self._postpone(result, "the file is damaged")
        return None

    def _postpone(self, result: Outgoing, reason: str) -> None:
        known = self._postponed.get(result.number)
        pause = _pause(known.tries if known else 0, LONGEST_PAUSE_OF_ONE)
        self._postponed[result.number] = _Postponed(known.tries + 1 if known else 1, self._clock() + pause)
        self._note(f"{result.path}: not sent to {self._peer.title}: {reason}; next try in {spoken(pause)}")


def _pause(failures: int, longest: float) -> float:
    return min(_FIRST_PAUSE * 2.0 ** min(failures, 30), longest)


def _comment(answer: Any) -> str:
    text = str(answer.get("ErrorComment") or "").strip()
    return f" ({text})" if text else ""
