"""The optimisers give torch's own numbers."""

import pytest
import torch

from distrack.distill.optimisers import OPTIMISERS


@pytest.mark.parametrize("name", list(OPTIMISERS))
def test_equals_torchs_own(name: str) -> None:
    draw = torch.Generator().manual_seed(0)
    start = torch.randn(4, 5, generator=draw)
    theirs = start.clone().requires_grad_()
    optimiser: torch.optim.Optimizer = (
        torch.optim.Adam([theirs], lr=0.05) if name == "adam" else torch.optim.SGD([theirs], lr=0.05, momentum=0.5)
    )
    ours = start.clone()
    memory: dict[str, torch.Tensor] = {}
    for _ in range(30):
        gradient = torch.randn(4, 5, generator=draw)
        theirs.grad = gradient.clone()
        optimiser.step()
        OPTIMISERS[name](ours, gradient, memory, 0.05, 0.5)
    torch.testing.assert_close(ours, theirs.detach(), rtol=1e-5, atol=1e-6)
