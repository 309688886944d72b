"""Stands in for the training command: writes what that writes, and lasts for so many seconds, or fails."""

import json
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = 4


def picture(checkpoint: int, letter: int) -> np.ndarray:
    """What the fake has drawn: one level, another for every letter and checkpoint."""
    return np.full((SIZE, SIZE, 3), 20 * checkpoint + letter, dtype=np.uint8)


def main() -> None:
    letters, checkpoints, seconds = (int(word) for word in sys.argv[1:4])
    out = Path(sys.argv[sys.argv.index("--out") + 1])
    if not checkpoints:
        sys.exit("no letters here")
    out.mkdir()
    (out / "config.json").write_text("{}")
    for checkpoint in range(1, checkpoints + 1):
        pictures = 100 * checkpoint
        with (out / "log.jsonl").open("a") as log:
            log.write(json.dumps({"pictures": pictures, "loss": 1 / checkpoint}) + "\n")
            log.write(json.dumps({"pictures": pictures, "letter_gap_0.35": 0.5}) + "\n")
        strip = np.full((2 * SIZE, letters * (2 * SIZE + 2) - 2, 3), 255, dtype=np.uint8)
        for letter in range(letters):
            left = letter * (2 * SIZE + 2)
            strip[:, left : left + 2 * SIZE] = picture(checkpoint, letter)[0, 0]
        Image.fromarray(strip).save(out / f"strip-{pictures:08d}.png")
    time.sleep(seconds)


if __name__ == "__main__":
    main()
