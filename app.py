"""Start the app: flags, model, page, launch."""

import argparse
import os
import signal
import sys
import tempfile
from pathlib import Path

ASSETS = Path(__file__).parent / "assets"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 lets other machines in")
    parser.add_argument("--port", type=int, help="default: the first free one from 7860")
    parser.add_argument("--weights", type=Path, help="a .safetensors file with its .json beside it")
    parser.add_argument("--upscaler-weights", type=Path, help="default: NAME-upscaler beside NAME, if any")
    parser.add_argument("--auth", metavar="USER:PASSWORD", help="ask visitors for these")
    options = parser.parse_args()
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # gradio reads it while it is imported
    from textdiff.ui.page import build_page
    from textdiff.ui.serving import launch_settings
    from textdiff.weight_files import SHIPPED, upscaler_beside

    weights = options.weights or SHIPPED
    upscaler = options.upscaler_weights or upscaler_beside(weights)

    def get_writer():  # called behind the page, which answers first
        from textdiff.checkpoints import load_checkpoint
        from textdiff.experiments.laboratory import Laboratory

        return Laboratory(load_checkpoint(weights), load_checkpoint(upscaler) if upscaler else None)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # so that the runs of visitors are removed then, too
    with tempfile.TemporaryDirectory(prefix="textdiff-") as runs:
        folders = ASSETS / "runs", Path(runs)
        auth = tuple(options.auth.split(":", 1)) if options.auth else None
        settings = launch_settings(*folders) | {"server_name": options.host, "server_port": options.port}
        build_page(get_writer, *folders, large=upscaler is not None).launch(auth=auth, **settings)


if __name__ == "__main__":
    main()
