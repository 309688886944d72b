/*
 * The state of a viewer: one flat object from which everything on screen follows, and the fields it is made of.
 *
 * A field is made by one of
 *
 *     choice(options, initial)        one of a list                   flag(initial)   true or false
 *     whole(low, high, initial)       a whole number                  real(low, high, initial)
 *     text(most, initial)             at most so many characters
 *     passing(field)                  the same, but of the moment: it never stands in the address
 *
 * Options and bounds may be functions of the run. So may `initial`: then each run starts with its own; a constant one
 * is only where the first run starts, and what was chosen stays when another run comes. The initial value is always
 * taken, even where the field would not take it: null may stand for "none".
 */
(() => {
  "use strict";

  const of = (thing, run) => (typeof thing === "function" ? thing(run) : thing);

  const field = (initial, takes, read) => ({
    initial: (run) => of(initial, run),
    stays: typeof initial !== "function",
    takes: (value, run) => value === of(initial, run) || takes(value, run),
    read,
  });

  const choice = (options, initial) =>
    field(
      initial,
      (value, run) => of(options, run).includes(value),
      (text, run) => of(options, run).find((option) => String(option) === text),
    );

  const bounded = (isOne, pattern) => (low, high, initial) =>
    field(
      initial,
      (value, run) => isOne(value) && value >= of(low, run) && value <= of(high, run),
      (text) => (pattern.test(text) ? Number(text) : undefined),
    );

  const fields = {
    choice,
    flag: (initial) => choice([false, true], initial),
    whole: bounded(Number.isInteger, /^\d+$/),
    real: bounded(Number.isFinite, /^\d+(\.\d+)?$/),
    text: (most, initial) =>
      field(initial, (value) => typeof value === "string" && value.length <= most, (text) => text),
    passing: (one) => ({ ...one, passing: true }),
  };

  const collect = (all, value) => Object.fromEntries(Object.keys(all).map((name) => [name, value(all[name], name)]));

  /** Where `run` opens, after a run whose state was `before`. */
  const opening = (all, run, before) =>
    collect(all, (one, name) => (one.stays && one.takes(before[name], run) ? before[name] : one.initial(run)));

  /** The part of `changes` that the fields take. */
  const taken = (all, run, changes) =>
    Object.fromEntries(
      Object.entries(changes).filter(([name, value]) => Object.hasOwn(all, name) && all[name].takes(value, run)));

  /** What differs from where the run opens, as the part of an address behind the #. */
  function toHash(all, run, state) {
    const said = Object.keys(all).filter((name) => !all[name].passing && state[name] !== all[name].initial(run));
    return new URLSearchParams(said.map((name) => [name, state[name]])).toString();
  }

  /** The changes that an address asks for. Anybody can write one: the fields have the last word on every value. */
  function fromHash(all, run, hash) {
    const said = [...new URLSearchParams(hash.replace(/^#/, ""))].filter(([name]) =>
      Object.hasOwn(all, name) && !all[name].passing);
    return taken(all, run, Object.fromEntries(said.map(([name, text]) => [name, all[name].read(text, run)])));
  }

  Object.assign(window.textdiff, { fields, opening, taken, toHash, fromHash });
})();
