"""Experiments on one candidate of a run: make it again, stop it anywhere, and ask what if."""
