"""Load `retina-serve` as clients do: latency, throughput, refusals, memory; nothing may be lost or mixed up.

    python benchmarks/serving.py                        4 clients for 60 s, the bundled model
    python benchmarks/serving.py --clients 16 --seconds 600 --workers 4
    python benchmarks/serving.py --send pixels          pixels in place of image files
    python benchmarks/serving.py --clients 1 --workers 1 --megapixels 48 --seconds 10 --warm 0   peak memory

The server is a process of its own on this computer. Each client has one connection and sends the next request
when it has the answer to the last, as NVIDIA's client for KServe V2 does: pip install "tritonclient[http]".
Requests alternate between three synthetic eyes; each answer must have its request's id, and the vessels that
the same eye had at first. A client that is refused (503) waits for a second. Memory is that of the server's
process. The exit code is 1 if a request is lost or fails, if an answer is not its own, if the server has not
counted as many images as were answered, or if memory grows by --tolerance or more after --warm seconds.
"""

import argparse
import hashlib
import math
import os
import re
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pipeline import cpu_name

from retinagan.runtime.batch.encoding import encode_jpeg
from retinagan.runtime.images.reading import read_image

IMAGES = Path(__file__).parent.parent / "examples" / "images"


@dataclass
class Client:
    """What one client has seen; seconds of each answered request, in order."""

    seconds: list[float] = field(default_factory=list)
    refused: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Server:
    """A running server."""

    process: subprocess.Popen[str]
    address: str
    model: str
    said: str

    def memory(self) -> float:
        """Return the resident memory in MiB."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def peak(self) -> float:
        """Return the largest resident memory so far in MiB."""
        text = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return int(re.search(r"VmHWM:\s*(\d+) kB", text)[1]) / 2**10

    def images(self) -> int:
        """Return how many images the server has counted."""
        with urllib.request.urlopen(f"http://{self.address}/metrics", timeout=60) as answer:
            text = answer.read().decode()
        return round(
            sum(map(float, re.findall(r"^retina_serve_images_total{.*} (\S+)$", text, re.MULTILINE)))
        )


@contextmanager
def started(options: argparse.Namespace) -> Iterator[Server]:
    """Start a server, and stop it by a signal at the end."""
    command = [sys.executable, "-m", "retinagan.runtime.serve.cli", "--port", "0"]
    for name in ("model", "device", "engine", "threads", "workers", "queue"):
        if (value := getattr(options, name)) is not None:
            command += [f"--{name}", str(value)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said, address = process.stdout.readline(), process.stdout.readline()
    found = re.search(r"http://(\S+) ", address)
    if found is None:
        sys.exit(process.wait())
    try:
        yield Server(process, found[1], said.split(" on ")[0].split()[-1], said.strip())
    finally:
        process.terminate()
        code = process.wait(60)
        print(f"the server ended with exit code {code}")


def requests_of(options: argparse.Namespace) -> list[list[Any]]:
    """Return the inputs of the requests, one for each eye."""
    from tritonclient.http import InferInput

    made = []
    for path in sorted(IMAGES.glob("*.[pj][np]g")):
        pixels, file = read_image(path).as_rgb8(), path.read_bytes()
        if options.megapixels is not None:
            scale = math.sqrt(options.megapixels * 1e6 / pixels[..., 0].size)
            pixels = cv2.resize(pixels, None, fx=scale, fy=scale)
            file = encode_jpeg(pixels)
        if options.send == "pixels":
            tensor = InferInput("image", pixels.shape, "UINT8")
            tensor.set_data_from_numpy(pixels)
        else:
            tensor = InferInput("file", [1], "BYTES")
            tensor.set_data_from_numpy(np.array([file], np.object_))
        made.append([tensor])
    return made


def ask_until(
    stop: float, server: Server, first: list[str], requests: list[list[Any]], client: Client
) -> None:
    """Send requests until a time, and check each answer; `first` has the vessels of each eye, as digests."""
    from tritonclient.http import InferenceServerClient, InferenceServerException, InferRequestedOutput

    outputs = [InferRequestedOutput("vessels"), InferRequestedOutput("report")]
    with InferenceServerClient(server.address, network_timeout=300, connection_timeout=300) as connection:
        while time.monotonic() < stop:
            number = len(client.seconds)
            eye, name = number % len(requests), f"{id(client)}-{number}"
            start = time.perf_counter()
            try:
                answer = connection.infer(server.model, requests[eye], outputs=outputs, request_id=name)
            except InferenceServerException as error:
                if error.status() != "503":
                    client.problems.append(f"a request failed: {error}")
                    return
                client.refused += 1
                time.sleep(1)
                continue
            client.seconds.append(time.perf_counter() - start)
            if answer.get_response()["id"] != name or digest(answer.as_numpy("vessels")) != first[eye]:
                client.problems.append(f"the answer to request {name} is not its own")


def digest(vessels: np.ndarray) -> str:
    """Return a digest of a map."""
    return hashlib.sha256(vessels.tobytes()).hexdigest()


def first_answers(server: Server, requests: list[list[Any]]) -> list[str]:
    """Return digests of each eye's vessels, from one request each."""
    from tritonclient.http import InferenceServerClient, InferRequestedOutput

    with InferenceServerClient(server.address, network_timeout=300) as connection:
        outputs = [InferRequestedOutput("vessels")]
        answers = [connection.infer(server.model, inputs, outputs=outputs) for inputs in requests]
    return [digest(answer.as_numpy("vessels")) for answer in answers]


