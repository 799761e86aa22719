"""Training on several processes is training on one; and a training that was killed ends as if it had not been."""

import math
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml
from pydantic import ValidationError

from affectvlm.errors import ConfigError
from affectvlm.prepared import prepare
from affectvlm.synthesis import FaceSource
from affectvlm.synthesis.generate import Study
from affectvlm.training import TrainConfig
from affectvlm.training.data import EachOnce, ViewData
from affectvlm.training.fit import HISTORY, build_trainer
from affectvlm.views import Rig
from tower_fixtures import write_clip

HERE = Path(__file__).parent
DOCUMENTATION = HERE.parent / "docs" / "compute.md"
SBATCH = HERE.parent / "examples" / "slurm" / "train.sbatch"
SETTINGS = """
epochs: 3
batch_size: 24
model: {image_widths: [8, 16], text_width: 16, text_layers: 1, text_heads: 2, embedding_dim: 16}
"""
CASES = ("default", "all objectives", "chunks", "sequences", "clip")
CASES += ("fsdp", "fsdp, all objectives", "fsdp, chunks", "fsdp, sequences", "fsdp, clip")
KEYS = ("self_attn.k_proj.bias", "attention.key.bias")
"""A shift of all keys changes no attention."""
CENTRED = ("text_model.final_norm.weight", "text_model.final_norm.bias")
"""Neither they change anything where the batch's own mean and scale are taken out right after them."""
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}


def run(*command, processes=None, **environment):
    """Run Python; with a number of processes, under torchrun."""
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)] if processes else []
    command = [sys.executable, *torchrun, *map(str, command)]
    return subprocess.run(command, capture_output=True, text=True, env={**ENVIRONMENT, **environment}, timeout=300)


@pytest.fixture(scope="module")
def sequences(tmp_path_factory):
    """The folder of a prepared set of short sequences: five subjects, each emotion's four intensities one after one."""
    folder = tmp_path_factory.mktemp("sequences") / "prepared"
    scans = Study(FaceSource(), subjects=5, seed=0).samples()
    frames = [replace(scan, sequence=f"{scan.subject}/{scan.emotion}", frame=scan.intensity or 0) for scan in scans]
    prepare(frames, Rig(size_px=16), folder, "synthetic: embedded faces, for tests")
    return folder


@pytest.fixture(scope="module")
def steps(tiny_set, sequences, tmp_path_factory):
    """What one process and two find, of the same two steps."""
    found, clip = [], tmp_path_factory.mktemp("clip")
    write_clip(clip)
    for processes in (1, 2):
        out = tmp_path_factory.mktemp("steps") / "found.npz"
        done = run(HERE / "one_step.py", tiny_set, sequences, clip, out, processes=processes)
        assert done.returncode == 0, done.stderr[-3000:]
        with np.load(out) as file:
            found.append(dict(file))
    return found


def of_case(found, case):
    return {name.removeprefix(f"{case}/"): value for name, value in found.items() if name.startswith(f"{case}/")}


