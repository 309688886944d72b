from dataclasses import replace

import numpy as np
import pytest
import torch
from oracles import ids_of, lively_unet, null_ids
from training_runs import DiesInStep3, Killed, quick, refusal  # noqa: F401

from textdiff.checkpoints import build_network, load_checkpoint, save_checkpoint, take_over
from textdiff.config import MAX_DISTILLED_GUIDANCE, PRESETS, TrainConfig, overridden
from textdiff.denoiser import Denoiser
from textdiff.noise_schedule import cosine, level
from textdiff.prediction import x0_from_velocity
from textdiff.training import train
from textdiff.training.distillation import Lesson, draw_scales, guidance_missed, two_velocities
from textdiff.training.loss import diffusion_loss, draw_times
from textdiff.training.optimizer import make_optimizers
from textdiff.training.train import Budget, Trainer, main

TINY = overridden(PRESETS["tiny"], ["train.checkpoint_minutes=60", "train.warmup_steps=4"])
STUDENT = replace(TINY.model, distilled_guidance=True)
IDS = ids_of("Hi", "a\nb", "", "textdiff")
X_T = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(5))
T = torch.tensor([0.2, 0.5, 0.8, 0.95])
SCALES = torch.tensor([1.5, 0.0, 3.0, 8.0])


@pytest.fixture(scope="module")
def teacher():
    return lively_unet().requires_grad_(False)


@pytest.fixture(scope="module")
def weights(teacher, tmp_path_factory):
    path = tmp_path_factory.mktemp("teacher") / "teacher.safetensors"
    save_checkpoint(teacher, path, {})
    return path


def distilling(out, weights, preset=TINY):
    out.mkdir(exist_ok=True)
    return Trainer(preset, out, "cpu", 0, weights, teacher=weights)


# ---- the network


@torch.no_grad()
def test_a_network_that_has_not_yet_learnt_to_hear_the_scale_is_its_teacher_bit_by_bit(teacher):
    student = build_network(STUDENT).eval()
    taken, new = take_over(student, teacher)
    assert taken == sum(value.numel() for value in teacher.state_dict().values()) and 0 < new < 3 * 32 * 32
    answer = teacher(X_T, T, IDS)
    for scales in (None, SCALES, torch.tensor([5.0])):
        assert torch.equal(student(X_T, T, IDS, scales), answer)


@torch.no_grad()
def test_without_a_scale_a_distilled_network_is_the_ordinary_one_bit_by_bit():
    student = lively_unet(STUDENT)
    ordinary = build_network(TINY.model).eval()
    take_over(ordinary, student)
    answer, mixed = ordinary(X_T, T, IDS), student(X_T, T, IDS, SCALES)
    assert torch.equal(student(X_T, T, IDS), answer)
    assert torch.equal(student(X_T, T, IDS, torch.zeros(4)), answer)
    torch.testing.assert_close(mixed[1], answer[1], rtol=1e-4, atol=1e-5)
    assert not torch.isclose(mixed[0], answer[0], atol=1e-3).all()
    assert not torch.isclose(student(X_T, T, IDS, 2 * SCALES)[0], mixed[0], atol=1e-3).all()


def test_every_weight_of_a_distilled_network_is_trained_also_where_some_pictures_have_no_scale():
    student = lively_unet(STUDENT)
    student(X_T, T, IDS, SCALES).square().mean().backward()
    for name, weight in student.named_parameters():
        assert weight.grad is not None and weight.grad.isfinite().all() and weight.grad.any(), name


def test_an_upscaler_has_no_guidance_to_distil():
    with pytest.raises(ValueError, match="draws without guidance"):
        build_network(replace(PRESETS["tiny-upscaler"].model, distilled_guidance=True))


# ---- the lesson


def test_scales_reach_from_one_to_the_largest_and_most_are_those_that_people_ask_for():
    scales = draw_scales(20_000, 0.75, torch.Generator().manual_seed(1))
    guided = scales[scales > 0]
    assert len(guided) / len(scales) == pytest.approx(0.75, abs=0.01)
    assert 1 <= guided.min() < 1.1 and 0.95 * MAX_DISTILLED_GUIDANCE < guided.max() <= MAX_DISTILLED_GUIDANCE
    assert ((guided > 2) & (guided < 5)).float().mean().item() == pytest.approx(2 / 3, abs=0.03)


