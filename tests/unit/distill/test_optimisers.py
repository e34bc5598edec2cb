"""The optimisers give torch's own numbers."""

from collections.abc import Callable

import pytest
import torch

from distrack.distill.optimisers import OPTIMISERS, Memory

THEIRS: dict[str, Callable[[torch.Tensor], torch.optim.Optimizer]] = {
    "adam": lambda parameters: torch.optim.Adam([parameters], lr=0.05),
    "sgd": lambda parameters: torch.optim.SGD([parameters], lr=0.05, momentum=0.5),
}
SETTINGS: dict[str, dict[str, float]] = {"sgd": {"momentum": 0.5}, "adam": {}}
every_optimiser = pytest.mark.parametrize("name", list(OPTIMISERS))


@every_optimiser
def test_equals_torchs_own(name: str) -> None:
    draw = torch.Generator().manual_seed(0)
    start = torch.randn(4, 5, generator=draw)
    theirs = start.clone().requires_grad_()
    optimiser = THEIRS[name](theirs)
    ours = start.clone()
    memory: Memory = {}
    for _ in range(30):
        gradient = torch.randn(4, 5, generator=draw)
        theirs.grad = gradient.clone()
        optimiser.step()
        before = gradient.clone()
        ours -= 0.05 * OPTIMISERS[name](gradient, memory, **SETTINGS[name])
        assert torch.equal(gradient, before)
    torch.testing.assert_close(ours, theirs.detach(), rtol=1e-5, atol=1e-6)


@every_optimiser
def test_all_that_it_remembers_is_in_its_memory(name: str) -> None:
    draw = torch.Generator().manual_seed(0)
    gradients = torch.randn(8, 4, 5, generator=draw)
    memory: Memory = {}
    for gradient in gradients[:5]:
        OPTIMISERS[name](gradient, memory, **SETTINGS[name])
    # As a checkpoint keeps it.
    kept = {key: value.clone() for key, value in memory.items()}
    rest, again = (
        [OPTIMISERS[name](gradient, of, **SETTINGS[name]).clone() for gradient in gradients[5:]]
        for of in (memory, kept)
    )
    assert torch.equal(torch.stack(rest), torch.stack(again))


def test_the_first_step_of_adam_is_one_whatever_the_gradient_s_size() -> None:
    for scale in (1e-4, 1.0, 1e4):
        gradient = scale * torch.tensor([3.0, -0.1, 2.0])
        torch.testing.assert_close(OPTIMISERS["adam"](gradient, {}), gradient.sign(), rtol=1e-3, atol=0)
