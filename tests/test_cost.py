"""The price of a run is told before it is started, and learnt from the runs before."""

from types import SimpleNamespace

import pytest
from fakes import fake_generation

from textdiff import cost as cost_file
from textdiff.cost import Lap, Pace, Speed, cost, in_words, learnt, spoken
from textdiff.trajectory import Request

SPEED = Speed(small=0.01, large=0.05, reading=0.2)
SIZES = 64, 128
REQUEST = Request(text="Hi", candidates=4, steps=20, readability=False, upscaler_steps=8)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (REQUEST, (4 * 20 * 2 * 0.01 + 4 * 0.2, 0)),
        (Request(text="", candidates=1, steps=5, guidance=1, readability=False), (5 * 0.01 + 0.2, 0)),
        (Request(text="", candidates=1, steps=5, guidance=1), (5 * 0.01 + 6 * 0.2, 0)),
        (Request(text="", candidates=1, steps=1, readability=False, upscaled=3, upscaler_steps=8), None),
    ],
)
def test_a_run_costs_its_questions_and_its_readings(request_, expected):
    expected = expected or (0.02 + 0.2, 3 * (8 * 0.05 + 0.2))
    assert cost(request_, SPEED) == pytest.approx(expected)


def test_both_sizes_have_their_price_and_without_an_upscaler_there_is_one():
    assert in_words(REQUEST, SPEED, 64, None) == ("About 2.4 s on this machine.")
    assert in_words(REQUEST, SPEED, *SIZES) == (
        "About 2.4 s on this machine; each large picture, 128 px, would add 0.6 s."
    )
    large = Request(text="", candidates=4, steps=20, readability=False, upscaled=20, upscaler_steps=8)
    assert in_words(large, SPEED, *SIZES) == "About 14 s on this machine: 2.4 s at 64 px and 12 s at 128 px."


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.01, "0.1 s"), (9.94, "9.9 s"), (9.96, "10 s"), (119, "119 s"), (150.1, "3 min")]
)
def test_no_more_is_said_than_is_known(seconds, words):
    assert spoken(seconds) == words


def lap_times(generation, speed: Speed) -> list[Lap]:
    """What a machine of this speed would take for the events of such a run."""
    request = generation.request
    step, large = request.candidates * 2 * speed.small, request.upscaled * (speed.large or 0)
    read = speed.reading * (request.candidates + request.readability * request.steps)
    laps = [Lap("denoising", step)] * request.steps + [Lap("reading", 0.0)]
    if not request.upscaled:
        return [*laps, Lap(None, read)]
    first = Lap("upscaling", read + large)
    rest = [Lap("upscaling", large)] * (request.upscaler_steps - 1)
    return [*laps, first, *rest, Lap("reading", 0.0), Lap(None, speed.reading * request.upscaled)]


@pytest.mark.parametrize(("upscaled", "upscaler_steps"), [(0, 5), (3, 5), (3, 2), (3, 1)])
def test_a_run_teaches_the_speed_that_it_had(upscaled, upscaler_steps):
    """From a single step of the upscaler nothing is learnt: nobody sees where the reading before it ended."""
    generation = fake_generation(
        "Hi", candidates=2, steps=4, upscaled=upscaled, upscaler_steps=upscaler_steps, readability=True
    )
    large = 0.7 if upscaled and upscaler_steps > 1 else SPEED.large
    true = Speed(small=0.3, large=large, reading=0.4)
    found = learnt(SPEED, generation, lap_times(generation, true))
    for name in ("small", "large", "reading"):
        assert getattr(found, name) == pytest.approx(getattr(true, name)), name


def test_a_slow_first_step_does_not_count_and_a_stopped_run_says_nothing_of_reading():
    generation = fake_generation("Hi", candidates=1, steps=3)
    laps = [
        Lap("denoising", 9.0),
        Lap("denoising", 1.0),
        Lap("denoising", 1.0),
        Lap("reading", 0),
        Lap(None, 3),
    ]
    assert learnt(SPEED, generation, laps) == Speed(small=0.5, large=0.05, reading=3.0)
    object.__setattr__(generation, "stopped", True)
    assert learnt(SPEED, generation, laps) == Speed(small=0.5, large=0.05, reading=0.2)


def test_the_pace_passes_every_event_on_and_does_not_count_the_time_of_the_caller(monkeypatch):
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(cost_file.time, "monotonic", lambda: clock.now)
    generation = fake_generation("Hi", candidates=1, steps=2)

    def run():
        for stage, seconds in [("denoising", 2), ("denoising", 2), ("reading", 0)]:
            clock.now += seconds
            yield SimpleNamespace(stage=stage)
        clock.now += 5
        yield generation

    pace = Pace()
    assert list(pace.following(run()))[-1] is generation and pace.speed is None
    pace.speed = SPEED
    for _ in pace.following(run()):
        clock.now += 100
    assert pace.speed == Speed(small=1.0, large=0.05, reading=5.0)
