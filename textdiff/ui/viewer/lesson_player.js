/*
 * The tour: lessons that play beside the viewer. Each page is a few paragraphs and a state of the viewer.
 *
 * lessonPlayer(tour, { state, set, goHome }) returns
 *
 *     element            the panel; a line with a button while it is closed
 *     fields             what it adds to the state: the lesson, by its slug (null: closed), and the page
 *     settle(state)
 *     opened(said, run)  the state that a page brings, if `said` opens one; else null
 *     render(away)       `away`: another run is on screen than the recorded one, which goHome() shows again
 *     close()
 *
 * `tour` is a list of { slug, title, pages: [{ state, paragraphs }] }, as textdiff/ui/lesson_path.py makes it; no
 * request is ever sent.
 */
(() => {
  "use strict";
  const { fields, node, plural } = window.textdiff;

  function lessonPlayer(tour, { state, set, goHome }) {
    const slugs = tour.map(({ slug }) => slug);
    const most = Math.max(0, ...tour.map(({ pages }) => pages.length - 1));
    const lessonOf = (slug) => tour.find((lesson) => lesson.slug === slug);
    const places = tour.flatMap(({ slug, pages }) => pages.map((_, page) => ({ lesson: slug, page })));
    const placeOf = ({ lesson, page }) => places.findIndex((one) => one.lesson === lesson && one.page === page);

    // ---- closed, there is a line; open, a panel

    const start = node("button", { type: "button", class: "td-ask", onclick: begin }, "Start the tour");
    const invitation = node("div", { class: "td-invitation" },
      node("span", {}, `New here? ${plural(tour.length, "short lesson")}.`), start);

    const titles = tour.map(({ slug, title }, at) => node("option", { value: slug }, `${at + 1}. ${title}`));
    const list = node(
      "select", { "aria-label": "Lessons", onchange: () => set({ lesson: list.value, page: 0 }) }, ...titles);
    const title = node("span", { "aria-hidden": "true" }); // the list lies unseen upon it, which cannot break a line
    const progress = node("span", { class: "td-progress" });
    const back = node("button", { type: "button", class: "td-ask", onclick: () => move(-1) }, "Back");
    const next = node("button", { type: "button", class: "td-ask td-next", onclick: () => move(1) }, "Next");
    const shut = node("button", {
      type: "button", class: "td-shut", "aria-label": "Close the tour", title: "Close (Esc)", onclick: close,
    }, "×");
    const words = node("div", { class: "td-spoken", "aria-live": "polite" });
    const sizers = node("div", { class: "td-sizers", "aria-hidden": "true" }); // as high as the longest page
    const home = node("p", { class: "td-home" }, "The tour was written for the recorded run. ",
      node("button", { type: "button", class: "td-ask", onclick: goHome }, "Go back to it"));
    const panel = node("div", { class: "td-lesson-panel", role: "region", "aria-label": "Tour", onkeydown: onKey },
      node("div", { class: "td-lesson-head" }, node("label", { class: "td-lessons" }, title, list), shut),
      node("div", { class: "td-pages" }, sizers, words), home,
      node("div", { class: "td-lesson-foot" }, progress, back, next));
    const element = node("div", { class: "td-tour", hidden: true }, invitation, panel);

    function begin() {
      set(places[0]);
      next.focus({ preventScroll: true });
    }

    function close() {
      set({ lesson: null, page: 0 });
      start.focus({ preventScroll: true });
    }

    function move(by) {
      const to = places[placeOf(state) + by];
      if (to) set(to);
      else if (by > 0) close();
    }

    function onKey(event) {
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!by || event.target === list) return;
      event.preventDefault(); // elsewhere they move through the steps of the run
      move(by);
    }

    // ---- the state

    function opened(said, run) {
      if (!("lesson" in said) && !("page" in said)) return null;
      const place = { lesson: state.lesson, page: state.page, ...said };
      settle(place);
      if (!place.lesson) return null;
      const { step, ...rest } = lessonOf(place.lesson).pages[place.page].state;
      if (step !== undefined) rest.step = Math.round(step * run.last); // it was a share of the run
      return { ...rest, ...place };
    }

    function settle(place) {
      const lesson = lessonOf(place.lesson);
      if (lesson) place.page = Math.min(place.page, lesson.pages.length - 1);
      else if (place.page) place.page = 0;
    }

    // ---- rendering

    const paragraphs = (page) => page.paragraphs.map((paragraph) => node("p", {}, paragraph));
    let drawn = null; // the place whose words are on screen

    function render(away) {
      const { lesson, page } = state;
      element.hidden = tour.length === 0;
      invitation.hidden = Boolean(lesson);
      panel.hidden = !lesson;
      home.hidden = !away;
      const place = lesson ? `${lesson} ${page}` : null;
      if (place === drawn) return;
      drawn = place;
      if (!place) return;
      const { pages } = lessonOf(lesson);
      list.value = lesson;
      title.textContent = list.selectedOptions[0].textContent;
      sizers.replaceChildren(...pages.map((one) => node("div", {}, ...paragraphs(one))));
      words.replaceChildren(...paragraphs(pages[page]));
      progress.textContent = `${slugs.indexOf(lesson) + 1} of ${tour.length} · step ${page + 1} of ${pages.length}`;
      back.disabled = placeOf(state) === 0;
      next.textContent = placeOf(state) === places.length - 1 ? "Finish" : "Next";
    }

    return {
      element, opened, settle, render, close,
      fields: tour.length ? { lesson: fields.choice(slugs, null), page: fields.whole(0, most, 0) } : {},
    };
  }

  Object.assign(window.textdiff, { lessonPlayer });
})();
