"""The command line, killed by itself at a moment of training; for test_many_devices.py.

    python tests/killed_training.py MOMENT train SET --out RUN

MOMENT is ``step EPOCH BATCH`` (both from 0), ``save NUMBER`` (of the files that this process would write next; from 0)
or ``never``. Of several processes the last one is killed in a step, and the first one, which writes, before a file.
"""

import os
import signal
import sys

import lightning

from affectvlm.cli import main
from affectvlm.training.task import AffectVLMTask

MOMENT = sys.argv.pop(1).split()
step, save = AffectVLMTask.training_step, lightning.Trainer.save_checkpoint
saved = []


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


if __name__ == "__main__":
    AffectVLMTask.training_step = training_step
    lightning.Trainer.save_checkpoint = save_checkpoint
    main()
