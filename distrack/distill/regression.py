"""Kernel ridge regression: how well the tracks of all classes predict the classes of real clips."""

import torch
from torch import Tensor

# Strength of the regularisation, in units of the tracks' mean squared length and the root of their number.
_RIDGE = 0.01
# Real clips of all classes that are predicted, at most.
_MOST_CLIPS = 5000


def prediction_error(real: Tensor, synthetic: Tensor) -> Tensor:
    """Mean squared error of a ridge regression that learns the classes from tracks, about real clips; a scalar.

    It has a closed form: a network's last layer, trained to the end on the tracks alone. Where a distance compares each
    class with itself, this error knows which classes are taken for each other. Both sides are centred on the mean of
    the real clips and divided by their root mean squared length. A target is one for the class and zero for the others,
    less the mean.

    Args:
        real: embeddings of real clips, class by class; of many classes some clips of each are enough.
        synthetic: embeddings of the tracks, class by class.

    Shape:
        - real: ``[classes, n, d]``
        - synthetic: ``[classes, m, d]``

    Source:
        Zhou, Nezhadarya and Ba, "Dataset Distillation using Neural Feature Regression" (FRePo), NeurIPS 2022; Loo,
        Hasani, Amini and Rus, "Efficient Dataset Distillation using Random Feature Approximation" (RFAD), NeurIPS 2022.

    >>> far = torch.tensor([[[1.0, 0.0]], [[-1.0, 0.0]]])
    >>> round(prediction_error(far, far).item(), 3), round(prediction_error(far, -far).item(), 1)
    (0.0, 2.0)
    """
    classes, tracks, size = synthetic.shape
    real = real[:, : max(1, _MOST_CLIPS // classes)]
    centre = real.mean((0, 1))
    clips, learnt = (side.sub(centre).flatten(0, 1) for side in (real, synthetic))
    # Clips that are all alike have no length, and tracks that are far from them would have any.
    length = _length(clips).maximum(1e-4 * _length(learnt.detach())).clamp_min(torch.finfo(clips.dtype).tiny)
    clips, learnt = clips / length, learnt / length
    targets = torch.eye(classes, device=real.device, dtype=real.dtype) - 1 / classes
    wanted = targets.repeat_interleave(tracks, 0)
    # Tracks that lie at the mean of the clips have no length.
    squared = learnt.detach().square().sum(1).mean().clamp_min(0.1)
    ridge = _RIDGE * squared * len(learnt) ** 0.5
    if len(learnt) <= size:
        gram = learnt @ learnt.T
        weights = learnt.T @ _solved(gram, ridge, wanted)
    else:
        gram = learnt.T @ learnt
        weights = _solved(gram, ridge, learnt.T @ wanted)
    error: Tensor = (clips @ weights - targets.repeat_interleave(real.shape[1], 0)).square().sum(1).mean()
    return error


def _length(vectors: Tensor) -> Tensor:
    """Root mean squared length, without overflow."""
    largest = vectors.abs().amax().clamp_min(torch.finfo(vectors.dtype).tiny)
    length: Tensor = largest * (vectors / largest).square().sum(1).mean().sqrt()
    return length


def _solved(gram: Tensor, ridge: Tensor, wanted: Tensor) -> Tensor:
    """Solution of ``(gram + ridge I) x = wanted``; it does not wait for an accelerator to say whether there is one."""
    regular = gram + ridge * torch.eye(len(gram), device=gram.device, dtype=gram.dtype)
    solution: Tensor = torch.linalg.solve_ex(regular, wanted)[0]
    return solution
