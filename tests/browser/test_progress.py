"""While a run goes on, in a real browser: how far it has got, how long it will take, and nothing jumps."""

import pytest
from looking import expect

# Gradio's own statistics use what pandas has deprecated.
pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore:::gradio.queueing")]

# What a page would be told of two candidates of 20 steps, one in `every` milliseconds.
PLAY = """([stages, every]) => {
    const seeds = [7, 8];
    let now = 1000;
    performance.now = () => now;
    window.seen = [];
    window.told = [];
    const told = document.querySelector(".td-live [role=status]");
    new MutationObserver(() => told.textContent && window.told.push(told.textContent))
        .observe(told, { childList: true });
    return stages.reduce((before, [stage, step, steps]) => before.then(async () => {
        now += every;
        viewer.show({ live: { stage, step, steps, seeds, size: 0, picture: null } });
        await new Promise((done) => setTimeout(done));
        const { height } = document.querySelector(".td-live").getBoundingClientRect();
        window.seen.push([document.querySelector(".td-live p").innerText.replaceAll("\\n", " "), height]);
    }), Promise.resolve());
}"""
RUN = [("waiting", 0, 20), *(("denoising", step, 20) for step in range(1, 21)), ("reading", 20, 20)]


@pytest.fixture
def played(visit, bare, site):
    def play(width: int, stages=RUN, every: int = 500) -> tuple[list, list]:
        """What stood there after each message and how high it was, and what was told."""
        page = visit(width=width, url=bare(site.recorded))
        expect(page.locator(".td-prompt")).to_have_text("Hello↵world")
        page.evaluate(PLAY, [stages, every])
        page.wait_for_timeout(50)
        return page.evaluate("seen"), page.evaluate("told")

    return play


@pytest.mark.parametrize("width", [1280, 390, 340])
def test_from_the_second_step_on_the_time_left_is_said_and_nothing_jumps(played, width):
    seen, _ = played(width)
    sentences, heights = zip(*seen, strict=True)
    assert "left" not in sentences[0] + sentences[1]
    assert sentences[2].startswith("Step 2 of 20") and sentences[2].endswith("about 9 s left")
    assert sentences[19].endswith("about 1 s left")  # half a second, and no more exact than an estimate is
    assert sentences[-1] == "Reading the pictures …"
    assert len(set(heights)) == 1


def test_steps_that_were_not_shown_count_and_another_round_is_measured_anew(played):
    stages = [("denoising", 1, 9), ("denoising", 5, 9), ("reading", 9, 9)]
    stages += [("upscaling", 1, 600), ("upscaling", 2, 600)]
    seen, _ = played(1280, stages, every=1000)
    lefts = [sentence.rpartition("about ")[2] if "left" in sentence else "" for sentence, _ in seen]
    assert lefts == ["", "1 s left", "", "", "10 min left"]


def test_a_screen_reader_is_told_of_stages_and_quarters_and_not_of_every_step(played):
    _, told = played(1280)
    assert len(told) == 7  # waiting; the first step and every quarter; reading
    assert told[0] == "Waiting for the model …" and told[-1] == "Reading the pictures …"
    assert "Step 5 of 20" in told[2] and told[2].endswith("about 8 s left")


def test_the_page_says_how_long_a_run_will_take_while_it_goes_on(visit, site):
    site.writer.seconds_per_step = 0.3
    page = visit()
    expect(page.locator("#text")).to_contain_text("Up to 48 characters")
    page.locator("#text textarea").fill("slow")
    page.locator("#write").click()
    expect(page.locator(".td-live small")).to_contain_text("s left")
    expect(page.locator(".td-prompt")).to_have_text("slow")
    expect(page.locator(".td-live")).to_be_hidden()


def test_what_one_visitor_wrote_another_gets_at_once_and_under_an_address_of_its_own(
    visit, site, monkeypatch
):
    addresses = []
    for _ in range(2):
        page = visit()
        expect(page.locator("#text")).to_contain_text("Up to 48 characters")
        page.locator("#text textarea").fill("the same")
        with page.expect_response("**/run.json") as waiting:
            page.locator("#write").click()
        addresses.append(waiting.value.url)
        expect(page.locator(".td-prompt")).to_have_text("the␣same")
        expect(page.locator("#write")).to_be_enabled()
        monkeypatch.setattr(site.writer, "write", None)  # from now on nothing can be written
    assert len(set(addresses)) == 2
    monkeypatch.undo()
    page.locator("#text textarea").fill("another")
    page.locator("#write").click()
    expect(page.locator(".td-prompt")).to_have_text("another")
