"""The candidates view in a real browser: its ranking is the Python one, wherever the thresholds stand."""

import json
import random
import re
from dataclasses import asdict, replace
from itertools import product

import numpy as np
import pytest
from fakes import fake_generation
from looking import expect, frame, open_view, pixels, requests_from_now_on
from PIL import Image

from textdiff import ranking, similarity
from textdiff.run_folder import save
from textdiff.trajectory import Reading

# Gradio's own statistics use what pandas has deprecated.
pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore:::gradio.queueing")]

TEXT = "Hello\nworld"
PAIRS = [
    ("hello", "hallo"),
    ("hello", "helo"),
    ("hello world", "hello\nworld"),
    ("hello\nworld", "world\nhello"),
    (" a b \n c", "a b\nc "),
    ("aaaa", "aaaaaa"),
    ("$$", "$"),
    ("hi", ""),
    ("", "hi"),
    ("", ""),
    ("co$t", "co$t$"),
    ("ab", "\U0001f600b"),
]


def made_up_runs() -> list[tuple[list[Reading], float, float]]:
    """Readings of several runs with ties and misses, each with thresholds."""
    chance = random.Random(3)
    runs = [([Reading(text="zzz", confidence=0.2)] * 3, 0.95, 0.1)]
    for _ in range(60):
        readings = [
            Reading(text=misread(chance), confidence=chance.choice([0.4, 0.9]))
            for _ in range(chance.randint(1, 16))
        ]
        keep, under = chance.choice(
            [(0.95, 0.1), (1, 0), (1.5, 0.3), (0.5, 0.5), (0.4, 0.9), (0.123456, 0.07)]
        )
        runs.append((readings, keep, under))
    return runs


def misread(chance: random.Random) -> str:
    wrong = chance.choice([0, 0, 1, 2, 5, len(TEXT)])
    return "".join(chance.choice("xyz") if place < wrong else c for place, c in enumerate(TEXT))


def as_recorded(text: str, readings: list[Reading]) -> list[dict]:
    """What a run.json has of the candidates, as far as the ranking is concerned."""
    return [
        {
            "reading": {"text": reading.text, "confidence": reading.confidence},
            "verdict": {
                "similarity": similarity.trigram_similarity(text, reading.text),
                "exact": similarity.is_exact(text, reading.text),
            },
        }
        for reading in readings
    ]


@pytest.fixture
def look(visit, bare, tmp_path):
    """Opens the view in a page without a server."""

    def open_page(fragment: str = "", generation=None, **options):
        save(generation or fake_generation(TEXT, candidates=4, steps=2, size=64), tmp_path / "made")
        page = visit(url=f"{bare(tmp_path / 'made')}#view=candidates&{fragment}", **options)
        expect(page.locator(".td-card").first).to_be_visible()
        return page

    return open_page


def test_the_replayed_ranking_is_the_python_one_for_all_runs_and_thresholds(look):
    page = look()
    runs = made_up_runs()
    replayed = page.evaluate(
        "runs => runs.map(([candidates, keep, under]) => textdiff.rank(candidates, keep, under))",
        [[as_recorded(TEXT, readings), keep, under] for readings, keep, under in runs],
    )
    assert {len({fate["kept"] for fate in fates}) for fates in replayed} == {1, 2}
    for (readings, keep, under), fates in zip(runs, replayed, strict=True):
        verdicts = ranking.rank(TEXT, readings, keep, under)
        assert fates == [{"kept": v.kept, "rule": v.rule, "rank": v.rank} for v in verdicts]
        for count in (1, 5):
            shares = page.evaluate("([fates, count]) => textdiff.shares(fates, count)", [fates, count])
            sources = ranking.tile(verdicts, count)
            assert shares == [sources.count(index) for index in range(len(readings))]


def test_trigrams_and_edits_are_the_python_ones(look):
    page = look()
    compared = page.evaluate(
        "pairs => pairs.map(([a, b]) => [textdiff.compareTrigrams(a, b), textdiff.align(a, b)])", PAIRS
    )
    for (text, reading), (trigrams, columns) in zip(PAIRS, compared, strict=True):
        ours = similarity.compare_trigrams(text, reading)
        for kind in ("matched", "missing", "extra"):
            counted = [trigram for trigram, count in getattr(ours, kind) for _ in range(count)]
            assert sorted(trigrams[kind]) == sorted(counted), (text, reading, kind)
        edits = sum(column["kind"] != "equal" for column in columns)
        assert edits == similarity.edit_distance(text, reading), (text, reading)
        assert "".join(c["wanted"] or "" for c in columns) == similarity.strip_lines(text)
        assert "".join(c["found"] or "" for c in columns) == similarity.strip_lines(reading)


