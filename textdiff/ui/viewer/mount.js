/*
 * mountViewer(element, { runUrl, files, lessons, tour, film, recorded, ask, hash }) puts a viewer into the element.
 *
 *     runUrl    the folder of a run, where run.json lies (textdiff/run_folder.py says what is in it)
 *     files     optional: file name -> address, for a page that carries the run in itself (run.js says more)
 *     lessons   optional: view -> a few plain sentences
 *     tour      optional: lessons that play beside the viewer (lesson_player.js says what they are)
 *     film      optional: the folder of the film of training (views/learning_film.js says what it is)
 *     recorded  whether this run was recorded beforehand; it then opens halfway, where there is most to see
 *     ask       optional: ask(action, details) hears of what a view wants from the page because it needs the model;
 *               without it, as in a page that stands alone, such controls are not there
 *     hash      whether what is chosen stands in the page's address behind the # (true); false with several on a page
 *
 * It returns
 *
 *     state     everything chosen: view, candidate, step, character, playing, and the fields of the views; empty
 *               until the first run is there. All numbers count from 0, as in run.json; character 0 is START
 *     set(changes)  from outside; what a field does not take is ignored, and a run on its way is waited for
 *     show({ run, files, recorded, live, problem, answer })
 *               another run, the progress of one, one sentence, or what the page answers to an `ask`
 *     destroy()
 */
