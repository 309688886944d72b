/* Learning to spell: the film of training, which needs no model; and a tiny model, trained while one watches. */
(() => {
  "use strict";
  const { fields, node, filmOf, buildFilm, buildLive, LIVE_MINUTES } = window.textdiff;

  const NO_FILM = "The film of its training is not in this file: open the run on a page of textdiff.";
  const GONE = "The film of training could not be fetched; reload the page to try again.";

  window.textdiff.views.learning = {
    title: "Learning",
    hides: ["transport", "thumbs"],

    fields: {
      checkpoint: fields.whole(0, 1e12, 0), // pictures seen; what is on screen is the nearest checkpoint of the film
      prompt: fields.whole(0, 999, 0),
      filming: fields.passing(fields.flag(false)),
      minutes: fields.choice(LIVE_MINUTES, 1),
    },

    settle(state) {
      if (state.view !== "learning") state.filming = false;
    },

    build(stage) {
      const status = node("p", { class: "td-lesson" }, stage.film ? "" : NO_FILM);
      const live = stage.ask && buildLive(stage);
      let film = null;
      stage.panel.append(status);
      if (stage.film) open();
      else if (live) stage.panel.append(live.element);

      async function open() {
        try {
          film = buildFilm(await filmOf(stage.film), stage);
          status.replaceWith(film.element);
        } catch {
          status.textContent = GONE;
        }
        if (live) stage.panel.append(live.element); // now, so that nothing moves down when the film comes
        stage.set({});
      }

      return {
        render() {
          film?.render();
          live?.render();
        },
        press: (key) => film?.press(key) ?? false,
        answer: (details) => live?.answer(details),
      };
    },
  };
})();
