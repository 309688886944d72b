/* Candidates: what was read in each, which ones the thresholds let stay, and which picture wins. */
(() => {
  "use strict";
  const { fields, node, candidateButton, plural, rank, winner } = window.textdiff;
  const { thresholds, funnel, upscaled, pictureWithBoxes, readingElements } = window.textdiff;

  const lastOfLarge = ({ upscaling }) => (upscaling ? upscaling.steps.length - 1 : 0);

  window.textdiff.views.candidates = {
    title: "Candidates",
    hides: ["thumbs", "transport"], // what is read is the picture at the end

    fields: {
      keep_only_if_above: fields.real(0, 2, (run) => run.request.keep_only_if_above),
      delete_under: fields.real(0, 1, (run) => run.request.delete_under),
      boxes: fields.flag(true), // whether there is a box around what was read
      large_step: fields.whole(0, lastOfLarge, lastOfLarge), // of the large pictures
      large_picture: fields.choice(["x0", "noisy"], "x0"),
    },

    build(stage) {
      const { run, state, set, panel } = stage;
      const counts = funnel(stage);
      const limits = thresholds(stage);
      const boxes = node("input", { type: "checkbox", onchange: () => set({ boxes: boxes.checked }) });
      const reader = `Read by ${run.reader}, which is not told what the pictures should say.`;
      const answered = node("p", { class: "td-answered", role: "status" });
      const cards = run.ranking.map((candidate) => buildCard(candidate, stage));
      const groups = [true, false].map((kept) => buildGroup(kept));
      const second = run.upscaling && upscaled(stage);
      panel.append(
        counts.element, limits.element, answered,
        node("p", { class: "td-reader" }, reader, node("label", { class: "td-check" }, boxes, "Box what was read")),
        node("div", { class: "td-groups" }, ...groups.map((group) => group.element)),
        ...(second ? [second.element] : []));

      function render() {
        const own = isOwn(run, state);
        const fates = own ? run.candidates.map(({ verdict }) => verdict)
          : rank(run.candidates, state.keep_only_if_above, state.delete_under);
        boxes.checked = state.boxes;
        panel.classList.toggle("td-unboxed", !state.boxes);
        limits.render(fates);
        const ordered = [...cards].sort((a, b) => fates[a.index].rank - fates[b.index].rank);
        groups.forEach((group) => group.render(ordered.filter(({ index }) => fates[index].kept === group.kept)));
        const left = own || !second ? second?.ranked : second.ranked.filter(({ source }) => fates[source].kept);
        const best = run.candidates.find(({ index }) => fates[index].rank === 1);
        const answer = !second ? best : left.length ? winner(best, left[0]) : null;
        cards.forEach((card) => card.render(fates[card.index], second && answer === best));
        counts.render(fates, left, own, answer);
        second?.render(fates, left, own, answer);
      }

      function answer({ action, seed }) {
        if (action !== "use_seed") return;
        answered.textContent = `Seed ${seed} stands in the form now, for one candidate. Press Write when you like.`;
      }

      return { render, answer, press: (key) => second?.press(key) ?? false };
    },
  };

  /** Whether the thresholds are those of the run: then what happened is in its record, and nothing is replayed. */
  const isOwn = ({ request }, state) =>
    state.keep_only_if_above === request.keep_only_if_above && state.delete_under === request.delete_under;

  /** The candidates that are kept, or those that are pruned. */
  function buildGroup(kept) {
    const heading = node("h3", {});
    const list = node("ol", { class: "td-cards" });
    const element = node("section", { class: "td-group" }, heading, list);

    function render(cards) {
      element.hidden = !cards.length;
      element.style.setProperty("--cards", cards.length);
      heading.textContent = `${kept ? "Kept" : "Pruned"}: ${plural(cards.length, "candidate")}`;
      const wanted = cards.map((card) => card.element);
      if (wanted.length !== list.children.length || wanted.some((one, at) => one !== list.children[at])) {
        list.replaceChildren(...wanted);
      }
    }

    return { element, kept, render };
  }

  function buildCard(candidate, { run, state, set, ask }) {
    const { index, seed } = candidate;
    const { canvas, element: picture } = pictureWithBoxes(candidate, run.size);
    const button = candidateButton(candidate, set, { class: "td-choose" }, picture);
    const place = node("b", {});
    const badge = node("span", { class: "td-badge" });
    const rule = node("p", { class: "td-rule" });
    const useSeed = node("button", {
      type: "button", class: "td-ask", title: "Put this seed into the form, to write this picture alone",
      onclick: () => ask("use_seed", { seed }),
    }, "use this seed");
    const element = node("li", { class: "td-card" }, button,
      node("div", { class: "td-verdict" },
        node("p", { class: "td-rank" }, place, ` seed ${seed} `, badge),
        ...readingElements(run.request.text, candidate),
        rule, ...(ask ? [useSeed] : [])));

    /** `wins`: whether the best candidate is the answer of a run with large pictures. */
    function render(fate, wins) {
      element.classList.toggle("td-pruned", !fate.kept);
      button.setAttribute("aria-pressed", index === state.candidate);
      place.textContent = `#${fate.rank}`;
      badge.textContent = !fate.kept ? "pruned" : fate.rank > 1 ? "kept" : wins ? "the answer" : "best";
      rule.textContent = fate.rule;
      run.drawCandidate(canvas, index, run.last);
    }

    return { element, render, index };
  }
})();
