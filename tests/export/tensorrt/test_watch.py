import pytest

from retinagan.export.tensorrt.watch import Phases, make_monitor


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
