"""The distillation: its config as a job, and its work."""
