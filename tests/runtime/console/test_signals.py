import os
import signal
import subprocess
import sys
import threading

import pytest

from retinagan.runtime.console.signals import (
    STOPPING,
    Stopped,
    StopSignal,
    exit_code,
    signals_held_back,
    signals_noted,
    signals_raised,
)


def send(number: int) -> None:
    os.kill(os.getpid(), number)


def handlers() -> list:
    return [signal.getsignal(number) for number in STOPPING]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_exit_codes_are_those_of_shells(number, code):
    assert exit_code(number) == code


@pytest.mark.parametrize("number", STOPPING)
def test_a_signal_is_raised_and_noted_and_handlers_are_put_back(number):
    before, stop = handlers(), StopSignal()
    with pytest.raises(Stopped, match=signal.Signals(number).name) as caught, signals_raised(stop):
        send(number)
    assert caught.value.number == stop.number == number
    assert handlers() == before


def test_a_loop_may_end_by_itself_after_a_signal():
    before = handlers()
    with signals_noted() as stop:
        assert stop.number is None
        send(signal.SIGHUP)
        assert stop.number == signal.SIGHUP
        with pytest.raises(Stopped) as caught:
            send(signal.SIGTERM)
    assert (caught.value.number, stop.number) == (signal.SIGTERM, signal.SIGHUP)
    assert handlers() == before


def test_the_first_signal_alone_is_reacted_to():
    reactions = []
    with signals_noted(lambda: reactions.append("stop")):
        send(signal.SIGTERM)
        assert reactions == ["stop"]
        with pytest.raises(Stopped):
            send(signal.SIGTERM)
    assert reactions == ["stop"]


def test_a_signal_waits_for_the_end_of_the_block():
    before, reached = handlers(), []

    def block():
        with signals_held_back() as interrupted:
            assert not interrupted()
            send(signal.SIGINT)
            assert interrupted()
            reached.append("the end")

    with pytest.raises(KeyboardInterrupt):
        block()
    assert reached == ["the end"]
    assert handlers() == before


def test_a_handler_of_the_programs_own_runs_at_the_end():
    order = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: order.append(signal.Signals(number).name))
    try:
        with signals_held_back() as interrupted:
            send(signal.SIGTERM)
            order.append(interrupted())
    finally:
        signal.signal(signal.SIGTERM, before)
    assert order == [True, "SIGTERM"]


def test_an_error_goes_before_a_signal_that_is_held_back():
    before = handlers()

    def block():
        with signals_held_back():
            send(signal.SIGINT)
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        block()
    assert handlers() == before


@pytest.mark.parametrize("way", ["signals_held_back()", "signals_raised(StopSignal())"])
def test_a_second_signal_kills_at_once(way):
    code = (
        "import os, signal\n"
        "from retinagan.runtime.console.signals import StopSignal, signals_held_back, signals_raised\n"
        f"with {way}:\n"
        "    try:\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "    except KeyboardInterrupt:\n"
        "        pass\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    print('still alive')\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (-signal.SIGINT, "")


def test_what_is_held_back_from_a_program_without_a_handler_ends_it_after_the_block():
    code = (
        "import os, signal\n"
        "from retinagan.runtime.console.signals import signals_held_back\n"
        "with signals_held_back():\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    print('the end', flush=True)\n"
        "print('still alive')\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (-signal.SIGTERM, "the end\n")


def test_an_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals_noted() as stop:
            send(signal.SIGHUP)
        assert stop.number is None
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("way", [signals_held_back, signals_noted, lambda: signals_raised(StopSignal())])
def test_another_thread_changes_no_handler(way):
    before, within = handlers(), []

    def work():
        with way():
            within.append(handlers())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert within == [before]
