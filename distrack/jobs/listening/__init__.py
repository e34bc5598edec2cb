"""The listening: sounds that a run's tracks are compared with, and the blind test that is made of them."""

from distrack.jobs.listening.job import ListeningJob, listening_of
from distrack.jobs.listening.sounds import Listening, Source

__all__ = ["Listening", "ListeningJob", "Source", "listening_of"]
