"""Start the app: flags, model, page, launch."""

import argparse
import os
import signal
import sys
import tempfile
from pathlib import Path

ASSETS = Path(__file__).parent / "assets"


def main() -> None:
    variables = "TEXTDIFF_HOST, TEXTDIFF_PORT and TEXTDIFF_QUEUE in the environment do for the first three."
    parser = argparse.ArgumentParser(description=__doc__, epilog=variables)
    parser.add_argument("--host", default=set_as("HOST", "127.0.0.1"), help="0.0.0.0 lets other machines in")
    parser.add_argument("--port", type=int, default=set_as("PORT"), help="else the first free one from 7860")
    parser.add_argument("--queue", type=int, default=set_as("QUEUE"), help="how many may wait for the model")
    parser.add_argument("--weights", type=Path, help="a .safetensors file with its .json beside it")
    parser.add_argument("--upscaler-weights", type=Path, help="default: NAME-upscaler beside NAME, if any")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--auth", metavar="USER:PASSWORD", help="ask visitors for these")
    options = parser.parse_args()
    if options.queue is not None and options.queue < 1:
        parser.error("somebody must be able to wait")
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # gradio reads it while it is imported
    from textdiff.ui.quick_import import without_stubs

    with without_stubs():
        from textdiff.ui.line import WAITING
        from textdiff.ui.page import build_page
        from textdiff.ui.serving import launch_settings
    from textdiff.weight_files import SHIPPED, guided_in_one_call, upscaler_beside

    weights = options.weights or SHIPPED
    upscaler = options.upscaler_weights or upscaler_beside(weights)

    def get_writer():  # called behind the page, which answers first
        from textdiff.checkpoints import load_checkpoint
        from textdiff.experiments.laboratory import Laboratory

        large = load_checkpoint(upscaler, options.device) if upscaler else None
        return Laboratory(load_checkpoint(weights, options.device), large)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # so that the runs of visitors are removed then, too
    with tempfile.TemporaryDirectory(prefix="textdiff-") as runs:
        folders = ASSETS / "runs", Path(runs)
        auth = tuple(options.auth.split(":", 1)) if options.auth else None
        settings = launch_settings(*folders) | {"server_name": options.host, "server_port": options.port}
        page = build_page(
            get_writer,
            *folders,
            large=upscaler is not None,
            one_call=guided_in_one_call(weights),
            waiting=options.queue or WAITING,
        )
        page.launch(auth=auth, **settings)


def set_as(name: str, otherwise: str | None = None) -> str | None:
    """What the environment says, as in a container."""
    return os.environ.get(f"TEXTDIFF_{name}") or otherwise


if __name__ == "__main__":
    main()