def assert_the_same(ours, theirs, without_effect=KEYS):
    assert set(ours) == set(theirs)
    for name in set(theirs) - {"held"}:
        value, nothing = theirs[name], name.endswith(without_effect)
        scale = float(np.abs(value).max())
        # Each is measured by its own size, and no gradient is as small as rounding but those that have no effect.
        assert nothing or not name.startswith("gradient/") or scale > 1e-5, name
        tolerance = 1e-5 if nothing else max(1e-7, 2e-4 * scale)
        np.testing.assert_allclose(ours[name], value, rtol=0, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("case", CASES)
def test_two_processes_compute_the_loss_gradients_weights_and_validation_of_one(steps, case):
    one, two = (of_case(found, case) for found in steps)
    assert {"loss", "margin", "validation_uar"} < set(one)
    assert sum(key.startswith("gradient/") for key in one) > 20
    assert_the_same(two, one)


def test_weights_that_are_shared_out_are_held_once(steps):
    one, two = (of_case(found, "fsdp") for found in steps)
    weights = sum(value.size for name, value in one.items() if name.startswith("gradient/"))
    # Rows are not split, so the first process has some more than half.
    assert one["held"] == weights
    assert weights / 2 <= two["held"] < 0.6 * weights


def test_running_statistics_are_those_of_the_first_process_under_either_strategy(steps):
    fsdp, ddp = (of_case(steps[1], case) for case in ("fsdp, moving statistics", "moving statistics"))
    assert_the_same(fsdp, ddp, without_effect=KEYS + CENTRED)


def test_shared_weights_mixed_precision_and_chunks_go_together(steps):
    """The settings in docs/compute.md: two steps, as coarse as those of one process and no coarser."""
    one, two = (of_case(found, "fsdp, mixed, chunks") for found in steps)
    assert set(one) == set(two)
    assert one["loss"] != of_case(steps[0], "chunks")["loss"]
    assert two["loss"] == pytest.approx(float(one["loss"]), rel=0.01)
    for kind in ("gradient/", "weight/"):
        names = [name for name in one if name.startswith(kind)]
        ours, theirs = (np.concatenate([found[name].ravel() for name in names]) for found in (two, one))
        assert ours @ theirs / np.linalg.norm(ours) / np.linalg.norm(theirs) > 0.98


def test_a_batch_in_chunks_has_the_loss_and_gradients_of_the_batch(steps):
    for found in steps:
        assert_the_same(of_case(found, "chunks"), of_case(found, "default"))


def test_all_processes_have_the_same_number_of_validation_batches():
    for samples in range(5, 40):
        shares = [EachOnce(np.arange(samples), 4, rank, 5) for rank in range(5)]
        assert {len(share) for share in shares} == {len(shares[0])}
        sizes = [len(draw.samples) for share in shares for draw in share]
        assert 1 <= min(sizes) <= max(sizes) <= 4
    with pytest.raises(ConfigError, match="for each of 3 processes, found 2"):
        EachOnce(np.arange(2), 4, 0, 3)


@pytest.mark.parametrize("world", [1, 2, 3, 8])
@pytest.mark.parametrize("accumulation", [1, 2, 7])
def test_validation_takes_no_more_samples_at_a_time_than_training(world, accumulation):
    at_most = max(2, 48 // world // accumulation)
    for samples in range(world, 70):
        shares = []
        for rank in range(world):
            data = ViewData(None, np.arange(48), np.arange(samples), 48, 0, accumulation)
            data.trainer = SimpleNamespace(global_rank=rank, world_size=world)
            shares.append([draw.samples for draw in data.val_dataloader().sampler])
        assert {len(share) for share in shares} == {math.ceil(samples / world / at_most)}  # no more than it takes
        batches = [batch for share in shares for batch in share]
        sizes = [len(batch) for batch in batches]
        assert 1 <= min(sizes) <= max(sizes) <= at_most
        np.testing.assert_array_equal(np.sort(np.concatenate(batches)), np.arange(samples))


def test_a_precision_that_cannot_be_had_is_refused(monkeypatch):
    with pytest.raises(ValidationError, match="take precision 'bf16-mixed'"):
        TrainConfig(strategy="fsdp", precision="16-mixed")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ConfigError, match="'16-mixed' needs a CUDA device"):
        build_trainer(TrainConfig(precision="16-mixed"), [])


@pytest.fixture
def settings(tmp_path):
    file = tmp_path / "tiny.yaml"
    file.write_text(SETTINGS)
    return file


def test_the_train_command_runs_under_torchrun_on_two_processes(tiny_set, tmp_path, settings):
    settings.write_text(SETTINGS + "strategy: fsdp\n")
    out = tmp_path / "run"
    train = ("train", tiny_set, "--out", out, "--config", settings, "--epochs", "1")
    done = run(HERE / "killed_training.py", "alone", *train, processes=2)  # the second one only trains
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(pd.read_csv(out / HISTORY)) == 1
    assert (out / "model" / "config.json").exists()
    assert done.stdout.count("was chosen") == 1


@pytest.mark.slow
@pytest.mark.parametrize(("processes", "strategy"), [(None, "ddp"), (2, "ddp"), (2, "fsdp")])
def test_killed_at_any_moment_training_ends_with_the_same_bytes(tiny_set, tmp_path, settings, processes, strategy):
    """Killed in the first epoch, between the files of an epoch, in the midst of the last epoch; then left alone."""
    settings.write_text(SETTINGS + f"strategy: {strategy}\n")

    def train(moment, out):
        return run(
            HERE / "killed_training.py",
            *(moment, "train", tiny_set, "--out", out, "--config", settings),
            processes=processes,
        )

    undisturbed = train("never", tmp_path / "undisturbed")
    assert undisturbed.returncode == 0, undisturbed.stderr[-3000:]
    for moment, rows in (("step 0 1", 0), ("save 1", 1), ("save 2", 2), ("write 0", 2), ("step 2 2", 2)):
        killed = train(moment, tmp_path / "killed")
        assert killed.returncode == (-signal.SIGKILL if processes is None else 1), killed.stderr[-3000:]
        history = tmp_path / "killed" / HISTORY
        assert (len(pd.read_csv(history)) if history.exists() else 0) == rows
    done = train("never", tmp_path / "killed")
    assert done.returncode == 0, done.stderr[-3000:]
    histories = [pd.read_csv(tmp_path / name / HISTORY).drop(columns="seconds") for name in ("killed", "undisturbed")]
    pd.testing.assert_frame_equal(*histories, check_exact=True)
    weights = [(tmp_path / name / "model" / "model.safetensors").read_bytes() for name in ("killed", "undisturbed")]
    assert weights[0] == weights[1]
    assert not list((tmp_path / "killed").rglob(".*"))


@pytest.mark.slow
def test_the_slurm_example_trains_on_two_machines(tiny_set, tmp_path, settings):
    """With words in place of SLURM's: two machines that are this one, a process each."""
    if shutil.which("bash") is None:
        pytest.skip("needs bash")
    words = tmp_path / "bin"
    words.mkdir()
    for name, text in {
        "scontrol": "echo 127.0.0.1",
        "srun": 'shift; "$@" & "$@" & wait -n && wait -n',
        "torchrun": f'exec {sys.executable} -m torch.distributed.run --local-addr 127.0.0.1 "$@"',
    }.items():
        (words / name).write_text(f"#!/bin/bash\n{text}\n")
        (words / name).chmod(0o755)
    slurm = {"SLURM_JOB_NODELIST": "here,here", "SLURM_JOB_NUM_NODES": "2", "SLURM_JOB_ID": str(os.getpid())}
    slurm |= {"SLURM_GPUS_ON_NODE": "1", "SLURM_CPUS_PER_TASK": "1", "PATH": f"{words}:{os.environ['PATH']}"}
    out = tmp_path / "run"
    done = subprocess.run(
        ["bash", str(SBATCH), str(tiny_set), str(out), str(settings)],
        capture_output=True,
        text=True,
        env={**ENVIRONMENT, **slurm},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("was chosen") == 1
    assert len(pd.read_csv(out / HISTORY)) == 3


def test_the_settings_in_the_documentation_are_settings():
    (block,) = re.findall(r"```yaml\n(.*?)```", DOCUMENTATION.read_text("utf-8"), re.DOTALL)
    config = TrainConfig(**yaml.safe_load(block))
    assert (config.strategy, config.precision, config.accumulation) == ("fsdp", "bf16-mixed", 4)


def test_the_slurm_example_is_bash():
    assert subprocess.run(["bash", "-n", str(SBATCH)]).returncode == 0