(() => {
  "use strict";
  const { node, icon, unique, fields, opening, taken, toHash, fromHash } = window.textdiff;
  const { Run, drawTile, livePreview, lessonPlayer, shareBar, candidateButton, visible, plural } = window.textdiff;

  const GONE = "This run is no longer there. Runs are kept for a while only; write it again to see it.";
  const HASH_PAUSE = 400; // milliseconds; browsers refuse more than 100 changes of the address in 30 seconds

  const ownFields = (views) => ({
    view: fields.choice(Object.keys(views), Object.keys(views)[0]),
    candidate: fields.whole(0, (run) => run.candidates.length - 1, (run) => run.best),
    step: fields.whole(0, (run) => run.last, (run) => (run.recorded ? Math.floor(run.last * 0.6) : run.last)),
    // A token: 0 is START, i is character i - 1 of the text.
    character: fields.whole(0, (run) => run.tokens.length - 1, (run) => (run.tokens.length > 1 ? 1 : 0)),
    playing: fields.passing(fields.flag(() => false)),
  });

  function mountViewer(element, options = {}) {
    const { runUrl = null, files = null, lessons = {}, tour = [], film = null } = options;
    const { recorded = false, ask = null, hash = true } = options;
    const views = { ...window.textdiff.views };
    const state = {};
    const player = lessonPlayer(tour, { state, set, goHome });
    const allFields = Object.assign(
      ownFields(views), ...Object.values(views).map((view) => view.fields), player.fields);
    let run = null; // what is on screen
    let shown = null; // its address
    let home = null; // the recorded run, as `show` takes it
    let wanted = null; // the address of the newest run asked for: slower, older answers are dropped
    let later = {}; // what was chosen from outside while that is on its way
    // Where the page was opened, for the first run only; in a link with a text, for the first run that is written.
    let unread = hash ? location.hash : "";
    const linked = hash && new URLSearchParams(location.search).has("text");
    let built = {}; // view -> what its `build` returned for this run
    let timer = null;
    let saving = null;

    // ---- what is on screen whatever the run and the view

    const problem = node("p", { class: "td-problem", role: "alert", hidden: true });
    const preview = livePreview();
    const prompt = node("p", { class: "td-prompt" });
    const facts = node("p", { class: "td-facts" });
    const origin = node("p", { class: "td-origin" });
    const tabs = {};
    const panels = {};
    const belows = {};
    for (const [view, { title }] of Object.entries(views)) {
      const id = unique(view);
      tabs[view] = node(
        "button",
        { type: "button", role: "tab", id: `${id}-tab`, "aria-controls": id, class: "td-tab", onclick: openTab },
        title,
      );
      tabs[view].dataset.view = view;
      panels[view] = node("div", { role: "tabpanel", id, "aria-labelledby": `${id}-tab`, class: `td-${view}` });
      belows[view] = node("div", { class: "td-below" });
    }
    const tablist = node(
      "div",
      { role: "tablist", class: "td-tabs", "aria-label": "Views of this run", onkeydown: moveTab },
      ...Object.values(tabs),
    );
    const play = node("button", { type: "button", class: "td-play", onclick: () => set({ playing: !state.playing }) });
    const slider = node("input", {
      type: "range", class: "td-slider", min: 0, step: 1, "aria-label": "Step",
      oninput: () => set({ step: slider.valueAsNumber, playing: false }),
    });
    const where = node("output", { class: "td-where" });
    const equation = node("p", { class: "td-equation" });
    const transport = node(
      "div", { class: "td-transport" }, play, slider, where, equation, ...Object.values(belows));
    const thumbs = node("div", { class: "td-thumbs", role: "group", "aria-label": "Candidates, best first" });
    const keys = node("p", { class: "td-keys" }, "← → one step · Home End first and last · space plays");
    const sharing = ask && shareBar({ ask, fragment });
    const stage = node(
      "div", { class: "td-stage", hidden: true },
      node("header", { class: "td-head" }, node("div", {}, prompt, facts, origin), tablist),
      ...Object.values(panels), transport, thumbs, keys, ...(sharing ? [sharing.element] : []),
    );
    const root = node(
      "section", { class: "td-viewer", tabindex: "-1", "aria-label": "A run, step by step" },
      player.element, problem, preview.element, stage,
    );
    element.replaceChildren(root);
    document.addEventListener("keydown", onKey);
    if (hash) window.addEventListener("hashchange", onHash);

    // ---- state

    function set(changes) {
      Object.assign(state, withTour(taken(allFields, run, changes)));
      settle();
      if (state.playing !== (timer !== null)) {
        if (state.playing) start();
        else stop();
      }
      render();
      if (hash) saving ??= setTimeout(saveHash, HASH_PAUSE);
    }

    function setFromOutside(changes) {
      if (wanted !== shown || !run) Object.assign(later, changes);
      else set(changes);
    }

    /** What is said, and beneath it what a page of the tour shows: everything else as the run opens. */
    function withTour(said) {
      const page = player.opened(said, run);
      return page ? { ...opening(allFields, run, {}), ...taken(allFields, run, page) } : said;
    }

    function settle() {
      player.settle(state);
      for (const view of Object.values(views)) view.settle?.(state, run);
      if (hides("transport")) state.playing = false;
    }

    const hides = (part) => views[state.view].hides?.includes(part) ?? false;

    function start() {
      if (state.step === run.last) state.step = 0;
      const advance = () => set({ step: state.step + 1, playing: state.step + 1 < run.last });
      timer = setInterval(advance, Math.max(60, Math.min(300, 4000 / run.steps.length)));
    }

    function stop() {
      clearInterval(timer);
      timer = null;
    }

    function saveHash() {
      saving = null;
      if (!root.isConnected) return destroy();
      const said = toHash(allFields, run, state);
      if (location.hash.slice(1) === said) return;
      history.replaceState(history.state, "", location.href.split("#")[0] + (said && `#${said}`));
    }

    /** What is chosen, for a link to the same run written anew: that one will not be a recorded run. */
    function fragment() {
      return toHash(allFields, Object.assign(Object.create(run), { recorded: false }), state);
    }

    /** Somebody followed a link to another place in the same run, or edited the address. */
    function onHash() {
      if (!run) return;
      stop();
      Object.assign(state, opening(allFields, run, {}));
      set(fromHash(allFields, run, location.hash));
    }

    function onKey(event) {
      if (!root.isConnected) return destroy();
      if (!run || stage.hidden || event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey) return;
      const { target, key } = event;
      const inside = root.contains(target);
      if (!inside && target !== document.body) return;
      if (key === "Escape" && state.lesson) return player.close();
      const own = built[state.view]?.press;
      if (hides("transport") && !own) return;
      if (target.closest("select, textarea, [contenteditable], [role=tab]")) return; // they have their own use for keys
      if (target.closest("input") && !(target.matches(".td-slider") && key === " ")) return;
      const jumps = { ArrowLeft: state.step - 1, ArrowRight: state.step + 1 };
      if (inside) Object.assign(jumps, { Home: 0, End: run.last }); // elsewhere these keys scroll the page
      const plays = key === " " && inside && !target.closest("button, summary");
      if (hides("transport")) {
        if (!(plays || key in jumps) || !own(key)) return;
      } else if (key in jumps) set({ step: jumps[key], playing: false });
      else if (plays) set({ playing: !state.playing });
      else return;
      event.preventDefault();
    }

    function openTab(event) {
      set({ view: event.currentTarget.dataset.view });
      if (event.detail) root.focus({ preventScroll: true }); // after a click the arrow keys belong to the steps
    }

    function moveTab(event) {
      const names = Object.keys(views);
      const at = names.indexOf(state.view);
      const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: names.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      set({ view: names[(to + names.length) % names.length] });
      tabs[state.view].focus();
    }

    // ---- building: what depends on the run, but not on the state

    let thumbnails = [];

    function build() {
      const { request, model } = run;
      prompt.replaceChildren(request.text ? visible(request.text) : node("em", {}, "no text"));
      facts.replaceChildren(
        ...[
          run.recorded && node("strong", {}, "Recorded run"),
          run.stopped && node("strong", {}, "Stopped early"),
          model.name,
          `${plural(run.steps.length, "step")} of ${request.sampler}`,
          `guidance ${request.guidance}${run.inOneCall ? " in one call" : ""}`,
          `read by ${run.reader}`,
          `${run.seconds.toFixed(1)} s`,
        ].filter(Boolean).flatMap((part, at) => (at ? [" · ", part] : [part])),
      );
      origin.textContent = run.comesFrom() ?? "";
      origin.hidden = !run.origin;
      slider.max = run.last;
      thumbnails = run.ranking.map((candidate) => {
        const canvas = node("canvas", { role: "img" });
        const caption = node("span", {}, `#${candidate.verdict.rank}`);
        return { button: candidateButton(candidate, set, { class: "td-thumb" }, canvas, caption), canvas, candidate };
      });
      thumbs.replaceChildren(...thumbnails.map(({ button }) => button));
      sharing?.show(run);
      built = {};
    }

    /** The view, built when it is first opened. */
    function builtView(view) {
      if (!built[view]) {
        const lesson = lessons[view] ? [node("p", { class: "td-lesson" }, lessons[view])] : [];
        panels[view].replaceChildren(...lesson);
        belows[view].replaceChildren();
        built[view] = views[view].build({ run, state, set, ask, film, panel: panels[view], below: belows[view] });
      }
      return built[view];
    }

    // ---- rendering: what follows from the state; asks for pictures that are not there yet, and draws again then

    function render() {
      if (!run) return;
      player.render(home !== null && shown !== home.run);
      if (stage.hidden) return;
      const { view } = state;
      for (const name of Object.keys(views)) {
        tabs[name].setAttribute("aria-selected", name === view);
        tabs[name].tabIndex = name === view ? 0 : -1;
        panels[name].hidden = belows[name].hidden = name !== view;
      }
      transport.hidden = keys.hidden = hides("transport");
      renderTransport();
      thumbs.hidden = hides("thumbs");
      for (const { button, canvas, candidate } of thumbs.hidden ? [] : thumbnails) {
        button.setAttribute("aria-pressed", candidate.index === state.candidate);
        run.drawCandidate(canvas, candidate.index, run.last);
      }
      builtView(view).render();
    }

    function renderTransport() {
      const { t, alpha, sigma } = run.steps[state.step];
      const position = `step ${state.step + 1} of ${run.steps.length}`;
      slider.value = state.step;
      slider.setAttribute("aria-valuetext", `${position}, time ${t.toFixed(2)}`);
      where.value = position;
      const parts = ["xₜ = ", alpha.toFixed(2), " x₀ + ", sigma.toFixed(2), " ε"];
      const bold = parts.map((part, at) => (at % 2 ? node("b", {}, part) : part));
      equation.replaceChildren(`time ${t.toFixed(2)}: `, ...bold);
      const action = state.playing ? "pause" : "play";
      if (play.dataset.action !== action) {
        play.dataset.action = action;
        play.setAttribute("aria-label", state.playing ? "Pause" : "Play all steps");
        play.replaceChildren(icon(action));
      }
    }

    // ---- runs that come and go

    function tell(sentence) {
      problem.textContent = sentence ?? "";
      problem.hidden = !sentence;
    }

    async function open(base, addresses, wasRecorded) {
      wanted = base;
      let next;
      try {
        next = await Run.open(base, addresses);
        const best = Object.values(next.names(next.best));
        const finals = next.candidates.map((candidate) => candidate.files.final);
        await Promise.all([...best, ...finals].map((name) => next.load(name)));
      } catch {
        if (wanted !== base) return;
        wanted = shown;
        return finish(GONE);
      }
      if (wanted !== base) return next.close();
      stop();
      run?.close();
      run = next;
      shown = base;
      run.recorded = wasRecorded;
      if (wasRecorded) home ??= { run: base, files: addresses, recorded: true };
      run.onload = render;
      run.onfailure = () => tell(GONE);
      finish(null);
      Object.assign(state, opening(allFields, run, state));
      const said = linked && wasRecorded ? "" : unread;
      Object.assign(state, withTour({ ...fromHash(allFields, run, said), ...taken(allFields, run, later) }));
      if (said) unread = "";
      later = {};
      settle();
      build();
      render();
    }

    /** The preview is over: the run takes its place, or what was there before. */
    function finish(sentence) {
      preview.end();
      stage.hidden = !run;
      tell(sentence);
    }

    function goHome() {
      const { lesson, page } = state;
      show(home);
      setFromOutside({ lesson, page });
    }

    function showLive(progress) {
      if (run) set({ playing: false });
      stage.hidden = true;
      tell(null);
      preview.show(progress);
    }

    function show({ run: base = null, files: addresses = null, recorded: isRecorded = false, live = null,
      problem: sentence = null, answer = null }) {
      if (live) showLive(live);
      else if (answer) [sharing, ...Object.values(built)].forEach((part) => part?.answer?.(answer));
      else if (sentence) finish(sentence);
      else if (base !== null && base !== wanted) open(base, addresses, isRecorded);
      else finish(null);
    }

    function destroy() {
      document.removeEventListener("keydown", onKey);
      window.removeEventListener("hashchange", onHash);
      stop();
      clearTimeout(saving);
      wanted = null;
      run?.close();
      run = null;
      root.remove();
    }

    if (runUrl !== null) show({ run: runUrl, files, recorded });
    return { state, set: setFromOutside, show, destroy };
  }

  Object.assign(window.textdiff, { mountViewer });
})();
