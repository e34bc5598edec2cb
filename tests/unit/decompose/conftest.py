"""Tests of events use small kinds of event of their own, which are registered for the duration of each test."""

import pytest

from tests.tones import registered


@pytest.fixture(autouse=True)
def _tone_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    registered(monkeypatch)
