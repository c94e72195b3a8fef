import stat
import subprocess
import sys

import pytest
from tiny_model import write_tiny_model

from retinagan.runtime import OptionError, __version__
from retinagan.runtime.serve.cli import main, read_token


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    return str(write_tiny_model(tmp_path_factory.mktemp("model")))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "70000"], "--port: got 70000; expected 0 to 65535"),
        (["--port", "x"], "argument --port: invalid int value: 'x'; see retina-serve --help"),
        (["--workers", "0"], "--workers: got 0; expected 1 to 64"),
        (["--queue", "-1"], "--queue: got -1; expected 0 to 1000"),
        (["--max-request", "nan"], "--max-request: got nan; expected 0.001 to 4096"),
        (["--max-megapixels", "1000"], "--max-megapixels: got 1000; expected 0.001 to 100"),
        (["--stop-seconds", "0"], "--stop-seconds: got 0; expected 1 to 3600"),
        (["--upload-seconds", "0"], "--upload-seconds: got 0; expected 1 to 3600"),
        (["scan.jpg"], "unrecognized arguments: scan.jpg; see retina-serve --help"),
    ],
)
def test_options_out_of_range(arguments, message, capsys):
    assert main(arguments) == 2
    assert capsys.readouterr().err == f"retina-serve: {message}\n"


def test_a_model_that_is_not_there(capsys):
    pytest.importorskip("fastapi")
    assert main(["--model", "none.onnx", "--port", "0"]) == 2
    assert '"none.onnx" is neither a model file nor a bundled model' in capsys.readouterr().err


def test_the_token_is_the_word_in_a_file(tmp_path):
    file = tmp_path / "token"
    file.write_text("s3cret\n")
    assert read_token(file) == "s3cret"


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"two words", "geheimnisträger".encode(), b"a\x00b", b"\xff"]
)
def test_what_is_no_token(tmp_path, content):
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(
        OptionError, match="expected one word of printable ASCII; make one by  openssl rand -hex 32"
    ):
        read_token(file)


def test_a_token_file_that_is_not_there(tmp_path):
    with pytest.raises(
        OptionError, match=r"--token-file .*none: No such file or directory; expected a file with"
    ):
        read_token(tmp_path / "none")


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_version_and_help_answer_without_what_is_heavy(option):
    code = (
        "import sys; from retinagan.runtime.serve.cli import main; code = main(sys.argv[1:]); "
        "heavy = {'cv2', 'onnxruntime', 'fastapi', 'uvicorn', 'numpy'} & set(sys.modules); "
        "sys.exit(f'imported: {heavy}' if heavy else code)"
    )
    process = subprocess.run(
        [sys.executable, "-c", code, option], capture_output=True, text=True, check=False
    )
    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout.startswith(f"retina-serve {__version__}" if option == "--version" else "usage: ")


@pytest.mark.parametrize("missing", ["fastapi", "uvicorn", "prometheus_client"])
def test_a_missing_package_is_named_with_its_extra(missing):
    pytest.importorskip("fastapi")
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from retinagan.runtime.serve.cli import main; sys.exit(main([]))"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    message = f'retina-serve: {missing} is not installed; type  pip install "retinagan[serve]"\n'
    assert (process.returncode, process.stderr) == (2, message)


@pytest.fixture
def served(monkeypatch):
    """What the command would serve, in place of serving it; returns how many requests were not answered."""
    pytest.importorskip("fastapi")
    from retinagan.runtime.serve import server

    seen = {"unanswered": 0}

    def serve(service, bound, stop_seconds, started):
        started()
        seen.update(service=service, address=bound.getsockname(), stop_seconds=stop_seconds)
        return seen["unanswered"]

    monkeypatch.setattr(server, "serve", serve)
    return seen


def test_what_is_served_by_default(model, served, capsys):
    assert main(["--model", model, "--port", "0"]) == 0
    host, port = served["address"]
    assert (host, served["stop_seconds"]) == ("127.0.0.1", 25)
    options = served["service"].options
    assert (options.workers, options.queue, options.token) == (2, 8, None)
    assert (options.max_request, options.max_pixels) == (64 << 20, 50_000_000)
    said = capsys.readouterr()
    first, second = said.out.splitlines()
    assert first.startswith("retina-serve: model tiny on ")
    assert second == f"retina-serve: http://127.0.0.1:{port} (Ctrl-C stops)"
    assert said.err == ""


def test_every_option_arrives(model, served, tmp_path):
    token = tmp_path / "token"
    token.write_text("s3cret")
    token.chmod(stat.S_IRUSR)
    arguments = (
        f"--model {model} --engine onnxruntime --device cpu --threads 1 --field-of-view 30 --threshold 0.25 "
        f"--port 0 --token-file {token} --workers 3 --queue 0 --max-request 0.5 --max-megapixels 2.5 "
        "--upload-seconds 7 --stop-seconds 9"
    )
    assert main(arguments.split()) == 0
    options = served["service"].options
    assert (options.workers, options.queue, options.upload_seconds) == (3, 0, 7)
    assert (options.max_request, options.max_pixels, options.token) == (1 << 19, 2_500_000, "s3cret")
    assert served["stop_seconds"] == 9
    handler = served["service"].handler
    assert handler.segmenter.spec.threshold == 0.25
    assert "ONNX Runtime" in handler.segmenter.engine


def test_an_open_server_without_a_token_is_warned_of(model, served, tmp_path, capsys):
    assert main(["--model", model, "--port", "0", "--host", "0.0.0.0"]) == 0
    assert capsys.readouterr().err == (
        "retina-serve: warning: all who reach 0.0.0.0 may use this server; ask for a token by --token-file\n"
    )
    (tmp_path / "token").write_text("s3cret")
    token = str(tmp_path / "token")
    assert main(["--model", model, "--port", "0", "--host", "0.0.0.0", "--token-file", token]) == 0
    assert capsys.readouterr().err == ""


def test_requests_that_were_not_answered_are_told(model, served, capsys):
    served["unanswered"] = 2
    assert main(["--model", model, "--port", "0", "--stop-seconds", "3"]) == 1
    assert capsys.readouterr().err == "retina-serve: 2 requests not answered within 3 s\n"
