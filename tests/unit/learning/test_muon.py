"""Muon: what a step is made of, and that torch's own, which takes matrices only, goes the same way."""

import pytest
import torch

from distrack.learning.muon import muon_step, orthogonalised


@pytest.mark.parametrize("shape", [(8, 40), (40, 8), (12, 12), (1, 9), (9, 1)])
def test_singular_values_come_near_one_and_directions_stay(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    made = orthogonalised(matrix)
    values = torch.linalg.svdvals(made)
    assert made.shape == shape
    assert values.min() > 0.3
    assert values.max() < 1.3
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    aligned = u.T @ made @ v.T
    assert (aligned - torch.diag(aligned.diagonal())).abs().max() < 1e-3


def test_the_scale_of_the_gradient_does_not_matter_and_zero_stays_zero() -> None:
    gradient = torch.randn(6, 3, 3, 3, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(muon_step(gradient, {}), muon_step(1000 * gradient, {}), rtol=1e-3, atol=1e-4)
    assert not muon_step(torch.zeros(4, 5), {}).any()


def test_steps_go_as_those_of_torch_for_the_flattened_kernel() -> None:
    random = torch.Generator().manual_seed(2)
    ours = torch.randn(8, 4, 3, 3, generator=random)
    theirs = torch.nn.Parameter(ours.flatten(1).clone())
    optimiser = torch.optim.Muon([theirs], lr=0.1, weight_decay=0, momentum=0.9)
    memory: dict[str, torch.Tensor] = {}
    for _ in range(5):
        gradient = torch.randn(ours.shape, generator=random)
        theirs.grad = gradient.flatten(1).clone()
        optimiser.step()
        ours = ours - 0.1 * muon_step(gradient, memory)
    moved = ours.flatten(1) - theirs.detach()
    # Torch computes in bfloat16, with eight bits of precision.
    assert moved.norm() < 0.02 * theirs.detach().norm()
