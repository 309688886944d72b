from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch
from oracles import Recorder, ids_of, lively_unet, lively_upscaler, null_ids
from torch import nn

from textdiff.attention_capture import watch_attention
from textdiff.config import PRESETS
from textdiff.denoiser import Denoiser
from textdiff.noise_schedule import SCHEDULES, cosine, level, linear
from textdiff.prediction import x0_from_velocity

IDS = ids_of("Hi", "a\nb", "", "textdiff")
X_T = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(5))
T = 0.6
every_guidance = pytest.mark.parametrize("guidance", [1.0, 3.0])


class Says(nn.Module):
    """Predicts the velocity `v` for texts, and `v_null` for the null prompt."""

    schedule = staticmethod(cosine)

    def __init__(self, v, v_null=0.0):
        super().__init__()
        self.v, self.v_null = v, v_null

    def forward(self, x, t, ids):
        is_null = (ids == null_ids().to(ids)).all(1)[:, None, None, None]
        return torch.where(is_null, self.v_null, self.v).expand(len(ids), *x.shape[1:])


@pytest.fixture(scope="module")
def network():
    return lively_unet()


def trained_with(network, schedule):
    """The same network, had it been trained with another schedule."""
    other = Recorder(network)
    other.schedule = schedule
    return other


@contextmanager
def shared_by(threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def denoiser(network, **changes):
    return Denoiser(**{"network": network, "ids": IDS, "null_ids": null_ids(), **changes})


@every_guidance
@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
@pytest.mark.parametrize("clamp", [True, False])
def test_the_two_guesses_always_add_up_to_the_noisy_picture(network, schedule, guidance, clamp):
    for t in (0.004, 0.5, 0.999):
        belief = denoiser(trained_with(network, schedule), guidance=guidance, clamp=clamp)(X_T, t)
        alpha, sigma = level(schedule, t)
        torch.testing.assert_close(alpha * belief.x0 + sigma * belief.eps, X_T, rtol=0, atol=1e-5)


def test_guesses_stay_inside_the_range_of_pictures_unless_told_otherwise():
    network = Says(v=-2.0, v_null=2.0)
    clamped, free = (
        denoiser(network, guidance=3.0)(X_T, T),
        denoiser(network, guidance=3.0, clamp=False)(X_T, T),
    )
    assert free.x0.abs().max() > 1 and free.x0_unconditional.abs().max() > 1
    assert torch.equal(clamped.x0, free.x0.clamp(-1, 1))
    assert torch.equal(clamped.x0_unconditional, free.x0_unconditional.clamp(-1, 1))


def test_without_guidance_the_network_is_asked_with_the_text_only(network):
    recorder = Recorder(network)
    belief = denoiser(recorder)(X_T, T)
    ((x, t, ids),) = recorder.questions
    assert torch.equal(x, X_T) and torch.equal(ids, IDS)
    assert torch.equal(t, torch.tensor([T]))  # one for all
    assert belief.x0_unconditional is None
    with torch.no_grad():
        v = network(x, t, ids)
    assert torch.equal(belief.x0, x0_from_velocity(X_T, v, *level(cosine, T)).clamp(-1, 1))


def test_with_guidance_both_texts_of_all_candidates_go_through_the_network_in_one_batch(network):
    recorder = Recorder(network)
    denoiser(recorder, guidance=2.0)(X_T, T)
    ((x, t, ids),) = recorder.questions
    assert torch.equal(x, X_T)
    assert torch.equal(ids, torch.cat([IDS, null_ids(4)]))
    assert torch.equal(t, torch.tensor([T]))


def test_guidance_goes_from_the_guess_without_text_through_the_one_with_it_and_beyond():
    alpha, sigma = level(cosine, T)
    belief = denoiser(Says(v=0.3, v_null=0.1), guidance=3.0, clamp=False)(X_T, T)
    torch.testing.assert_close(belief.x0_unconditional, alpha * X_T - sigma * 0.1)
    torch.testing.assert_close(belief.x0, alpha * X_T - sigma * (0.1 + 3 * (0.3 - 0.1)))  # guided in v


def test_guiding_the_picture_is_guiding_the_noise(network):
    """The textbook formula on eps, from two plain passes, gives what the denoiser computes on x0."""
    with_text = denoiser(network, clamp=False)(X_T, T).eps
    without = denoiser(network, ids=null_ids(4), clamp=False)(X_T, T).eps
    guided = denoiser(network, guidance=4.0, clamp=False)(X_T, T).eps
    assert not torch.allclose(guided, with_text, atol=1e-3)
    torch.testing.assert_close(guided, without + 4 * (with_text - without), rtol=1e-4, atol=1e-5)


def test_outside_its_interval_guidance_is_left_out_and_costs_nothing(network):
    recorder = Recorder(network)
    ask = denoiser(recorder, guidance=3.0, guided_between=(0.3, 0.7))
    for t, guided in ((0.2, False), (0.3, True), (0.7, True), (0.8, False)):
        belief = ask(X_T, t)
        expected = denoiser(network, guidance=3.0 if guided else 1.0)(X_T, t)
        assert torch.equal(belief.x0, expected.x0)
        assert (belief.x0_unconditional is not None) == guided
    assert [len(ids) for _, _, ids in recorder.questions] == [4, 8, 8, 4]


def test_guidance_of_zero_ignores_the_text(network):
    belief = denoiser(network, guidance=0.0)(X_T, T)
    assert torch.equal(belief.x0, belief.x0_unconditional)


def test_the_empty_text_is_another_condition_than_no_text(network):
    empty, null = denoiser(network, ids=ids_of("")), denoiser(network, ids=null_ids())
    assert not torch.allclose(empty(X_T[:1], T).x0, null(X_T[:1], T).x0, atol=1e-3)


def test_the_schedule_decides_what_the_prediction_means(network):
    belief = denoiser(trained_with(network, linear), clamp=False)(X_T, T)
    assert not torch.allclose(belief.x0, denoiser(network, clamp=False)(X_T, T).x0, atol=1e-3)


def test_the_schedule_is_the_one_that_the_network_s_config_asks_for():
    shifted = replace(PRESETS["tiny"].model, log_snr_shift=-1.4)
    ask = denoiser(lively_unet(shifted))
    assert level(ask.schedule, T).log_ratio == pytest.approx(level(cosine, T).log_ratio - 0.7)


@every_guidance
def test_an_upscaler_gets_each_candidate_s_own_small_picture_clean(guidance):
    recorder = Recorder(lively_upscaler())
    small = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(6))
    x_t = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(7))
    denoiser(recorder, guidance=guidance, small=small)(x_t, T)
    ((x, _, ids, given, small_t),) = recorder.questions
    assert torch.equal(x, x_t) and len(ids) == (4 if guidance == 1 else 8)
    assert torch.equal(given, small) and not small_t.any()


