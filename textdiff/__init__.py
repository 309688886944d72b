"""textdiff: a small diffusion model that writes the text of its prompt into the picture, in a glass box."""
