"""The listening: sounds that a run's tracks are compared with."""
