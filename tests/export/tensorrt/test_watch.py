import os
import signal
import subprocess
import sys

import pytest

from retinagan.export.tensorrt.watch import Phases, interrupts_deferred, make_monitor


def test_the_share_of_phases_that_lie_in_one_another():
    phases = Phases()
    phases.start("build", None, 4)
    phases.step("build", 0)
    phases.start("tactics", "build", 10)
    assert phases.share("tactics") == pytest.approx(0.25)
    phases.step("tactics", 4)
    assert phases.share("tactics") == pytest.approx(0.25 + 0.5 / 4)
    phases.finish("tactics")
    assert phases.share("build") == pytest.approx(0.375)  # it never falls
    phases.step("build", 3)
    assert phases.share("build") == 1.0


def test_phases_of_no_steps_or_unknown():
    phases = Phases()
    phases.start("empty", None, 0)
    phases.step("empty", 0)
    assert phases.share("empty") == 1.0
    phases.finish("never started")
    assert Phases().share("never started") == 0.0


def test_a_monitor_says_stop_after_ctrl_c():
    stop = []
    monitor = make_monitor(object, None, lambda: bool(stop))
    monitor.phase_start("build", None, 2)
    assert monitor.step_complete("build", 0) is True
    stop.append(True)
    assert monitor.step_complete("build", 1) is False
    assert monitor.error is None


def test_ctrl_c_waits_for_the_end_of_the_block():
    before, reached = signal.getsignal(signal.SIGINT), []

    def interrupted_block():
        with interrupts_deferred() as interrupted:
            assert not interrupted()
            os.kill(os.getpid(), signal.SIGINT)
            assert interrupted()
            reached.append("the end")

    with pytest.raises(KeyboardInterrupt):
        interrupted_block()
    assert reached == ["the end"]
    assert signal.getsignal(signal.SIGINT) is before


def test_a_handler_of_the_programs_own_runs_at_the_end():
    order = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: order.append(signal.Signals(number).name))
    try:
        with interrupts_deferred() as interrupted:
            os.kill(os.getpid(), signal.SIGTERM)
            order.append(interrupted())
    finally:
        signal.signal(signal.SIGTERM, before)
    assert order == [True, "SIGTERM"]


def test_an_error_goes_before_ctrl_c():
    before = signal.getsignal(signal.SIGINT)

    def failing_block():
        with interrupts_deferred():
            os.kill(os.getpid(), signal.SIGINT)
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        failing_block()
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_ctrl_c_kills_at_once():
    code = (
        "import os, signal\n"
        "from retinagan.export.tensorrt.watch import interrupts_deferred\n"
        "with interrupts_deferred():\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    print('still alive')\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (-signal.SIGINT, "")
