import shlex
import subprocess
import sys

import pytest
from tiny_model import write_tiny_model

from retinagan.runtime import __version__
from retinagan.runtime.batch.pictures import objects_among
from retinagan.runtime.node.cli import _parsed, main


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    return str(write_tiny_model(tmp_path_factory.mktemp("model")))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--aet", "x" * 17], f"--aet: got '{'x' * 17}'; expected an AE title: 1 to 16 printable ASCII"),
        (["--allow", "A", "B\\C"], "--allow: got 'B\\\\C'; expected an AE title"),
        (
            ["--send", "archive"],
            "--send: got 'archive'; expected AET@HOST:PORT, such as ARCHIVE@10.0.0.5:104",
        ),
        (
            ["--host", "0.0.0.0"],
            "--host 0.0.0.0 lets other machines call: name their AE titles by --allow, or give --allow-any",
        ),
        (["--allow", "A", "--allow-any"], "--allow and --allow-any exclude each other; give one of them"),
        (["--send-tls"], "--send-tls needs --send AET@HOST:PORT"),
        (["--tls-key", "k"], "--tls-key needs --tls-cert"),
        (["--tls-ca", "k"], "--tls-ca needs --tls-cert or --send-tls"),
        (["--out", "s4://maps"], "argument --out: no such kind of URL: 's4://maps'; expected s3://"),
        (["--port", "65536"], "--port: got 65536; expected 0 to 65535"),
        (["--max-object", "0"], "--max-object: got 0; expected 1 to 2048"),
        (["--queue", "0"], "--queue: got 0; expected 1 to 1000000"),
        (["--min-free", "-1"], "--min-free: got -1; expected 0 to "),
        (["--associations", "0"], "--associations: got 0; expected 1 to 1000"),
        (["--pdu", "100"], "--pdu: got 100; expected 4096 to 1048576"),
        (["--save", "everything"], "argument --save: got 'everything'; expected vessels, "),
        (["--save", "overlay", "cli.py*"], "argument --save: got 'cli.py*'; expected kinds of results alone"),
        (["scans"], "unrecognized arguments: scans; see retina-node --help"),
        (["--model", "best"], '"best" is neither a model file nor a bundled model; bundled models:'),
        (
            ["--tls-cert", "absent.pem"],
            "--tls-cert absent.pem: No such file or directory; exp",
        ),
        (["--send", "A@h:1", "--send-tls", "--tls-ca", "absent.pem"], "--tls-ca absent.pem: No such file or"),
    ],
)
def test_what_cannot_run_is_said_in_one_line(tmp_path, monkeypatch, model, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    if "--model" not in arguments:
        arguments = [*arguments, "--model", model]
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.splitlines()
    assert line.startswith(f"retina-node: {message}")


@pytest.mark.parametrize("missing", ["pydicom", "pynetdicom"])
def test_a_missing_package_is_named_with_what_installs_it(tmp_path, monkeypatch, model, capsys, missing):
    monkeypatch.chdir(tmp_path)
    for name in [name for name in sys.modules if name.startswith("retinagan.runtime.node.")]:
        monkeypatch.delitem(sys.modules, name)
    for name in [name for name in sys.modules if name.partition(".")[0] == missing]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, missing, None)
    from retinagan.runtime.node import cli

    assert cli.main(["--model", model]) == 2
    assert capsys.readouterr().err.endswith('is not installed; type  pip install "retinagan[node]"\n')
    assert list(tmp_path.iterdir()) == []


def test_an_archive_gets_dicom_results_unless_others_are_named():
    assert objects_among(_parsed(["--send", "A@host:104"]).kinds) == ("dicom-seg", "dicom-overlay")
    assert objects_among(_parsed(["--send", "A@host:104", "--save", "dicom-seg"]).kinds) == ("dicom-seg",)
    assert objects_among(_parsed([]).kinds) == ()


def test_other_machines_may_call_if_they_are_named_or_anyone_is_welcome():
    assert _parsed(["--host", "0.0.0.0", "--allow", " CAMERA ", "OTHER"]).allow == ["CAMERA", "OTHER"]
    assert _parsed(["--host", "0.0.0.0", "--allow-any"]).allow == []


def test_help_fits_a_terminal_and_names_every_option(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for name in (
        "out",
        "aet",
        "host",
        "port",
        "allow",
        "send",
        "tls-cert",
        "save",
        "model",
        "queue",
        "quiet",
    ):
        assert f"--{name}" in text
    assert max(map(len, text.splitlines())) <= 80


def test_the_examples_in_the_help_are_commands(capsys):
    main(["--help"])
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    examples = [shlex.split(line) for line in lines if line.startswith("retina-node ")]
    assert len(examples) == 2
    assert [_parsed(example[1:]).out for example in examples] == ["maps", "out"]


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_version_and_help_answer_without_heavy_packages(option):
    code = (
        "import sys; from retinagan.runtime.node.cli import main; code = main(sys.argv[1:]); "
        "heavy = {'cv2', 'onnxruntime', 'numpy', 'PIL', 'pydicom', 'pynetdicom'} & set(sys.modules); "
        "sys.exit(f'imported: {heavy}' if heavy else code)"
    )
    process = subprocess.run(
        [sys.executable, "-c", code, option], capture_output=True, text=True, check=False
    )
    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout.startswith(f"retina-node {__version__}" if option == "--version" else "usage: ")
