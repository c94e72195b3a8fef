"""`retina-run --cluster` on a real cluster of three nodes on this machine, with an S3 server beside it."""

import csv
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import fsspec
import pytest
import ray
from drawn_retina import drawn_retina
from PIL import Image
from s3_server import new_bucket, s3_server
from tiny_model import write_tiny_model

from retinagan.runtime.batch import cli, progress, summary
from retinagan.runtime.batch.cluster import cluster_batch
from retinagan.runtime.batch.cluster.cluster_batch import ClusterBatch
from retinagan.runtime.batch.cluster.worker import KILLS, Worker, WorkerOptions
from retinagan.runtime.batch.inputs import Input
from retinagan.runtime.batch.jobs import Job
from retinagan.runtime.batch.outputs import OutputFolder
from retinagan.runtime.batch.settings import Settings

SETTINGS = Settings("fake", "fake", "ab" * 32, 0.5, 0.0, "0.1.0", "0123456789abcdef")
IMAGES = 16
NODE = {"num_cpus": 1, "object_store_memory": 80 << 20}
real = pytest.mark.server


class Fragile(Worker):
    """A worker that an image of a certain name kills."""

    def _begin(self, job):
        super()._begin(job)
        if job.output == "killer":
            os._exit(1)


@pytest.fixture(scope="module")
def store():
    """An S3 server; started before the nodes, whose workers find it by their environment."""
    with s3_server():
        yield


@pytest.fixture(scope="module")
def cluster(store):
    from ray.cluster_utils import Cluster

    logging.getLogger("ray").setLevel(logging.ERROR)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_worker_niceness", "0")  # Ray's workers would wait for all else that runs
        cluster = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
        for _ in range(2):
            cluster.add_node(**NODE)
        cluster.wait_for_nodes()
        yield cluster
        cluster.shutdown()


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """A folder with images, of which one is broken, and a model; no progress is said."""
    monkeypatch.setattr(progress, "_FIRST_INTERVAL", 3600.0)
    monkeypatch.chdir(tmp_path)
    write_tiny_model(tmp_path)
    (tmp_path / "scans").mkdir()
    for number in range(IMAGES):
        height = 90 + number
        Image.fromarray(drawn_retina(height, height)[0]).save(tmp_path / "scans" / f"{number}.png")
    (tmp_path / "scans" / "empty.png").touch()
    return tmp_path


def run(*arguments: str, scans: str = "scans") -> int:
    return cli.main([scans, "--model", "tiny.onnx", "--engine", "onnxruntime", "--threads", "1", *arguments])


def rows(out: str) -> dict[str, dict[str, str]]:
    with Path(out, "run.csv").open(newline="") as file:
        return {row["path"]: row for row in csv.DictReader(file)}


def maps(out: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(out).rglob("*.png")}


@real
@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_a_node_is_lost_and_the_run_goes_on(cluster, here, monkeypatch, capfd):
    count, lost = summary.Tally.count, []

    def count_and_lose_a_node(self, row):
        count(self, row)
        if not lost:
            lost.append(cluster.list_all_nodes()[-1])
            cluster.remove_node(lost[0], allow_graceful=False)

    bucket = new_bucket()
    files = fsspec.filesystem("s3", use_listings_cache=False)
    files.put("scans", f"{bucket}/scans", recursive=True)
    far = ["--out", f"{bucket}/maps", "--cluster", cluster.address]
    with monkeypatch.context() as patch:
        patch.setattr(summary.Tally, "count", count_and_lose_a_node)
        assert run(*far, scans=f"{bucket}/scans") == 1
    said = capfd.readouterr()
    assert said.out.startswith("17 images: 16 done, 1 failed\n")
    assert "retina-run: 3 workers with 1 CPU each, on 3 nodes\n" in said.err
    assert lost
    assert run("--out", "near") == 1
    files.get(f"{bucket}/maps", "far", recursive=True)
    assert maps("far") == maps("near")
    far_rows, near_rows = rows("far"), rows("near")
    differ = {
        column
        for name in near_rows
        for column in near_rows[name]
        if far_rows[name][column] != near_rows[name][column]
    }
    assert {column for column in differ if not column.startswith("seconds_")} <= {
        "finished",
        "input_modified",
    }
    assert sorted(path.name for path in Path("far").iterdir() if path.suffix != ".png") == ["run.csv"]
    cluster.add_node(**NODE)
    capfd.readouterr()
    assert run(*far, scans=f"{bucket}/scans") == 1
    assert capfd.readouterr().out.startswith("17 images: 0 done, 16 kept from before, 1 failed\n")


@real
@pytest.mark.filterwarnings("ignore")
def test_an_image_that_kills_its_worker_is_one_failed_row(cluster, here, monkeypatch):
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    monkeypatch.setattr(cluster_batch, "Worker", Fragile)
    Path("scans/1.png").rename("scans/killer.png")
    assert run("--out", "out", "--cluster", cluster.address, "--workers", "2", "--quiet") == 1
    found = rows("out")
    assert len(found) == IMAGES + 1
    assert found["killer.png"]["message"] == KILLS
    assert {name for name, row in found.items() if row["status"] == "failed"} == {"killer.png", "empty.png"}


@real
@pytest.mark.filterwarnings("ignore")
def test_what_the_cluster_cannot_do_is_said(cluster, here, capfd):
    before = signal.getsignal(signal.SIGTERM)
    for arguments, message in (
        (
            ["--threads", "99"],
            "no node has room for a worker of 99 CPUs and 0 GPUs: they have 1 CPU",
        ),
        (["--worker-gpus", "0.5"], "no node has room for a worker of 1 CPUs and 0.5 GPUs"),
        (["--model", "/nowhere.onnx"], "nowhere.onnx"),
    ):
        assert run("--cluster", cluster.address, *arguments) == 2
        (line,) = capfd.readouterr().err.splitlines()
        assert message in line
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_name_that_is_no_text_fails_alone(tmp_path):
    options = WorkerOptions(
        str(tmp_path),
        ("vessels",),
        "jpeg",
        "vessels",
        False,
        False,
        None,
        "cpu",
        "auto",
        None,
        None,
        None,
        None,
        1,
    )
    with OutputFolder(tmp_path) as folder:
        batch = ClusterBatch(options, folder, SETTINGS, 1, 0.0)
        (row,) = batch.run([Job(Input("\udcff", "\udcff"), "\udcff")])
        batch.remove_parts()
    assert row.status == "failed"
    assert row.message.startswith("its name is no valid text (UTF-8), which --cluster needs; rename it")


def test_the_plain_path_is_free_of_ray():
    code = (
        "import sys; import retinagan.runtime.batch.cli, retinagan.runtime.batch.batch; "
        "import retinagan.runtime.batch.summary, retinagan.runtime.batch.page.page; "
        "print({'ray', 'pyarrow', 'fsspec'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