def load(options: argparse.Namespace, server: Server) -> tuple[list[Client], list[float], list[str]]:
    """Run the clients; return what they saw, the memory once a second, and what the server counted wrong."""
    requests = requests_of(options)
    first = first_answers(server, requests)
    clients = [Client() for _ in range(options.clients)]
    stop = time.monotonic() + options.seconds
    threads = [
        threading.Thread(target=ask_until, args=(stop, server, first, requests, client)) for client in clients
    ]
    for thread in threads:
        thread.start()
    memory = []
    while any(thread.is_alive() for thread in threads):
        memory.append(server.memory())
        time.sleep(1)
    answered = sum(len(client.seconds) for client in clients) + len(first)
    counted = server.images()
    lost = [] if counted == answered else [f"{answered} requests were answered, the server counted {counted}"]
    return clients, memory, lost


def table(options: argparse.Namespace, clients: list[Client], memory: list[float]) -> str:
    """Return the figures as Markdown."""
    seconds = sorted(second for client in clients for second in client.seconds)
    p50, p95, p99 = (1000 * float(np.percentile(seconds, share)) for share in (50, 95, 99))
    rate = len(seconds) / options.seconds
    refused = sum(client.refused for client in clients)
    return (
        "| clients | requests | images/s | p50 | p95 | p99 | refused (503) | memory, first and last |\n"
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
        f"| {len(clients)} | {len(seconds)} | {rate:.2f} | {p50:.0f} ms | {p95:.0f} ms | {p99:.0f} ms | "
        f"{refused} | {memory[0]:.0f} MiB, {memory[-1]:.0f} MiB |"
    )


def growth_of(memory: list[float], warm: int) -> float | None:
    """Return by what share memory's median of the last tenth exceeds that after `warm` seconds."""
    after = memory[warm:]
    part = max(1, len(after) // 10)
    if len(after) < 2 * part:
        return None
    return statistics.median(after[-part:]) / statistics.median(after[:part]) - 1


def main() -> int:
    """Load a server, print the figures, and return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--send", choices=("file", "pixels"), default="file")
    parser.add_argument("--megapixels", type=float, help="resize the eyes; their own size if left out")
    parser.add_argument("--warm", type=int, default=20, help="seconds after which memory may not grow")
    parser.add_argument("--tolerance", type=float, default=0.02, help="growth of memory that is too much")
    for name in ("model", "device", "engine"):
        parser.add_argument(f"--{name}", help="as of retina-serve")
    for name in ("threads", "workers", "queue"):
        parser.add_argument(f"--{name}", type=int, help="as of retina-serve")
    options = parser.parse_args()
    with started(options) as server:
        print(f"{cpu_name()}; {server.said}; requests with {options.send}\n")
        before = server.memory()
        clients, memory, problems = load(options, server)
        peak = server.peak()
    print(f"\n{table(options, clients, memory)}\n")
    print(f"memory: {before:.0f} MiB with the model alone, {peak:.0f} MiB at its peak")
    if options.megapixels is not None:
        print(
            f"the peak is {(peak - before) * 2**20 / options.megapixels / 1e6:.1f} bytes a pixel above that"
        )
    problems += [problem for client in clients for problem in client.problems]
    growth = growth_of(memory, options.warm)
    if growth is None:
        problems.append(f"too short to compare memory after {options.warm} s")
    else:
        print(f"memory at the end, against that after {options.warm} s: {growth:+.2%}")
        if growth >= options.tolerance:
            problems.append(f"memory grew by {growth:.2%}")
    print("\n".join(problems) or "nothing is lost or mixed up, and memory is flat")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
