"""The neural networks; each takes (noisy picture, time, character ids)."""