def test_a_moved_threshold_changes_who_stays_and_put_back_it_is_as_it_was(look):
    page = look()
    requests = requests_from_now_on(page)
    kept, pruned = (page.locator(".td-group").nth(group).locator(".td-card") for group in (0, 1))
    expect(kept).to_have_count(3)  # as the record says
    back = page.get_by_role("button", name="Put them back")
    expect(back).not_to_be_visible()
    keep = page.get_by_role("slider", name="Keep only if above")
    expect(keep).to_have_value("0.95")
    keep.fill("0.99")
    expect(kept).to_have_count(1)
    expect(pruned).to_have_count(3)
    expect(pruned.first.locator(".td-rule")).to_contain_text("the best candidate reaches 0.99")
    expect(page.locator(".td-ruling")).to_contain_text("only those that do stay: 1 of 4 candidates")
    keep.fill("1.05")
    page.get_by_role("slider", name="Delete under").fill("0.5")
    similarities = [similarity.trigram_similarity(TEXT, "x" * n + TEXT[n:]) for n in range(4)]
    stay = sum(s >= 0.5 for s in similarities)
    expect(kept).to_have_count(stay)
    expect(page.locator(".td-ruling")).to_contain_text(
        f"only those under 0.50 go: {stay} of 4 candidates stay"
    )
    page.wait_for_function("location.hash.includes('delete_under=0.5')")
    back.click()
    expect(kept).to_have_count(3)
    assert page.evaluate("viewer.state.keep_only_if_above") == 0.95
    assert requests == []


def test_one_wrong_letter_is_shown_with_the_three_runs_that_it_breaks(look):
    page = look()
    card = page.locator(".td-card").nth(1)  # "xello\nworld"
    expect(card.locator(".td-replace")).to_have_text("Hx")
    expect(card.locator(".td-transcript")).to_have_attribute("aria-label", re.compile("H read as x"))
    expect(card).to_contain_text("H read as x")
    expect(card.locator(".td-trigrams.td-missing code").filter(visible=True)).to_have_text(
        ["$$H", "$He", "Hel"]
    )
    expect(card.locator(".td-trigrams.td-extra code").filter(visible=True)).to_have_text(
        ["$$x", "$xe", "xel"]
    )
    expect(card.locator(".td-trigrams.td-matched code").first).not_to_be_visible()
    expect(card).to_contain_text("10 of 16 runs of three characters agree")
    expect(card).to_contain_text("similarity 0.625")


def test_boxes_are_drawn_where_the_reader_saw_lines(look):
    page = look()
    picture = page.locator(".td-card .td-boxed").first.bounding_box()
    second = page.locator(".td-card .td-boxes").first.locator("rect").nth(1).bounding_box()
    assert second["y"] - picture["y"] == pytest.approx(picture["height"] / 2, abs=2)
    assert second["height"] == pytest.approx(picture["height"] / 2, abs=3)
    page.get_by_label("Box what was read").uncheck()
    expect(page.locator(".td-boxes").first).not_to_be_visible()


def test_a_click_on_a_candidate_loads_it_in_the_other_views(look, tmp_path):
    page = look()
    run = json.loads((tmp_path / "made" / "run.json").read_text())
    second = next(candidate for candidate in run["candidates"] if candidate["verdict"]["rank"] == 2)
    expect(page.locator(".td-reader")).to_contain_text("fake reader 1.0")
    page.get_by_role("button", name=re.compile("^Candidate ranked 2")).first.click()
    assert page.evaluate("viewer.state.candidate") == second["index"]
    with page.expect_response(lambda response: response.url.endswith(second["files"]["eps"])):
        open_view(page, "Denoising")


def test_a_seed_goes_into_the_form_and_starts_nothing(visit, site):
    page = visit()
    open_view(page, "Candidates")
    page.locator("#settings > button").click()
    expect(page.locator("#candidates input")).to_have_value("4")
    expect(page.locator("#text")).to_contain_text("Up to 48 characters")
    card = page.locator(".td-card").nth(2)
    seed = re.search(r"seed (\d+)", card.inner_text()).group(1)
    card.get_by_role("button", name="use this seed").click()
    expect(page.locator("#seed input")).to_have_value(seed)
    expect(page.locator("#candidates input")).to_have_value("1")
    expect(page.locator(".td-answered")).to_contain_text(f"Seed {seed} stands in the form now")
    expect(page.locator(".td-facts")).to_contain_text("Recorded run")
    expect(page.locator("#write")).to_be_enabled()