@pytest.mark.parametrize("scale", [1.0, 3.0, 8.0])
def test_what_is_taught_is_the_guess_that_sampling_makes_in_two_calls(teacher, scale):
    asked = Denoiser(network=teacher, ids=IDS, null_ids=null_ids(), guidance=scale)
    for t in (0.1, 0.7, 0.98):
        times = torch.full((4,), t)
        _, v = two_velocities(teacher, X_T, times, IDS, null_ids(), torch.tensor([scale]))
        x0 = x0_from_velocity(X_T, v, *level(cosine, t))
        assert (x0.abs() > 0.999).any()  # some of it was beyond black or white
        torch.testing.assert_close(x0, asked(X_T, t).x0, rtol=1e-4, atol=1e-4)


def test_pictures_without_a_scale_are_learnt_as_ever(teacher):
    v = torch.randn(X_T.shape)
    targets = Lesson(teacher, SCALES, null_ids()).targets(X_T, T, IDS, v)
    _, guided = two_velocities(teacher, X_T, T, IDS, null_ids(), SCALES)
    assert torch.equal(targets[1], v[1])
    for k in (0, 2, 3):
        torch.testing.assert_close(targets[k], guided[k], rtol=1e-4, atol=1e-4)
        assert not torch.isclose(targets[k], v[k]).all()
    nobody = Lesson(teacher, torch.zeros(4), null_ids())
    assert torch.equal(nobody.targets(X_T, T, IDS, v), v)


def test_who_guides_himself_learns_the_picture_and_what_two_calls_differ_by(teacher):
    v = torch.randn(X_T.shape)
    targets = Lesson(teacher, SCALES, null_ids(), self_guided=True).targets(X_T, T, IDS, v)
    plain, guided = two_velocities(teacher, X_T, T, IDS, null_ids(), SCALES)
    torch.testing.assert_close(plain, teacher(X_T, T, IDS), rtol=1e-4, atol=1e-4)
    assert torch.equal(targets[1], v[1])
    for k in (0, 2, 3):
        torch.testing.assert_close(targets[k], v[k] + guided[k] - plain[k], rtol=1e-4, atol=1e-4)


def test_who_is_right_without_guidance_and_guides_himself_ends_where_two_calls_end(teacher):
    """The mean of what he is told to answer, over all the pictures, is the guided answer."""
    plain, guided = two_velocities(teacher, X_T, T, IDS, null_ids(), SCALES.clamp(min=1))
    lesson = Lesson(teacher, SCALES.clamp(min=1), null_ids(), self_guided=True)
    spread = torch.randn(X_T.shape)
    both = [lesson.targets(X_T, T, IDS, plain + sign * spread) for sign in (1, -1)]  # two equally likely
    torch.testing.assert_close(sum(both) / 2, guided, rtol=1e-4, atol=1e-4)


def test_the_network_is_told_the_scales_that_its_answers_are_compared_with(teacher):
    class Student(torch.nn.Module):
        schedule = staticmethod(cosine)

        def forward(self, x, t, ids, guidance):
            self.told = guidance
            return lesson.targets(x, t, ids, torch.zeros_like(x))

    lesson, student = Lesson(teacher, torch.full((4,), 2.0), null_ids()), Student()
    eps = torch.randn(X_T.shape, generator=torch.Generator().manual_seed(6))
    error, _ = diffusion_loss(student, X_T.clamp(-1, 1), IDS, None, T, eps, lesson=lesson)
    assert error == 0 and torch.equal(student.told, lesson.scales)


def missed(student, teacher, t):
    return guidance_missed(student, teacher, X_T.clamp(-1, 1), IDS, null_ids(), t)


def test_with_some_lessons_one_call_comes_nearer_to_the_teacher_s_two(teacher):
    torch.manual_seed(0)
    student = build_network(STUDENT)
    take_over(student, teacher)
    gently = replace(TINY.train, muon_lr=2e-4, adam_lr=2e-4)
    optimizers, generator = make_optimizers(student, gently), torch.Generator().manual_seed(1)
    assert missed(student, teacher, 0.9) == pytest.approx(1, abs=1e-3)
    for _ in range(30):
        x0 = (2 * torch.rand(16, 3, 1, 1, generator=generator) - 1).expand(16, 3, 16, 16)
        eps, t = torch.randn(x0.shape, generator=generator), draw_times(16, gently, generator)
        lesson = Lesson(teacher, draw_scales(16, 1.0, generator), null_ids())
        diffusion_loss(student, x0, IDS.repeat(4, 1), None, t, eps, lesson=lesson)[0].backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
    assert missed(student, teacher, 0.9) < 0.85 and missed(student, teacher, 0.65) < 0.85


# ---- the training run


