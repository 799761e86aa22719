"""Where workers run: on this machine (loky), or on a cluster of Ray or Dask. Joblib drives all three alike."""

from __future__ import annotations

import os
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import joblib

from affectvlm.errors import ConfigError

Backend = Literal["loky", "ray", "dask"]

CONNECT_S = 10
"""How long a cluster may take to answer."""


@contextmanager
def workers(backend: Backend, jobs: int | None = None, address: str | None = None) -> Iterator[int]:
    """Find or start workers, for :func:`~affectvlm.prepared.prepare` to use as long as the block lasts.

    Parameters
    ----------
    backend : str
    jobs : int, optional
        How many; by default one a core, of this machine or of the whole cluster.
    address : str, optional
        Of a running cluster: ``auto`` or ``HOST:6379`` for Ray, ``tcp://HOST:8786`` for Dask. Without it the address
        in ``RAY_ADDRESS`` or ``DASK_SCHEDULER_ADDRESS`` is taken, or else workers are started on this machine.

    Yields
    ------
    int
        The jobs to ask :func:`~affectvlm.prepared.prepare` for.

    Raises
    ------
    ConfigError
        The cluster cannot be reached or does not fit.
    """
    if backend == "loky":
        if address:
            raise ConfigError("--address is a cluster's; name its kind with --backend ray or dask, or leave it out")
        yield jobs or -1
    elif backend == "ray":
        with _ray(jobs, address or os.environ.get("RAY_ADDRESS")), joblib.parallel_config("ray"):
            yield jobs or -1
    else:
        with _dask(jobs, address or os.environ.get("DASK_SCHEDULER_ADDRESS")), joblib.parallel_config("dask"):
            yield -1


@contextmanager
def replacing_workers() -> Iterator[None]:
    """Let joblib's loky replace a worker without a warning, as long as the block lasts.

    It replaces one whose memory has grown by 300 MB after its first task, which it takes for a leak, between two tasks
    and without losing any. Here it is what a worker keeps on purpose, face models above all: nothing is wrong, and
    there is nothing that a user could do about it.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "A worker stopped while some jobs were given to the executor", UserWarning)
        yield


@contextmanager
def _ray(jobs: int | None, address: str | None) -> Iterator[None]:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # what is done with licensed faces is nobody's business
    import ray
    from ray.util.joblib import register_ray

    register_ray()
    quiet: dict[str, Any] = {"logging_level": "ERROR", "log_to_driver": False}
    try:
        if address:
            host, _, port = address.rpartition(":")
            if port.isdigit() and "/" not in host:
                socket.create_connection((host, int(port)), CONNECT_S).close()  # Ray itself would try for minutes
            ray.init(address, **quiet)
        else:
            ray.init(num_cpus=jobs or joblib.cpu_count(), include_dashboard=False, **quiet)
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigError(f"no Ray cluster answers at {address}: {_first_line(error)}; check --address") from error
    try:
        cores = int(ray.cluster_resources().get("CPU", 0))
        if jobs and jobs > cores:
            raise ConfigError(f"--jobs {jobs}: expected at most the Ray cluster's {cores} cores; ask for fewer")
        yield
    finally:
        ray.shutdown()


@contextmanager
def _dask(jobs: int | None, address: str | None) -> Iterator[None]:
    from distributed import Client, LocalCluster

    if address and jobs:
        raise ConfigError("a running Dask cluster has as many workers as it was given; leave out --jobs or --address")
    if not address:
        count = jobs or joblib.cpu_count()
        with (
            LocalCluster(n_workers=count, threads_per_worker=1, dashboard_address=None) as cluster,
            Client(cluster),
        ):
            yield
        return
    try:
        client = Client(address, timeout=CONNECT_S)
    except (OSError, ValueError) as error:
        raise ConfigError(f"no Dask cluster answers at {address}: {_first_line(error)}; check --address") from error
    with client:
        if not (threads := client.nthreads()):
            raise ConfigError(f"the Dask cluster at {address} has no workers; start some with `dask worker {address}`")
        if max(threads.values()) > 1:
            # Warnings are caught for each scan, which Python can do in one thread of a process only.
            raise ConfigError(f"the Dask workers at {address} run several threads; start them with --nthreads 1")
        yield


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
