"""The linear probe: logistic regression on classical statistics of cepstra, a check that knows no network."""

import torch
import torchaudio
from torch import Tensor

from distrack.datasets.contract import Progress
from distrack.evaluate.config import EvaluationConfig
from distrack.evaluate.contract import EVALUATORS, Evaluator, Examined, TrainingSet

# Of an image with more bands, so many cepstral coefficients; one with as many or fewer is taken as it is.
_COEFFICIENTS = 20


def linear_probe(
    training: TrainingSet,
    test: Examined,
    config: EvaluationConfig,  # noqa: ARG001
    *,
    clips: TrainingSet,  # noqa: ARG001
    seed: int,  # noqa: ARG001
    device: torch.device,
    progress: Progress,
) -> Tensor:
    """Fits once, with no chance in it: seeds differ only where the training sets do."""
    # Imported here: it takes longer than the fit.
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    training = training.examples(device)
    examples = torch.cat([cepstral_statistics(images).cpu() for images, _ in training.batches(device)]).numpy()
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    model.fit(examples, training.labels.numpy())
    found = [
        torch.from_numpy(model.predict(cepstral_statistics(images).cpu().numpy())) for images, _ in test.batches(device)
    ]
    progress(len(training), len(training))
    return torch.cat(found)


def cepstral_statistics(images: Tensor) -> Tensor:
    """Mean and deviation over time of cepstral coefficients, and the mean size of their change from frame to frame.

    Of a log-mel image the coefficients are its MFCCs up to the normalisation; an MFCC image or a chromagram has
    coefficients of its own.

    Shape:
        - images: ``[n, 1, bands, frames]``
        - returns: ``[n, 3 * coefficients]`` float64

    Source:
        Davis and Mermelstein, "Comparison of Parametric Representations for Monosyllabic Word Recognition", IEEE
        Transactions on Acoustics, Speech, and Signal Processing 28(4), 1980, for the cosine transform of log mel bands.
    """
    values = images.squeeze(1).double()
    bands = values.shape[1]
    if bands > _COEFFICIENTS:
        basis = torchaudio.functional.create_dct(_COEFFICIENTS, bands, "ortho").to(values)
        values = basis.T @ values
    change = values.diff(dim=2).abs().mean(2) if values.shape[2] > 1 else torch.zeros_like(values[..., 0])
    return torch.cat([values.mean(2), values.std(2, correction=0), change], 1)


EVALUATORS.add(
    "linear-probe", Evaluator(linear_probe, lambda _: "cepstral statistics", "logistic regression, no network at all")
)