def test_a_teacher_changes_neither_pictures_nor_noise_nor_times(tmp_path, weights):
    asked = []

    def note(network, x0, ids, boxes, t, eps, given, lesson):
        asked.append((x0, ids, boxes, t, eps))
        lessons.append(lesson)
        raise Killed

    lessons = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "diffusion_loss", note)
        for run in (
            Trainer(TINY, tmp_path, "cpu", 0, None),
            distilling(tmp_path, weights),
            distilling(tmp_path, weights),
        ):
            with pytest.raises(Killed):
                run.run(Budget(minutes=None, steps=9))
    for ordinary, one, other in zip(*asked, strict=True):
        assert torch.equal(ordinary, one) and torch.equal(one, other)
    assert lessons[0] is None
    assert torch.equal(lessons[1].scales, lessons[2].scales) and lessons[1].scales.any()


def test_the_null_prompt_is_never_guided(tmp_path, weights):
    run = distilling(tmp_path, weights, overridden(TINY, ["train.guided_share=1.0"]))
    nulled = np.array([True, False] * 4)
    scales = run._lesson(nulled, 5, torch.Generator().manual_seed(1)).scales
    assert (scales > 0).tolist() == [False, True] * 4


def test_who_guides_himself_is_asked_as_the_average_of_his_weights_is_by_now(tmp_path):
    run = Trainer(TINY, tmp_path, "cpu", 0, None, self_guided=True)
    assert run.network.config.distilled_guidance
    lesson = run._lesson(np.zeros(4, dtype=bool), 5, torch.Generator().manual_seed(1))
    assert lesson.teacher is run.ema.network and lesson.self_guided and lesson.scales.any()
    before = run.ema.network(X_T, T, IDS)
    run.run(Budget(minutes=None, steps=2))
    assert not torch.equal(lesson.teacher(X_T, T, IDS), before)
    assert "guidance_missed_0.9" in (tmp_path / "log.jsonl").read_text().splitlines()[-1]


@pytest.mark.parametrize("self_guided", [False, True])
def test_a_resumed_distillation_ends_with_the_very_weights_of_an_uninterrupted_one(
    tmp_path, weights, self_guided
):
    def begun(out, kind=Trainer):
        out.mkdir(exist_ok=True)
        teacher = None if self_guided else weights
        return kind(preset, out, "cpu", 0, weights, teacher=teacher, self_guided=self_guided)

    preset, budget = overridden(TINY, ["train.batch=4"]), Budget(minutes=None, steps=4)
    whole = begun(tmp_path / "whole")
    whole.run(budget)
    with pytest.raises(Killed):
        begun(tmp_path / "resumed", DiesInStep3).run(budget)
    resumed = begun(tmp_path / "resumed")
    resumed.resume()
    assert resumed.step == 2
    resumed.run(budget)
    for ours, theirs in ((whole.network, resumed.network), (whole.ema.network, resumed.ema.network)):
        for (name, value), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
            assert torch.equal(value, other), name
    shipped = load_checkpoint(tmp_path / "resumed" / "weights.safetensors")
    assert shipped.network.config == STUDENT  # and with `strict` loading: nothing of the teacher is in there


def test_a_teacher_must_be_there_and_fit(tmp_path, capsys, weights):
    out = ("--out", tmp_path / "run")
    untaught = refusal(capsys, *out, "--set", "model.distilled_guidance=true")
    assert "with --self-guided, or from the weights named by --teacher" in untaught
    assert "leave out --teacher" in refusal(capsys, *out, "--teacher", weights, "--preset", "tiny-upscaler")
    larger = ("--set", "model.image_size=32", "--set", "data.image_size=32")
    assert "pictures of 32 pixels" in refusal(capsys, *out, "--teacher", weights, *larger)
    longer = ("--set", "model.max_characters=9")
    assert "shorter texts" in refusal(capsys, *out, "--teacher", weights, *longer)
    assert "or has a teacher" in refusal(capsys, *out, "--teacher", weights, "--self-guided")
    upscaler = ("--preset", "tiny-upscaler", "--self-guided")
    assert "leave out --teacher and --self-guided" in refusal(capsys, *out, *upscaler)


def test_the_command_writes_down_what_it_has_trained(tmp_path, weights):
    arguments = ["--preset", "tiny", "--device", "cpu", "--workers", "0", "--steps", "1", "--out", tmp_path]
    main([*map(str, arguments), "--teacher", str(weights)])
    assert '"distilled_guidance": true' in (tmp_path / "config.json").read_text()
    assert "guidance_missed_0.9" in (tmp_path / "log.jsonl").read_text().splitlines()[-1]
    assert TrainConfig().guided_share == 0.75
