"""`retina-node` as a process, called by DCMTK's programs; DCMTK's and Orthanc's archives get its results."""

import csv
import json
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
import slow_retina_node
from dicom_files import PATIENT, dicom_dataset, written
from dicom_network import PATIENCE, Lines, certificates, image, instance_uid
from drawn_retina import drawn_retina
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit
from tiny_model import write_tiny_model

from retinagan.runtime.node.cli import main

LONG = 2 * PATIENCE  # for a process to start on a busy machine


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    return str(write_tiny_model(tmp_path_factory.mktemp("model")))


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """The working folder, with images to send in it."""
    (tmp_path / "images").mkdir()
    for number in range(8):
        (tmp_path / "images" / f"{number}.dcm").write_bytes(image(number))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def jpeg_file() -> bytes:
    pixels, stream = drawn_retina(60, 66)[0], BytesIO()
    Image.fromarray(pixels).save(stream, "jpeg")
    data = dicom_dataset(
        pixels, SOPInstanceUID=instance_uid("jpeg"), PhotometricInterpretation="YBR_FULL_422"
    )
    data.PixelData = encapsulate([stream.getvalue()])
    data["PixelData"].VR = "OB"
    return written(data, JPEGBaseline8Bit)


def need(tool: str, package: str) -> str:
    path = shutil.which(tool) or shutil.which(tool, path="/usr/sbin")
    if path is None:
        pytest.skip(f"{tool} is not installed: apt-get install {package}")
    return path


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def wait_until(condition, *, process=None) -> None:
    deadline = time.monotonic() + LONG
    while not condition():
        assert process is None or process.poll() is None, "the process has ended"
        assert time.monotonic() < deadline
        time.sleep(0.02)


class Node:
    """A slow node in a process of its own; `lines` is what it prints."""

    def __init__(self, model: str, *arguments: str) -> None:
        command = [
            sys.executable,
            slow_retina_node.__file__,
            "--model",
            model,
            "--port",
            "0",
            "--min-free",
            "1",
        ]
        self.process = subprocess.Popen([*command, *arguments], stderr=subprocess.PIPE, text=True)
        self.lines = Lines()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        wait_until(lambda: any(" listens at " in line for line in self.lines), process=self.process)
        self.port = next(
            line.split(";")[0].rpartition(":")[2] for line in self.lines if " listens at " in line
        )

    def _read(self) -> None:
        for line in self.process.stderr:
            self.lines(line.rstrip("\n"))

    def end(self, sent: int) -> int:
        if self.process.poll() is None:
            self.process.send_signal(sent)
        code = self.process.wait(LONG)
        self._reader.join(LONG)
        self.process.stderr.close()
        return code

    def wait_for_results(self, number: int) -> None:
        wait_until(lambda: len(results()) >= number, process=self.process)

    def wait_until_done(self, number: int) -> None:
        """Wait until so many images have rows, and the queue is empty."""
        wait_until(lambda: len(rows()) == number and not queued(), process=self.process)


@pytest.fixture
def node(here, model):
    """Start nodes; end those that a test has left."""
    nodes = []

    def start(*arguments: str) -> Node:
        nodes.append(Node(model, *arguments))
        return nodes[-1]

    yield start
    for one in nodes:
        if one.process.poll() is None:
            one.end(signal.SIGKILL)


def send(node: Node, *paths: object, options=()) -> None:
    command = [
        need("storescu", "dcmtk"),
        "-aec",
        "RETINA",
        *options,
        "127.0.0.1",
        node.port,
        *map(str, paths),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=LONG)


def results() -> list[str]:
    return sorted(path.name.removesuffix("_vessels.png") for path in Path("out").rglob("*_vessels.png"))


def queued() -> list[Path]:
    return list(Path("out/queue").rglob("*.dcm"))