@every_guidance
@pytest.mark.parametrize("autocast", [None, torch.bfloat16])
def test_a_candidate_alone_equals_itself_among_others_of_its_text_bit_by_bit(network, guidance, autocast):
    ids = ids_of(*4 * ["a\nb"])
    together = denoiser(network, ids=ids, guidance=guidance, autocast=autocast)(X_T, T, watch=True)
    for k in range(4):
        alone = denoiser(network, ids=ids[k : k + 1], guidance=guidance, autocast=autocast)
        belief = alone(X_T[k : k + 1], T, watch=True)
        assert torch.equal(belief.x0[0], together.x0[k]) and torch.equal(belief.eps[0], together.eps[k])
        for name, weights in together.attention.items():
            assert torch.equal(belief.attention[name][0], weights[k])


@pytest.mark.parametrize("threads", [2, 3, 4])
@pytest.mark.parametrize("autocast", [None, torch.bfloat16])
@pytest.mark.parametrize("preset", ["first-words", "upscaler"])
def test_so_does_a_large_one_however_many_threads_share_out_the_batch(preset, autocast, threads):
    config = PRESETS[preset].model
    make, size = (lively_upscaler if preset == "upscaler" else lively_unet), config.image_size
    network, draw = make(config), torch.Generator().manual_seed(8)
    x_t = torch.randn(4, 3, size, size, generator=draw)
    small = torch.randn(4, 3, size // 2, size // 2, generator=draw) if preset == "upscaler" else None
    ids, null = ids_of(*4 * ["Hello,\nworld"], config=config), null_ids(config=config)

    def ask(part):
        given = None if small is None else small[part]
        asked = denoiser(network, ids=ids[part], null_ids=null, guidance=3.0, autocast=autocast, small=given)
        return asked(x_t[part], T, watch=True)

    with shared_by(threads):
        together = ask(slice(0, 4))
        for part in (slice(0, 1), slice(3, 4), slice(1, 3), slice(1, 4)):
            belief = ask(part)
            assert torch.equal(belief.x0, together.x0[part])
            for name, weights in together.attention.items():
                assert torch.equal(belief.attention[name], weights[part])


@pytest.mark.parametrize("autocast", [None, torch.bfloat16])
@pytest.mark.parametrize(("count", "asked"), [(1, 2), (2, 2), (3, 4), (4, 4)])
def test_an_odd_number_is_asked_as_an_even_one(network, count, asked, autocast):
    recorder = Recorder(network)
    belief = denoiser(recorder, ids=IDS[:count], autocast=autocast)(X_T[:count], T)
    ((x, _, ids),) = recorder.questions
    assert len(x) == len(ids) == asked and len(belief.x0) == count
    assert torch.equal(x[:count], X_T[:count]) and torch.equal(ids[-1], IDS[count - 1])


@every_guidance
def test_attention_is_kept_of_the_pass_with_the_text_only(network, guidance):
    belief = denoiser(network, guidance=guidance)(X_T, T, watch=True)
    with watch_attention(network) as seen, torch.no_grad():
        network(X_T, torch.full((4,), T), IDS)
    assert list(belief.attention) == list(seen)
    for name, weights in seen.items():
        torch.testing.assert_close(belief.attention[name], weights, rtol=1e-4, atol=1e-5)


@every_guidance
def test_watching_does_not_change_one_bit(network, guidance):
    watched = denoiser(network, guidance=guidance)(X_T, T, watch=True)
    unwatched = denoiser(network, guidance=guidance)(X_T, T)
    assert torch.equal(watched.x0, unwatched.x0) and torch.equal(watched.eps, unwatched.eps)
    assert unwatched.attention == {}


def test_the_network_may_compute_in_bfloat16_while_the_guesses_stay_float32(network):
    seen = []
    handle = network.out.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    try:
        belief = denoiser(network, guidance=3.0, autocast=torch.bfloat16)(X_T, T)
    finally:
        handle.remove()
    assert set(seen) == {torch.bfloat16}
    assert belief.x0.dtype == belief.eps.dtype == belief.x0_unconditional.dtype == torch.float32
    torch.testing.assert_close(belief.x0, denoiser(network, guidance=3.0)(X_T, T).x0, rtol=0, atol=0.1)


def test_a_bfloat16_prediction_is_not_rounded_again_on_the_way_to_the_picture():
    v = torch.tensor(0.3, dtype=torch.bfloat16)
    alpha, sigma = level(cosine, T)
    belief = denoiser(Says(v), clamp=False)(X_T, T)
    assert torch.equal(belief.x0, alpha * X_T - sigma * v.float())


def test_asking_builds_no_graph_and_leaves_the_callers_grad_mode_alone(network):
    with torch.enable_grad():
        assert not denoiser(network)(X_T, T).x0.requires_grad
        assert torch.is_grad_enabled()


def test_one_text_for_each_picture_is_our_own_duty(network):
    with pytest.raises(AssertionError, match="1 small pictures"):
        denoiser(network, small=torch.zeros(1, 3, 8, 8))(X_T, T)
    with pytest.raises(AssertionError, match="4 pictures for 2 texts"):
        replace(denoiser(network), ids=IDS[:2])(X_T, T)
