"""Text to Generation: the only file that puts the parts together.

`Writer.write` is a generator: it yields its progress after every step, so that the caller shows, stops or
records. With an upscaler it is the seed's whole workflow: draw several small pictures, read them, remove the
worst, enlarge the others, read these, pick the best.

Legend: B candidates or large pictures, H and W pixels, T tokens.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from textdiff import alphabet
from textdiff.attention_capture import layers_of
from textdiff.checkpoints import Checkpoint, mismatch
from textdiff.cost import Pace, Speed
from textdiff.cuda_graph import graphs_of
from textdiff.denoiser import UPSCALER_GUIDANCE, Denoiser
from textdiff.model_rules import problem_with_request
from textdiff.networks.unet import UNet
from textdiff.noise_schedule import SHIFT, UPSCALER_SHIFT, sampling_times
from textdiff.pixels import to_uint8
from textdiff.ranking import best, rank, rank_upscaled, tile
from textdiff.readers import READERS, Reader, open_reader
from textdiff.request_rules import untouched
from textdiff.run_json import MAX_CANDIDATES
from textdiff.samplers import STEP_RULES, Move, candidate_seed, initial_noise, sample
from textdiff.similarity import matched_characters, trigram_similarity
from textdiff.step_records import recorded, recorded_large
from textdiff.trajectory import (
    Candidate,
    Generation,
    Reading,
    Request,
    Step,
    StepReading,
    Upscaled,
    UpscaledStep,
)

# Watching keeps every attention map of every step: more steps than this, over all candidates, would fill a
# small machine.
MAX_WATCHED_STEPS = 800


@dataclass(frozen=True)
class Limits:
    """What the model can be asked for."""

    size: int  # pixels a side
    max_characters: int
    max_lines: int
    large_size: int | None = None  # pixels a side of the large pictures; None without an upscaler


@dataclass(frozen=True, eq=False)
class Progress:
    """Where a run is. With large pictures there are two rounds: denoising, reading, upscaling, reading."""

    stage: str  # "denoising", "reading" or "upscaling"
    step: int  # steps taken in this round
    steps: int
    x0: np.ndarray  # (B, H, W, 3) uint8, the present guesses at the clean pictures


class Writer:
    """Answers requests with one model, and with an upscaler if there is one.

    Holds no state of a run, so several may interleave; all that it keeps is how fast they were. Raises
    ValueError if the two do not fit each other.
    """

    def __init__(
        self, checkpoint: Checkpoint, upscaler: Checkpoint | None = None, allow_download: bool = False
    ) -> None:
        if problem := mismatch(checkpoint, upscaler):
            raise ValueError(problem)
        config = checkpoint.network.config
        self.name = checkpoint.name
        self.limits = Limits(
            size=config.image_size,
            max_characters=config.max_characters,
            max_lines=config.max_lines,
            large_size=upscaler.network.config.image_size if upscaler else None,
        )
        self.readers = tuple(READERS)
        self._checkpoint = checkpoint
        self._upscaler = upscaler
        self._pace = Pace()
        self._rehearsing = threading.Lock()
        self._reader = lru_cache(maxsize=None)(lambda name: open_reader(name, allow_download))

    def speed(self) -> Speed:
        """What runs have shown of this machine. Who asks before the first one has two short ones rehearsed.

        It is the second that counts; the first loads and warms whatever a run needs. Raises ValueError if
        nothing can be read here.
        """
        with self._rehearsing:  # a class that opens the page together needs one rehearsal
            if self._pace.speed is None:
                pace = Pace(Speed(small=0.0, large=None if self._upscaler is None else 0.0, reading=0.0))
                for _ in range(2):
                    deque(pace.following(self.write(self._rehearsal())), maxlen=0)  # to its end
                self._pace.speed = pace.speed
        return self._pace.speed

    def _rehearsal(self) -> Request:
        """What is usual, with fewer steps, and two of the upscaler: `cost.learnt` learns nothing from one."""
        usual = untouched(self._upscaler is not None, self._checkpoint.network.config.distilled_guidance)
        text = "rehearsal"[: self.limits.max_characters]
        return replace(usual, text=text, steps=4, upscaler_steps=2, watch=False)

    def problem_with(self, request: Request) -> str | None:
        """One sentence for the person who asked if the request cannot be answered, else None."""
        if problem := problem_with_request(request, self._checkpoint.network.config):
            return problem
        if request.upscaled and self._upscaler is None:
            return "There is no upscaler here, so the number of large pictures must be 0."
        if request.watch and request.candidates * request.steps > MAX_WATCHED_STEPS:
            return (
                f"With attention, candidates times steps can be at most {MAX_WATCHED_STEPS}; "
                "take fewer, or do not keep the attention."
            )
        try:
            self._reader(request.reader)
        except ValueError as error:
            return str(error)
        return None

    def write(
        self, request: Request, should_stop: Callable[[], bool] = lambda: False
    ) -> Iterator[Progress | Generation]:
        """Yields a Progress per step, one for each reading, and last the Generation.

        `should_stop` is asked after every step; once it says yes, what there is gets read, ranked and
        returned. Raises ValueError on a bad request.
        """
        yield from self._pace.following(self._run(request, should_stop))

    def _run(self, request: Request, should_stop: Callable[[], bool]) -> Iterator[Progress | Generation]:
        if problem := self.problem_with(request):
            raise ValueError(problem)
        began = time.monotonic()
        reader = self._reader(request.reader)
        layers = layers_of(self._checkpoint.network) if request.watch else ()
        seeds = [candidate_seed(request.seed, index) for index in range(request.candidates)]
        steps: list[list[Step]] = [[] for _ in seeds]
        stopped = False
        for move in candidate_moves(self._checkpoint.network, request, seeds):
            for candidate, step in zip(steps, recorded(move, layers), strict=True):
                candidate.append(step)
            pictures = np.stack([to_uint8(candidate[-1].x0) for candidate in steps])
            yield Progress("denoising", move.index + 1, request.steps, pictures)
            stopped = move.index + 1 < request.steps and should_stop()
            if stopped:
                break
        yield Progress("reading", len(steps[0]), request.steps, pictures)
        candidates = judged(request, seeds, steps, pictures, reader.read(list(pictures)))
        winner = best([candidate.verdict for candidate in candidates])
        if request.readability and not stopped:
            candidates = _with_readability(request.text, candidates, winner, reader)

        upscaled: tuple[Upscaled, ...] = ()
        if request.upscaled and not stopped:
            upscaled, stopped = yield from self._upscale(request, candidates, reader, should_stop)
        yield Generation(
            request=request,
            model=self._checkpoint.name,
            model_sha256=self._checkpoint.sha256,
            reader=reader.name,
            layers=layers,
            candidates=candidates,
            best=winner,
            seconds=round(time.monotonic() - began, 2),
            stopped=stopped,
            upscaler=self._upscaler.name if upscaled else None,
            upscaler_sha256=self._upscaler.sha256 if upscaled else None,
            upscaled=upscaled,
            best_upscaled=best([one.verdict for one in upscaled]) if upscaled else None,
        )

    def _upscale(
        self,
        request: Request,
        candidates: tuple[Candidate, ...],
        reader: Reader,
        should_stop: Callable[[], bool],
    ) -> Generator[Progress, None, tuple[tuple[Upscaled, ...], bool]]:
        """The second round; returns the large pictures, and whether it was stopped."""
        if should_stop():
            return (), True
        sources = tile([candidate.verdict for candidate in candidates], request.upscaled)
        # Counted on from the last candidate that there can be: however many candidates there are, a large
        # picture has the same seed, and shares it with none of them.
        seeds = [candidate_seed(request.seed, MAX_CANDIDATES + k) for k in range(request.upscaled)]
        small = np.stack([candidates[source].final for source in sources])
        steps: list[list[UpscaledStep]] = [[] for _ in seeds]
        stopped = False
        for move in self._upscaler_moves(request, seeds, small):
            for picture, step in zip(steps, recorded_large(move), strict=True):
                picture.append(step)
            pictures = np.stack([picture[-1].x0 for picture in steps])
            yield Progress("upscaling", move.index + 1, request.upscaler_steps, pictures)
            stopped = move.index + 1 < request.upscaler_steps and should_stop()
            if stopped:
                break
        yield Progress("reading", len(steps[0]), request.upscaler_steps, pictures)
        readings = reader.read(list(pictures))
        verdicts = rank_upscaled(request.text, readings)
        upscaled = tuple(
            Upscaled(
                index=index,
                source=sources[index],
                seed=seeds[index],
                steps=tuple(steps[index]),
                final=pictures[index],
                reading=readings[index],
                verdict=verdicts[index],
            )
            for index in range(request.upscaled)
        )
        return upscaled, stopped

    def _upscaler_moves(self, request: Request, seeds: list[int], small: np.ndarray) -> Iterator[Move]:
        """`small` (B, H, W, 3) uint8."""
        network = self._upscaler.network
        given = torch.from_numpy(small).permute(0, 3, 1, 2).float() / 127.5 - 1
        noise, generators = initial_noise(seeds, (3, self.limits.large_size, self.limits.large_size))
        return sample(
            denoiser_for(network, request.text, len(seeds), UPSCALER_GUIDANCE, given),
            noise.to(device_of(network)),
            sampling_times(request.upscaler_steps, shift=UPSCALER_SHIFT),
            STEP_RULES[request.upscaler_sampler],
            generators,
        )


# ---- the parts of a run, which an experiment takes one by one


def candidate_moves(network: UNet, request: Request, seeds: Sequence[int]) -> Iterator[Move]:
    """The request's candidates with these seeds, step by step."""
    size = network.config.image_size
    noise, generators = initial_noise(seeds, (3, size, size))
    return sample(
        denoiser_for(network, request.text, len(seeds), request.guidance, one_call=request.one_call),
        noise.to(device_of(network)),
        sampling_times(request.steps, shift=SHIFT),
        STEP_RULES[request.sampler],
        generators,
        watch=request.watch,
    )


