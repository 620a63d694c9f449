"""A network of random weights."""

import pytest
import torch

from edgefuse.fusion.config import NetworkConfig
from edgefuse.fusion.network import FusionNetwork


@pytest.fixture(scope="session")
def network():
    torch.manual_seed(3)
    return FusionNetwork(NetworkConfig()).eval()
