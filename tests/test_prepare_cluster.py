"""Prepared on workers of Ray and of Dask: the same bytes as on this machine alone."""

import os
import socket
import time
import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from affectvlm.errors import ConfigError
from affectvlm.prepared import prepare, shard, workers
from affectvlm.prepared.backends import replacing_workers
from affectvlm.scan import FaceScan, Sample

SOURCE = "synthetic: a test"


@pytest.fixture(scope="module", autouse=True)
def small_shards():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shard, "SHARD_SAMPLES", 2)
        yield


DEADLINE_S = 120


def load_when_both_are_here(sample: Sample, folder: Path) -> FaceScan:
    """Load a sample as soon as two processes have put down their ids in a folder."""
    (folder / str(os.getpid())).touch()
    deadline = time.monotonic() + DEADLINE_S
    while len(os.listdir(folder)) < 2:
        assert time.monotonic() < deadline, "the other worker never came"
        time.sleep(0.01)
    return sample.load()


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.slow
@pytest.mark.parametrize(("backend", "library"), [("ray", "ray"), ("dask", "distributed")])
def test_two_workers_of_a_cluster_write_the_same_bytes(
    embedded_samples, tiny_rig, tmp_path, monkeypatch, backend, library
):
    pytest.importorskip(library)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))  # where workers find the loader
    (signed := tmp_path / "signed").mkdir()
    samples = [replace(s, normalized=i % 2 == 0) for i, s in enumerate(embedded_samples[:11])]
    prepare(samples, tiny_rig, tmp_path / "here", SOURCE)
    signing = [replace(s, load=partial(load_when_both_are_here, s, signed)) for s in samples]
    with workers(backend, jobs=2) as jobs:
        prepare(signing, tiny_rig, tmp_path / "there", SOURCE, jobs)
    assert contents(tmp_path / "there") == contents(tmp_path / "here")
    pids = {int(path.name) for path in signed.iterdir()}
    assert os.getpid() not in pids
    assert len(pids) == 2


@pytest.mark.parametrize(("backend", "library"), [("ray", "ray"), ("dask", "distributed")])
def test_a_cluster_that_is_not_there_is_one_line(backend, library):
    """The port is one that was free a moment ago."""
    pytest.importorskip(library)
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(ConfigError) as refused, workers(backend, address=address):
        pass
    assert str(refused.value).startswith(f"no {backend.capitalize()} cluster answers at {address}: ")
    assert "\n" not in str(refused.value)


@pytest.mark.slow
def test_a_dask_worker_of_several_threads_is_refused():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None) as cluster,
        pytest.raises(ConfigError, match="run several threads; start them with --nthreads 1"),
        workers("dask", address=cluster.scheduler_address),
    ):
        pass


@pytest.mark.slow
def test_a_running_dask_cluster_does_the_work(embedded_samples, tiny_rig, tmp_path):
    distributed = pytest.importorskip("distributed")
    prepare(embedded_samples[:5], tiny_rig, tmp_path / "here", SOURCE)
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        address = cluster.scheduler_address
        with pytest.raises(ConfigError, match="leave out --jobs or --address"), workers("dask", 2, address):
            pass
        with workers("dask", address=address) as jobs:
            prepare(embedded_samples[:5], tiny_rig, tmp_path / "there", SOURCE, jobs)
    assert contents(tmp_path / "there") == contents(tmp_path / "here")


def test_an_address_is_a_clusters():
    with pytest.raises(ConfigError, match="name its kind with --backend ray or dask"), workers("loky", 2, "auto"):
        pass


def test_only_the_warning_that_a_worker_was_replaced_is_left_out():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with replacing_workers():
            # As joblib's loky words it.
            warnings.warn("A worker stopped while some jobs were given to the executor. This can be ...", stacklevel=1)
            with pytest.raises(UserWarning, match="another"):
                warnings.warn("another", stacklevel=1)
        with pytest.raises(UserWarning, match="A worker stopped"):
            warnings.warn("A worker stopped while some jobs were given to the executor.", stacklevel=1)
