"""Optimisers give the same numbers as those of torch."""

from collections.abc import Callable

import pytest
import torch

from distrack.distill.optimisers import OPTIMISERS, Memory

THEIRS: dict[str, Callable[[torch.Tensor], torch.optim.Optimizer]] = {
    "adam": lambda parameters: torch.optim.Adam([parameters], lr=0.05),
    "sgd": lambda parameters: torch.optim.SGD([parameters], lr=0.05, momentum=0.5),
}
every_optimiser = pytest.mark.parametrize("name", list(OPTIMISERS))


@pytest.mark.parametrize("name", list(THEIRS))
def test_an_optimiser_equals_that_of_torch(name: str) -> None:
    settings = OPTIMISERS.choice(name).settings
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
        ours -= 0.05 * OPTIMISERS[name](gradient, memory, **settings)
        assert torch.equal(gradient, before)
    torch.testing.assert_close(ours, theirs.detach(), rtol=1e-5, atol=1e-6)


@every_optimiser
def test_an_optimiser_has_no_state_beside_its_memory(name: str) -> None:
    settings = OPTIMISERS.choice(name).settings
    draw = torch.Generator().manual_seed(0)
    gradients = torch.randn(8, 4, 5, generator=draw)
    memory: Memory = {}
    for gradient in gradients[:5]:
        OPTIMISERS[name](gradient, memory, **settings)
    # A checkpoint stores a copy.
    copy = {key: value.clone() for key, value in memory.items()}
    rest, again = (
        [OPTIMISERS[name](gradient, of, **settings).clone() for gradient in gradients[5:]] for of in (memory, copy)
    )
    assert torch.equal(torch.stack(rest), torch.stack(again))


def test_the_first_step_of_adam_is_one_for_any_size_of_the_gradient() -> None:
    for scale in (1e-4, 1.0, 1e4):
        gradient = scale * torch.tensor([3.0, -0.1, 2.0])
        torch.testing.assert_close(OPTIMISERS["adam"](gradient, {}), gradient.sign(), rtol=1e-3, atol=0)
