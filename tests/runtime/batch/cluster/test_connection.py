import pytest

from retinagan.runtime.batch.cluster.connection import ClusterError, connected, ray, workers_that_fit


def test_a_client_address_is_refused():
    with (
        pytest.raises(ClusterError, match=r"got 'ray://head:10001'; expected auto or HOST:PORT, on"),
        connected("ray://head:10001"),
    ):
        pass


def test_no_cluster_is_told(monkeypatch):
    def init(*arguments, **options):
        raise ConnectionError("Could not find any running Ray instance. Please specify one.")

    monkeypatch.setattr(ray, "init", init)
    with (
        pytest.raises(ClusterError, match=r"no Ray cluster at 'auto' \(Could not .* instance\); start"),
        connected("auto"),
    ):
        pass


def test_workers_fit_by_cpus_and_gpus(monkeypatch):
    nodes = [
        {"Alive": True, "Resources": {"CPU": 8.0, "GPU": 2.0}},
        {"Alive": True, "Resources": {"CPU": 3.0}},
        {"Alive": False, "Resources": {"CPU": 64.0, "GPU": 8.0}},
        {"Alive": True, "Resources": {}},
    ]
    monkeypatch.setattr(ray, "nodes", lambda: nodes)
    assert workers_that_fit(2, 0.0) == (5, 2)
    assert workers_that_fit(1, 0.25) == (8, 1)
    with pytest.raises(ClusterError, match=r"no node has room for a worker of 1 CPUs and 3 GPUs: they ha"):
        workers_that_fit(1, 3.0)
