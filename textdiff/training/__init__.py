"""Training: synthetic data, loss, loop and measurements. Nothing outside this package imports it."""