def denoiser_for(
    network: UNet,
    text: str,
    count: int,
    guidance: float,
    small: Tensor | None = None,
    one_call: bool = False,
) -> Denoiser:
    """The question about `count` pictures of one text."""
    device = device_of(network)
    autocast = compute_type(device)
    return Denoiser(
        network=network,
        ids=torch.from_numpy(alphabet.encode([text] * count, len(text))).to(device),
        null_ids=torch.from_numpy(alphabet.null_prompt(1, len(text))).to(device),
        guidance=guidance,
        one_call=one_call,
        small=None if small is None else small.to(device),
        autocast=autocast,
        ask=graphs_of(network) if device.type == "cuda" else None,
    )


def device_of(network: UNet) -> torch.device:
    """Where the network computes."""
    return next(network.parameters()).device


def judged(
    request: Request, seeds: list[int], steps: list[list[Step]], pictures: np.ndarray, readings: list[Reading]
) -> tuple[Candidate, ...]:
    """Candidates with the ranking's verdicts on their readings."""
    verdicts = rank(request.text, readings, request.keep_only_if_above, request.delete_under)
    return tuple(
        Candidate(
            index=index,
            seed=seeds[index],
            steps=tuple(steps[index]),
            final=pictures[index],
            reading=readings[index],
            verdict=verdicts[index],
        )
        for index in range(len(seeds))
    )


def compute_type(device: torch.device) -> torch.dtype | None:
    """bf16 where the processor multiplies it natively, else None for float32 throughout."""
    native = device.type == "cuda" or torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.bfloat16 if native else None


def _with_readability(
    text: str, candidates: tuple[Candidate, ...], index: int, reader: Reader
) -> tuple[Candidate, ...]:
    """The candidates, number `index` with what can be read in its guess at every step."""
    guesses = [to_uint8(step.x0) for step in candidates[index].steps]
    readability = tuple(
        StepReading(
            text=reading.text,
            similarity=trigram_similarity(text, reading.text),
            right=matched_characters(text, reading.text),
        )
        for reading in reader.read(guesses)
    )
    chosen = replace(candidates[index], readability=readability)
    return (*candidates[:index], chosen, *candidates[index + 1 :])
