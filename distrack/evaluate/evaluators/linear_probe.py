"""The linear probe: logistic regression on statistics of cepstral coefficients, a measurement without a network."""

import numpy as np
import torch
import torchaudio
from torch import Tensor

from distrack.evaluate.contract import EVALUATORS, Evaluator, Trial

# Cepstral coefficients of an image with more bands than this; the bands of a smaller image are its coefficients.
_COEFFICIENTS = 20


def linear_probe(trial: Trial) -> Tensor:
    """Fits a logistic regression. The fit is deterministic: seeds matter only where they select other clips."""
    # Imported here because loading scikit-learn takes longer than the fit.
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    training = trial.training.examples(trial.device)
    statistics = [cepstral_statistics(images).cpu().numpy() for images, _ in training.batches(trial.device)]
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    model.fit(np.concatenate(statistics), training.labels.numpy())
    trial.progress(len(training), len(training))
    return trial.predicted(lambda images: torch.from_numpy(model.predict(cepstral_statistics(images).cpu().numpy())))


def cepstral_statistics(images: Tensor) -> Tensor:
    """Mean and standard deviation over time of cepstral coefficients, and their mean absolute change between frames.

    The coefficients of a log-mel image are its MFCCs, up to the normalisation. The bands of an MFCC image or a
    chromagram are used as they are.

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
    "linear-probe",
    Evaluator(linear_probe, lambda _: "cepstral statistics", "Logistic regression on cepstral statistics"),
)
