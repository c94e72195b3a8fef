"""A worker without a cluster: what it is told by `Attempts`, it is told at once."""

from types import SimpleNamespace

import pytest
from drawn_retina import drawn_retina
from PIL import Image
from tiny_model import write_tiny_model

from retinagan.runtime.batch.cluster import worker
from retinagan.runtime.batch.cluster.attempts import MOST, Attempts
from retinagan.runtime.batch.cluster.keys import tables_of
from retinagan.runtime.batch.cluster.rows import FAULT, rows_of
from retinagan.runtime.batch.cluster.worker import Worker, WorkerOptions
from retinagan.runtime.batch.inputs import Input
from retinagan.runtime.batch.jobs import Job
from retinagan.runtime.batch.row import row_of

PART = "rows/run.part-0123456789ab-000000.parquet"
NAMES = ("a", "b", "c")


class AtOnce:
    """An actor's handle whose calls are done when they return."""

    def __init__(self, actor: object) -> None:
        self._actor = actor

    def __getattr__(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(remote=getattr(self._actor, name))


@pytest.fixture
def known(monkeypatch) -> Attempts:
    monkeypatch.setattr(worker.ray, "get", lambda value: value)
    return Attempts()


@pytest.fixture
def options(tmp_path) -> WorkerOptions:
    for name in NAMES:
        Image.fromarray(drawn_retina(90, 100)[0]).save(tmp_path / f"{name}.png")
    (tmp_path / "out").mkdir()
    model = str(write_tiny_model(tmp_path))
    out = str(tmp_path / "out")
    return WorkerOptions(
        out,
        ("vessels",),
        "jpeg",
        "vessels",
        False,
        False,
        model,
        "cpu",
        "onnxruntime",
        None,
        None,
        None,
        None,
        1,
    )


def segmented(options: WorkerOptions, tmp_path, known: Attempts, settings=None) -> list[dict[str, str]]:
    jobs = [Job(Input(str(tmp_path / f"{name}.png"), f"{name}.png"), name) for name in NAMES]
    (table,) = tables_of(jobs, 10, lambda number: PART, lambda job: {})
    return Worker(options, settings or options.settings(), AtOnce(known))(table).to_pylist()


def test_a_block_gives_pictures_and_rows(options, tmp_path, known):
    rows = segmented(options, tmp_path, known)
    assert [(row["path"], row["status"], row[FAULT]) for row in rows] == [
        (f"{name}.png", "done", "") for name in NAMES
    ]
    written = [row_of(cells) for cells in rows_of((tmp_path / "out" / PART).read_bytes())]
    assert [row.output for row in written] == list(NAMES)
    assert all((tmp_path / "out" / f"{name}_vessels.png").stat().st_size for name in NAMES)
    assert known.known([f"{name}.png" for name in NAMES]) == {}


def test_a_block_that_is_written_is_not_done_again(options, tmp_path, known):
    before = segmented(options, tmp_path, known)
    (tmp_path / "out" / "a_vessels.png").unlink()
    assert segmented(options, tmp_path, known) == before
    assert not (tmp_path / "out" / "a_vessels.png").exists()


def test_after_a_death_the_next_worker_goes_on(options, tmp_path, known, monkeypatch):
    done = segmented(options, tmp_path, known)[0]
    (tmp_path / "out" / PART).unlink()
    known.begin("a.png")
    known.end("a.png", [cell for column, cell in done.items() if column != FAULT])
    known.begin("b.png")
    runs = []
    run = worker.Batch.run

    def noted(self, jobs):
        jobs = list(jobs)
        runs.append([job.output for job in jobs])
        return run(self, jobs)

    monkeypatch.setattr(worker.Batch, "run", noted)
    rows = segmented(options, tmp_path, known)
    assert rows[0] == done
    assert [row["path"] for row in rows] == ["a.png", "c.png", "b.png"]
    assert runs == [["c"], ["b"]]  # what may have killed the worker is done alone


def test_an_image_that_kills_workers_fails(options, tmp_path, known):
    for _ in range(MOST):
        known.begin("b.png")
    rows = {row["path"]: row for row in segmented(options, tmp_path, known)}
    assert rows["b.png"]["status"] == "failed"
    assert rows["b.png"]["message"].startswith("3 workers died while they segmented this image")
    assert rows["a.png"]["status"] == rows["c.png"]["status"] == "done"


def test_what_ends_the_run_is_told(options, tmp_path, known, monkeypatch):
    from dataclasses import replace

    settings = replace(options.settings(), engine="TensorRT")
    (row,) = segmented(options, tmp_path, known, settings)
    assert row[FAULT].startswith("the nodes would not segment alike: retinagan")
    assert "TensorRT" in row[FAULT]
    (tmp_path / "out").rmdir()
    (row,) = segmented(options, tmp_path, known)
    assert "No such file or directory" in row[FAULT]


def test_blocks_of_several_threads_share_a_batch(options, tmp_path, known):
    from concurrent.futures import ThreadPoolExecutor

    jobs = [Job(Input(str(tmp_path / f"{name}.png"), f"{name}.png"), name) for name in NAMES]
    tables = list(tables_of(jobs, 1, lambda number: PART.replace("000000", f"{number:06}"), lambda job: {}))
    shared = Worker(options, options.settings(), AtOnce(known))
    with ThreadPoolExecutor(2) as pool:
        rows = [row for table in pool.map(shared, tables) for row in table.to_pylist()]
    assert [(row["path"], row["status"], row[FAULT]) for row in rows] == [
        (f"{name}.png", "done", "") for name in NAMES
    ]
    assert len(list((tmp_path / "out" / "rows").iterdir())) == len(NAMES)
    assert known.known([f"{name}.png" for name in NAMES]) == {}