def test_large_pictures_stand_below_with_what_was_read_before_and_after(look):
    page = look(generation=fake_generation(TEXT, candidates=3, steps=2, size=64, upscaled=3))
    pairs = page.locator(".td-upscaled .td-card")
    expect(pairs).to_have_count(3)
    expect(pairs.locator(".td-badge")).to_have_text(["the answer", "not chosen", "not chosen"])
    expect(pairs.first.locator(".td-boxed canvas")).to_have_attribute("width", "128")
    expect(pairs.first.locator("canvas").first).to_have_attribute("width", "64")
    expect(pairs.first.locator(".td-change")).to_contain_text("read 1.000 before, 1.000 after")
    # Small: no letter wrong, one, and none again. Large: two, one and none.
    expect(page.locator(".td-upscaled > .td-rule")).to_contain_text(
        "small picture: 0; with more: 1; with as many: 2"
    )
    expect(page.locator(".td-note")).to_have_text("")
    expect(page.locator(".td-funnel")).to_have_text(re.compile("3 drawn.*2 kept.*3 enlarged.*1 answer", re.S))
    own = pairs.locator(".td-rule").all_inner_texts()
    page.get_by_role("slider", name="Keep only if above").fill("0.99")
    expect(page.locator(".td-note")).to_contain_text("would enlarge: seed 8 (3 times)")
    expect(pairs.locator(".td-badge")).to_have_text(["the answer", "not drawn", "not chosen"])
    expect(page.locator(".td-note")).to_contain_text("nothing is drawn anew")
    expect(page.locator(".td-funnel")).to_contain_text("2 of 3 enlarged")
    expect(pairs.locator(".td-rule").nth(1)).to_have_text("Its candidate would be pruned.")
    page.get_by_role("button", name="Put them back").click()
    expect(pairs.locator(".td-rule")).to_have_text(own)


def test_the_best_candidate_is_the_answer_where_drawing_it_large_has_spoiled_it(look, tmp_path):
    page = look(generation=fake_generation(TEXT, candidates=3, steps=2, size=64, upscaled=2, spoiled=True))
    small, large = page.locator(".td-group .td-card"), page.locator(".td-upscaled .td-card")
    expect(small.first.locator(".td-badge")).to_have_text("the answer")
    expect(large.locator(".td-badge")).to_have_text(["not chosen", "not chosen"])
    expect(large.first.locator(".td-rule")).to_contain_text("the best candidate was read better")
    funnel = page.locator(".td-funnel")
    expect(funnel).to_contain_text("similarity 1.000, exact")
    best = np.array(Image.open(tmp_path / "made" / "best.png"))
    assert best.shape == (64, 64, 3) and (pixels(funnel.locator("canvas")) == best).all()
    open_view(page, "Denoising")
    winner = page.locator(".td-winner")
    expect(winner).to_contain_text("Drawing it large spoiled it")
    expect(winner).to_contain_text("Read exactly as it should be")
    assert (pixels(winner.locator("canvas")) == best).all()


def test_the_replayed_answer_is_the_python_one(look):
    page = look()
    run = fake_generation(TEXT, candidates=1, upscaled=1)
    verdicts = [
        replace(run.candidates[0].verdict, similarity=similarity, exact=exact)
        for similarity, exact in ((0.3, False), (1.0, False), (1.0, True))
    ]
    for before, after in product(verdicts, repeat=2):
        pair = replace(run.candidates[0], verdict=before), replace(run.upscaled[0], verdict=after)
        drawn = replace(run, candidates=pair[:1], upscaled=pair[1:])
        enlarged = page.evaluate(
            "([candidate, large]) => textdiff.winner(candidate, large) === large",
            [{"verdict": asdict(before)}, {"verdict": asdict(after)}],
        )
        assert enlarged == (drawn.winner is pair[1])


def test_a_run_whose_thresholds_leave_none_of_its_large_pictures_has_no_answer(look):
    # The one large picture enlarges candidate 1; the worst of three, pruned, stays when the others must go.
    generation = fake_generation(TEXT, candidates=3, steps=1, size=64, upscaled=1)
    first, second, third = generation.candidates
    flipped = replace(second, verdict=replace(second.verdict, similarity=0.2))
    page = look(generation=replace(generation, candidates=(first, flipped, third)))
    page.get_by_role("slider", name="Delete under").fill("0.5")
    expect(page.locator(".td-note")).to_contain_text("None of the pictures below would be there")
    expect(page.locator(".td-funnel")).to_contain_text("0 of 1 enlarged")
    expect(page.locator(".td-funnel")).to_contain_text("no answer yet")


