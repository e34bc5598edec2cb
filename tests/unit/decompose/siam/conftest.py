"""Trainings in tests draw few instruments and notes: their results are not used."""

import pytest

from distrack.decompose.siam import training


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "DESCRIPTIONS", 64)
    monkeypatch.setattr(training, "BATCH", 16)
    monkeypatch.setattr(training, "NOTES", 6)
    monkeypatch.setattr(training, "NOTE_SECONDS", 0.5)
    monkeypatch.setattr(training, "SCENES", 2)
    monkeypatch.setattr(training, "EVENTS", 2)
