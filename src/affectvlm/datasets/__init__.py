"""Data sets: where labelled scans come from, one module for each.

>>> samples = open_dataset("bu4dfe", "BU4DFE", protocol="apex").samples()  # doctest: +SKIP
"""

from collections.abc import Collection
from pathlib import Path

from affectvlm.datasets.bosphorus import Bosphorus
from affectvlm.datasets.bp4d import Bp4d, Bp4dPlus
from affectvlm.datasets.bu3dfe import Bu3dfe
from affectvlm.datasets.bu4dfe import Bu4dfe
from affectvlm.datasets.coma import Coma
from affectvlm.datasets.dataset import Dataset, Protocol
from affectvlm.datasets.folder import FolderDataset
from affectvlm.datasets.found import Problem
from affectvlm.datasets.frgc import Frgc
from affectvlm.datasets.inspection import Inspection
from affectvlm.errors import ConfigError

DATASETS: dict[str, type[Dataset]] = {
    kind.name: kind for kind in (Bu3dfe, Bu4dfe, Bosphorus, Bp4d, Bp4dPlus, Coma, Frgc, FolderDataset)
}
"""By the name that the command line has for them."""


def open_dataset(name: str, root: str | Path, protocol: str | None = None, classes: Collection[str] = ()) -> Dataset:
    """Open a data set; nothing is read yet.

    Parameters
    ----------
    name : str
        One of :data:`DATASETS`.
    root : str or Path
    protocol : str, optional
        One of its ``protocols``; the first where none is given.
    classes : collection of str
        Of one's own, which names of folders and lists of labels may say beside the project's emotions.

    Raises
    ------
    ConfigError
        There is no such data set or protocol.
    """
    if name not in DATASETS:
        raise ConfigError(f"there is no data set {name!r}; choose one of {', '.join(DATASETS)}")
    return DATASETS[name](root, protocol, classes)


__all__ = ["DATASETS", "Dataset", "FolderDataset", "Inspection", "Problem", "Protocol", "open_dataset"]
