import re
import signal
import subprocess
import sys

import pytest

from retinagan.runtime.console.signals import Stopped
from retinagan.runtime.errors import OptionError
from retinagan.train import commands

COMMANDS = {
    "retina-train": commands.main_train,
    "retina-eval": commands.main_evaluate,
    "retina-reproduce": commands.main_reproduce,
}


@pytest.mark.parametrize("command", COMMANDS)
def test_missing_packages_are_one_line(command, capsys, monkeypatch):
    for name in ("torch", "skimage"):
        monkeypatch.setitem(sys.modules, name, None)
    assert COMMANDS[command](["--help"]) == 2
    assert capsys.readouterr().err == (
        f'{command}: not installed: torch, skimage; type  pip install "retinagan[train]"\n'
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_with_all_packages_the_command_runs(command, capsys):
    assert COMMANDS[command](["--version"]) == 0
    assert capsys.readouterr().out.startswith(f"{command} ")


@pytest.mark.parametrize(
    ("command", "module", "work"),
    [
        ("retina-train", "loop", "train"),
        ("retina-eval", "scores", "evaluate"),
        ("retina-reproduce", "paper", "reproduce"),
    ],
)
@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OptionError("--seed -1: expected 0 or more"), 2),
        (ValueError("operands could not be broadcast together"), 70),
        (OSError("libcudart.so cannot be loaded"), 70),
        (Stopped(signal.SIGTERM), 143),
    ],
)
def test_what_users_got_wrong_is_one_line_and_a_defect_is_not(
    command, module, work, error, code, capsys, monkeypatch
):
    def fails(*arguments):
        raise error

    monkeypatch.setattr(f"retinagan.train.{module}.command.{work}", fails)
    words = {"retina-eval": ["maps", "--data", "there"]}.get(command, ["--data", "there"])
    assert COMMANDS[command](words) == code
    err = capsys.readouterr().err
    if code == 2:
        assert err == f"{command}: {error}\n"
    elif code == 70:
        assert err.startswith("Traceback (most recent call last):\n")
        assert f"{command}: unexpected {type(error).__name__}: {error} (test_commands.py, line " in err
    else:
        assert "Traceback" not in err


def test_only_the_tables_cannot_do_without_figures(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert commands.main_reproduce([]) == 2
    assert capsys.readouterr().err.startswith("retina-reproduce: not installed: matplotlib; type")


@pytest.mark.parametrize("main", ["main_train", "main_evaluate", "main_reproduce"])
def test_a_command_is_found_without_the_packages(main):
    code = (
        "import sys; sys.modules.update(dict.fromkeys(('torch', 'sklearn', 'skimage'), None))\n"
        f"from retinagan.train.commands import {main}; sys.exit({main}([]))"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert finished.returncode == 2
    assert "not installed: torch, sklearn, skimage" in finished.stderr
    assert "Traceback" not in finished.stderr


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [(["--help"], 0, "usage: {}"), (["in", "--data", "in", "--epochs=3"], 2, "{}: un.*: (in )?--epochs=3")],
)
def test_options_are_parsed_before_torch_is_imported(command, words, code, said):
    program = (
        "import sys\n"
        f"from retinagan.train.commands import {COMMANDS[command].__name__} as main\n"
        f"code = main({words})\n"
        "sys.exit('torch is imported' if 'torch' in sys.modules else code)"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert finished.returncode == code, finished.stderr
    assert re.match(said.format(command), finished.stdout if code == 0 else finished.stderr)
