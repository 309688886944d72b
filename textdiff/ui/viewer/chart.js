/*
 * Curves with their points and a mark at the present one, as an inline SVG in the colours of the theme.
 *
 * chart(lines) returns { element, mark(x, ys), name(label) }. Each line is { kind, curve, points }: kind "a" is drawn
 * solid, "b" dashed; curve and points are lists of [x, y], from 0 to 1 and y upwards. mark() puts the mark at `x`, on
 * each line at its y, or on no line where that is null; name() says in words what there is to see.
 */
(() => {
  "use strict";
  const { node, svg } = window.textdiff;

  const across = (x) => `${(100 * x).toFixed(2)}%`;
  const down = (y) => `${(100 * (1 - y)).toFixed(2)}%`;

  function chart(lines) {
    const rules = ["0%", "100%"].map((y) => svg("line", { x2: "100%", y1: y, y2: y, class: "td-rule-line" }));
    const curves = lines.map(({ kind, curve }) => {
      const d = `M${curve.map(([x, y]) => `${x.toFixed(4)} ${(1 - y).toFixed(4)}`).join("L")}`;
      return svg("path", { d, class: `td-line-${kind}`, "vector-effect": "non-scaling-stroke" });
    });
    const dots = lines.flatMap(({ kind, points }) =>
      points.map(([x, y]) => svg("circle", { cx: across(x), cy: down(y), r: 2.5, class: `td-dot-${kind}` })));
    const now = svg("line", { y1: "0%", y2: "100%", class: "td-now" });
    const here = lines.map(({ kind }) => svg("circle", { r: 5, class: `td-here-${kind}` }));
    const element = svg(
      "svg", { class: "td-chart", role: "img" }, ...rules,
      svg("svg", { viewBox: "0 0 1 1", preserveAspectRatio: "none" }, ...curves), now, ...dots, ...here,
    );

    function mark(x, ys) {
      for (const end of ["x1", "x2"]) now.setAttribute(end, across(x));
      here.forEach((dot, line) => {
        dot.setAttribute("visibility", ys[line] === null ? "hidden" : "visible");
        dot.setAttribute("cx", across(x));
        dot.setAttribute("cy", down(ys[line] ?? 0));
      });
    }

    return { element, mark, name: (label) => element.setAttribute("aria-label", label) };
  }

  /** What stands beside a chart: its highest and its lowest value. */
  const axis = (high, low) =>
    node("div", { class: "td-axis", "aria-hidden": "true" }, node("span", {}, high), node("span", {}, low));

  Object.assign(window.textdiff, { chart, axis });
})();
