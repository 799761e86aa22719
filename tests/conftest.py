"""What several tests share: a tiny rig, a study of embedded faces, a tiny untrained model."""

from pathlib import Path

import pytest
import torch

from affectvlm.emotions import EMOTIONS
from affectvlm.model import AffectVLM, ModelConfig
from affectvlm.prepared import prepare
from affectvlm.scan import Sample
from affectvlm.synthesis import FaceSource
from affectvlm.synthesis.generate import Study
from affectvlm.views import Rig

TINY_MODEL = ModelConfig(
    image_widths=(8, 8), image_blocks=1, text_width=16, text_layers=1, text_heads=2, embedding_dim=16
)


@pytest.fixture(scope="session")
def tiny_rig() -> Rig:
    return Rig(size_px=16)


@pytest.fixture(scope="session")
def embedded_samples() -> list[Sample]:
    """Two subjects of the embedded face, 25 scans each."""
    return Study(FaceSource(), subjects=2, seed=3).samples()


@pytest.fixture(scope="session")
def tiny_model(tiny_rig) -> AffectVLM:
    """Not trained: good for every fact that does not depend on the weights."""
    torch.manual_seed(0)
    return AffectVLM.build(TINY_MODEL, EMOTIONS, tiny_rig).eval()


@pytest.fixture(scope="session")
def model_folder(tiny_model, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tiny") / "model"
    tiny_model.save(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_set(tmp_path_factory):
    """The folder of a prepared set: five embedded subjects, all 25 scans each, three views of 16 px."""
    folder = tmp_path_factory.mktemp("tiny") / "prepared"
    samples = Study(FaceSource(), subjects=5, seed=0).samples()
    prepare(samples, Rig(size_px=16), folder, "synthetic: embedded faces, for tests")
    return folder
