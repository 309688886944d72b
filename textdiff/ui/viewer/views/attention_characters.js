/* The text, a button for every character; shaded by how much the place that is pointed at listens to each. */
(() => {
  "use strict";
  const { node, visible, named, number, inLines, shade } = window.textdiff;

  const short = (weight) => (weight < 0.001 ? "0" : number(weight)); // so that all buttons keep their width

  function characterRow({ run, state, set }) {
    const buttons = run.tokens.map((token, index) => {
      const name = index ? `Character ${index} of ${run.tokens.length - 1}: ${named(token)}`
        : "START, the token before the text";
      const quiet = index === 0 || token === "\n" || token === " ";
      const weight = node("span", {});
      const element = node(
        "button",
        {
          type: "button", class: quiet ? "td-token td-quiet" : "td-token", title: name,
          onclick: () => set({ character: index, cell: null }),
        },
        node("b", {}, index ? visible(token) : "START"), weight,
      );
      return { element, weight, name };
    });
    const element = node(
      "div", { class: "td-characters", role: "group", "aria-label": "Characters", onkeydown: move },
      ...inLines(run, (_, index) => buttons[index].element));

    function move(event) {
      const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (!by) return;
      event.preventDefault();
      set({ character: state.character + by, cell: null });
      buttons[state.character].element.focus();
    }

    /** `weights`: one per token, or null where nothing is pointed at; `top` is the one that is yellow. */
    function render(weights, top) {
      element.classList.toggle("td-shaded", weights !== null);
      buttons.forEach(({ element: button, weight, name }, index) => {
        const chosen = index === state.character;
        button.setAttribute("aria-pressed", chosen);
        button.tabIndex = chosen ? 0 : -1;
        button.setAttribute("aria-label", weights ? `${name}, ${number(weights[index])}` : name);
        weight.textContent = weights ? short(weights[index]) : "";
        const { background, ink } = weights ? shade(weights[index], top) : { background: "", ink: "" };
        Object.assign(button.style, { background, color: ink });
      });
    }

    return { element, render };
  }

  Object.assign(window.textdiff, { characterRow });
})();
