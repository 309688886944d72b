"""Other people's ways to compute about the same, each where its packages are (requirements-bench.txt).

Legend: B pictures, T tokens.
"""

import io
from collections.abc import Callable
from importlib.metadata import version

import numpy as np
import torch
from torch import Tensor, nn

from textdiff.bench.measure import flops
from textdiff.networks.unet import UNet
from textdiff.readers.easyocr import import_easyocr

Question = tuple[Tensor, Tensor, Tensor]  # x (B, 3, H, W), t (B,), ids (B, T)
FAR_OFF = 0.05  # mean difference over mean size


class Missing(Exception):
    """This rival cannot run here; says why."""


def diffusers_unet(
    network: UNet, question: Question, dtype: torch.dtype
) -> tuple[str, Callable[[], object], int]:
    """Name, call and FLOPs of a UNet2DConditionModel, untrained, with about as many FLOPs as `network`."""
    import_easyocr()  # mends a torchvision that does not import beside this torch: diffusers needs it, too
    try:
        from diffusers import UNet2DConditionModel
    except ImportError as error:
        raise Missing("not installed") from error
    x, t, ids = question
    width, size = network.config.text_width, network.config.image_size
    text = torch.randn(*ids.shape, width)

    def build(channels: int) -> nn.Module:
        return UNet2DConditionModel(
            sample_size=size,
            block_out_channels=(channels, 2 * channels, 2 * channels),
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            in_channels=3,
            out_channels=3,
            cross_attention_dim=width,
            attention_head_dim=8,
            norm_num_groups=8,
        )

    def cost(channels: int) -> int:
        with torch.device("meta"):
            model, given = build(channels), [torch.empty_like(part, device="meta") for part in (x, t, text)]
        return flops(lambda: model(*given))

    with torch.no_grad():
        wanted = flops(lambda: network(*question))
        channels = min(range(16, 129, 8), key=lambda channels: abs(cost(channels) - wanted))
        done = cost(channels)
    model = build(channels).to(dtype).eval().requires_grad_(False)
    x, text = x.to(dtype), text.to(dtype)

    @torch.no_grad()
    def call() -> object:
        return model(x, 1000 * t, text)

    kind = str(dtype).removeprefix("torch.")
    return f"diffusers {version('diffusers')} UNet2DConditionModel, {kind}", call, done


def onnx_runtime(network: UNet, question: Question, threads: int) -> tuple[str, Callable[[], object]]:
    """Our own network, exported to ONNX Runtime, in float32."""
    model = _as_onnx(network, question)
    import onnxruntime  # the recogniser brings it

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Otherwise its threads go on waiting busily while whoever comes next is measured.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]
    feed = {name: part.numpy() for name, part in zip(names, question, strict=True)}
    must_agree(network, question, session.run(None, feed)[0])
    return f"ONNX Runtime {onnxruntime.__version__}, float32", lambda: session.run(None, feed)


def openvino(network: UNet, question: Question, threads: int) -> tuple[str, Callable[[], object]]:
    """Our own network, read by OpenVINO from ONNX, in the precision that it chooses."""
    try:
        import openvino
    except ImportError as error:
        raise Missing("not installed") from error
    core = openvino.Core()
    settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
    model = core.compile_model(core.read_model(_as_onnx(network, question)), "CPU", settings)
    given = [part.numpy() for part in question]
    must_agree(network, question, model(given)[0])
    precision = model.get_property("INFERENCE_PRECISION_HINT").get_type_name()
    return f"OpenVINO {version('openvino')}, {precision}", lambda: model(given)


def _as_onnx(network: UNet, question: Question) -> bytes:
    try:
        import onnx  # noqa: F401  (torch's exporter needs both)
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise Missing("not installed") from error
    file = io.BytesIO()
    with torch.no_grad():  # as it is sampled
        torch.onnx.export(network, question, dynamo=True, verbose=False).save(file)
    return file.getvalue()


@torch.no_grad()
def must_agree(network: UNet, question: Question, answer: np.ndarray) -> None:
    """Raises Missing: an engine that answers something else is no rival. bfloat16 is about 1 % off."""
    ours = network(*question)
    off = ((torch.from_numpy(answer) - ours).abs().mean() / ours.abs().mean()).item()
    if not off < FAR_OFF:
        raise Missing(f"answers something else, {off:.0%} off")