def rows() -> list[dict[str, str]]:
    with Path("out/run.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_after_a_kill_midway_each_image_is_done_once(here, node):
    Path("images/jpeg.dcm").write_bytes(jpeg_file())
    names = [*range(8), "jpeg"]
    first = node()
    send(first, *(f"images/{number}.dcm" for number in range(8)))
    send(first, "images/jpeg.dcm", options=["--propose-jpeg8"])
    first.wait_for_results(2)
    assert first.end(signal.SIGKILL) == -signal.SIGKILL
    assert len(results()) < len(names)
    second = node()
    send(second, *(f"images/{number}.dcm" for number in range(8)))  # as a camera that has had no answer
    second.wait_until_done(len(names))
    assert second.end(signal.SIGTERM) == 0
    assert second.lines[-1] == "retina-node: stopped; in the queue: 0, to send: 0"
    assert results() == sorted(map(instance_uid, names))
    assert sorted(row["sop_instance_uid"] for row in rows()) == sorted(map(instance_uid, names))
    assert {row["status"] for row in rows()} == {"done"}


def test_an_echo_is_answered_and_a_signal_ends_it(here, node):
    running = node()
    command = [need("echoscu", "dcmtk"), "-aec", "RETINA", "127.0.0.1", running.port]
    subprocess.run(command, check=True, timeout=LONG)
    wrong = [command[0], "-aec", "OTHER", *command[3:]]
    assert subprocess.run(wrong, check=False, capture_output=True, timeout=LONG).returncode != 0
    assert running.end(signal.SIGINT) == 0
    assert running.lines[-1] == "retina-node: stopped; in the queue: 0, to send: 0"


def test_two_nodes_do_not_share_a_folder(here, node, model, capsys):
    running = node()
    assert main(["--model", model, "--port", "0"]) == 2
    assert "is writing to 'out'; wait for it, or choose another --out" in capsys.readouterr().err
    assert running.process.poll() is None


def test_a_disk_that_fails_for_a_while_loses_nothing(here, node):
    """The node starts again by itself; its folder is for its user alone."""
    running = node("--fail-once")
    assert stat.S_IMODE(Path("out").stat().st_mode) == 0o700
    send(running, *(f"images/{number}.dcm" for number in range(4)))
    Path("fail").touch()
    running.lines.wait_for("cannot write to the output folder 'out' (of the test); starting again in 0 s")
    wait_until(
        lambda: len(rows()) == 4 and not list(Path("out/queue").rglob("*.dcm")), process=running.process
    )
    assert running.end(signal.SIGTERM) == 0
    assert [row["status"] for row in rows()] == 4 * ["done"]


def test_tls_by_dcmtk(here, node):
    keys = certificates(here)
    own = ("--tls-cert", "node.pem", "--tls-key", "node.key", "--tls-ca", "ca.pem")
    running = node(*own)
    send(running, "images/0.dcm", options=["+tls", "caller.key", "caller.pem", "+cf", str(keys / "ca.pem")])
    running.wait_for_results(1)
    with pytest.raises(subprocess.CalledProcessError):
        send(running, "images/1.dcm")
    assert running.end(signal.SIGTERM) == 0


def test_nothing_of_the_patient_is_printed_or_recorded_or_in_a_name(here, node):
    """Not even if it stands where it does not belong, and readers stumble over it."""
    spoilt = {
        "spacing": (b"0.05\\0.05", b"Eyre\\Jane"),
        "side": (b"CS\x02\0R ", b"CS\x02\0Ja"),
    }
    for name, (right, wrong) in spoilt.items():
        content = image(name)
        assert right in content
        Path(f"images/{name}.dcm").write_bytes(content.replace(right, wrong))
    running = node()
    send(running, *(f"images/{name}.dcm" for name in (0, *spoilt)))
    wait_until(lambda: Path("out/run.csv").exists() and len(rows()) == 3, process=running.process)
    assert running.end(signal.SIGTERM) == 0
    names = [str(path) for path in Path("out").rglob("*")]
    said = "\n".join([*running.lines, Path("out/run.csv").read_text(), *names])
    assert not [part for part in PATIENT if part.lower() in said.lower()]


@contextmanager
def storescp(folder: Path, port: int):
    folder.mkdir(exist_ok=True)
    command = [need("storescp", "dcmtk"), "-aet", "ARCHIVE", "-od", str(folder), "+xa", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait(LONG)


def test_dcmtks_archive_gets_each_result_once_though_it_is_away_and_the_node_is_killed(here, node):
    port, archive = free_port(), here / "archive"
    to_archive = ("--send", f"ARCHIVE@127.0.0.1:{port}")
    first = node(*to_archive)
    send(first, *(f"images/{number}.dcm" for number in range(4)))
    first.lines.wait_for("cannot be reached")
    first.wait_for_results(4)
    with storescp(archive, port):
        wait_until(lambda: list(archive.iterdir()), process=first.process)
        first.end(signal.SIGKILL)
        second = node(*to_archive)
        send(second, *(f"images/{number}.dcm" for number in range(4)))
        wait_until(lambda: len(list(archive.iterdir())) == 8, process=second.process)
        assert second.end(signal.SIGTERM) == 0
        assert second.lines[-1] == "retina-node: stopped; in the queue: 0, to send: 0"
    sources = sorted(source_of(pydicom.dcmread(path)) for path in archive.iterdir())
    assert sources == sorted(2 * [instance_uid(number) for number in range(4)])


def source_of(data: pydicom.Dataset) -> str:
    return str(data.ReferencedSeriesSequence[0].ReferencedInstanceSequence[0].ReferencedSOPInstanceUID)


@contextmanager
def orthanc(folder: Path, port: int):
    """Run Orthanc; yields a function that asks it by HTTP."""
    program, http = need("Orthanc", "orthanc"), free_port()
    settings = {
        "StorageDirectory": str(folder / "orthanc"),
        "IndexDirectory": str(folder / "orthanc"),
        "DicomAet": "ORTHANC",
        "DicomCheckCalledAet": True,
        "DicomPort": port,
        "HttpPort": http,
        "RemoteAccessAllowed": False,
        "Plugins": [],
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))

    def ask(path: str):
        with urllib.request.urlopen(f"http://127.0.0.1:{http}/{path}", timeout=PATIENCE) as answer:
            return json.load(answer)

    def answers() -> bool:
        try:
            return bool(ask("system"))
        except OSError:
            return False

    process = subprocess.Popen(
        [program, str(folder / "orthanc.json")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_until(answers, process=process)
        yield ask
    finally:
        process.terminate()
        process.wait(LONG)


def test_orthanc_gets_the_results_into_the_patients_study(here, node):
    port = free_port()
    with orthanc(here, port) as ask:
        running = node(
            *("--send", f"ORTHANC@127.0.0.1:{port}", "--save", "dicom-seg", "dicom-overlay", "dicom-sr")
        )
        send(running, "images/0.dcm", "images/1.dcm")
        wait_until(lambda: len(ask("instances")) == 6, process=running.process)
        assert running.end(signal.SIGTERM) == 0
        (study,) = ask("studies")
        assert ask(f"studies/{study}")["PatientMainDicomTags"]["PatientID"] == PATIENT[2]
        modalities = sorted(ask(f"series/{series}")["MainDicomTags"]["Modality"] for series in ask("series"))
        assert len(modalities) == 3
        assert {"SEG", "SR"} <= set(modalities)
