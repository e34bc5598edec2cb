"""Series of distillations: sweeps and temporal condensations."""
