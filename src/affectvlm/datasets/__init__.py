"""Data sets: where labelled scans come from, one module for each."""

from affectvlm.datasets.folder import FolderDataset

__all__ = ["FolderDataset"]
