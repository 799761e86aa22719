"""Prepared views on disk: written once in parallel, then read through memory maps."""

from affectvlm.prepared.backends import workers
from affectvlm.prepared.prepared_set import PreparedSet
from affectvlm.prepared.shard import samples_done
from affectvlm.prepared.writer import prepare

__all__ = ["PreparedSet", "prepare", "samples_done", "workers"]
