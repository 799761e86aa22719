"""The command line, killed by itself at a moment of training; for test_many_devices.py.

    python tests/killed_training.py MOMENT train SET --out RUN

MOMENT is ``step EPOCH BATCH`` (both from 0), ``save NUMBER`` (of the files that this process would write next; from 0)
``write NUMBER`` (in the midst of that one of the ``last.ckpt``; from 0), ``alone`` (any process but the first, when it
finds the calibration or writes a file) or ``never``. Of several processes the last one is killed in a
step, and the first one, which writes, before a file.
"""

import os
import signal
import sys
from pathlib import Path

import lightning
import torch

from affectvlm.cli import main
from affectvlm.training import fit
from affectvlm.training.task import AffectVLMTask

MOMENT = sys.argv.pop(1).split()
step, save, write = AffectVLMTask.training_step, lightning.Trainer.save_checkpoint, torch.save
saved, written = [], []


def die_if(now, rank):
    if now and int(os.environ.get("RANK", 0)) == rank:
        os.kill(os.getpid(), signal.SIGKILL)


def training_step(self, batch, batch_idx):
    die_if(["step", str(self.current_epoch), str(batch_idx)] == MOMENT, int(os.environ.get("WORLD_SIZE", 1)) - 1)
    return step(self, batch, batch_idx)


def save_checkpoint(self, filepath, *rest, **settings):
    die_if(["save", str(len(saved))] == MOMENT, 0)
    saved.append(filepath)
    save(self, filepath, *rest, **settings)


def write_half(checkpoint, file, *rest, **settings):
    write(checkpoint, file, *rest, **settings)
    if "optimizer_states" in checkpoint:
        if now := ["write", str(len(written))] == MOMENT:
            file.truncate(file.tell() // 2)
        die_if(now, 0)
        written.append(file)


def leave_to_the_first(function):
    def checked(*arguments, **settings):
        die_if(MOMENT == ["alone"], max(1, int(os.environ.get("RANK", 0))))
        return function(*arguments, **settings)

    return checked


if __name__ == "__main__":
    torch.save = write_half
    fit.calibrated_scale, Path.replace = leave_to_the_first(fit.calibrated_scale), leave_to_the_first(Path.replace)
    AffectVLMTask.training_step = training_step
    lightning.Trainer.save_checkpoint = save_checkpoint
    main()