def test_the_steps_of_the_large_pictures_can_be_gone_through(look, tmp_path):
    page = look(
        "large_step=1&large_picture=noisy",
        fake_generation(TEXT, candidates=2, steps=2, size=64, upscaled=2, upscaler_steps=4),
    )
    canvas = page.locator(".td-upscaled .td-card").first.locator(".td-boxed canvas")
    sheet = tmp_path / "made" / "upscaled-01" / "noisy.png"  # the last one wins
    page.wait_for_function("document.querySelector('.td-scrub output').value === 'step 2 of 4'")
    page.wait_for_timeout(300)
    assert (pixels(canvas) == frame(sheet, 128, 1)).all()
    expect(page.locator(".td-upscaled .td-boxes").first).not_to_be_visible()
    requests = requests_from_now_on(page)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".td-scrub output")).to_have_text("step 4 of 4")
    assert (pixels(canvas) == frame(sheet, 128, 3)).all()
    assert requests == []
    page.get_by_text("Guess", exact=True).click()
    expect(page.locator(".td-upscaled .td-boxes").first).to_be_visible()
    page.wait_for_function("!location.hash.includes('large_')")


def test_large_pictures_of_one_step_have_nothing_to_go_through(look):
    page = look(
        generation=fake_generation(TEXT, candidates=2, steps=2, size=64, upscaled=2, upscaler_steps=1)
    )
    expect(page.locator(".td-upscaled .td-rule").first).to_contain_text(
        "the mean of all large pictures that fit"
    )
    expect(page.get_by_role("slider", name="Step of the large pictures")).to_be_hidden()
    expect(page.locator(".td-funnel")).to_contain_text("128 px, 1 step")
    page.get_by_text("Noisy picture", exact=True).click()
    expect(page.locator(".td-upscaled .td-boxes").first).not_to_be_visible()


def test_steps_that_a_replay_left_out_are_not_asked_for(visit, bare, tmp_path):
    def leave_out(run):
        first, second = run["upscaling"]["pictures"]
        for files, kinds in ((first["files"], ("x0", "noisy")), (second["files"], ("noisy",))):
            for kind in kinds:
                del files[kind]

    save(fake_generation(TEXT, candidates=2, steps=1, size=64, upscaled=2), tmp_path / "made")
    page = visit(url=f"{bare(tmp_path / 'made', leave_out)}#view=candidates&large_step=0")
    missing = page.locator(".td-upscaled .td-card .td-why", has_text="not in this file")
    expect(missing.nth(1)).to_be_visible()  # of the one that lost
    expect(missing.nth(0)).not_to_be_visible()
    lost = page.locator(".td-upscaled .td-card").nth(1).locator(".td-boxed canvas")
    page.wait_for_timeout(300)
    assert (pixels(lost) == np.array(Image.open(tmp_path / "made" / "upscaled-00" / "final.png"))).all()
    expect(page.locator(".td-scrub input[type=radio]").nth(1)).to_be_disabled()
    expect(page.locator(".td-problem")).not_to_be_visible()


def test_the_large_picture_that_won_stands_above_the_steps(look, tmp_path):
    page = look(generation=fake_generation(TEXT, candidates=3, steps=2, size=64, upscaled=2))
    open_view(page, "Denoising")
    winner = page.locator(".td-winner")
    expect(winner).to_contain_text("This one, from the candidate ranked 2, was read best")
    best = np.array(Image.open(tmp_path / "made" / "best.png"))
    assert best.shape == (128, 128, 3) and (pixels(winner.locator("canvas")) == best).all()
    winner.get_by_role("button", name="See how it was chosen").click()
    expect(page.locator(".td-upscaled")).to_be_visible()


def test_what_a_stranger_wrote_is_only_text(look):
    hostile = "<img src=x onerror=boom()>"
    page = look(generation=fake_generation(hostile, candidates=3, steps=2, size=64, upscaled=1))
    expect(page.locator(".td-transcript").first).to_have_text(re.compile("<img.*onerror"))
    assert page.locator("img").count() == 0


def test_many_candidates_are_no_wider_than_a_phone(look):
    text = "x" * 24 + "\n" + "y" * 24
    generation = fake_generation(text, candidates=16, steps=1, size=16, watched=False, upscaled=2)
    page = look(generation=generation, width=390, height=844)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
