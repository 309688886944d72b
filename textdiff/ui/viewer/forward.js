/*
 * The forward process, from picture to noise: x_t = alpha x0 + sigma eps, at any time t from 0 (picture) to 1 (noise).
 * The schedules are those of textdiff/noise_schedule.py, which says where they come from; a test compares them.
 */
(() => {
  "use strict";

  /** t -> [alpha, sigma], the shares of picture and noise; alpha² + sigma² = 1. */
  const SCHEDULES = {
    cosine: (t) => [Math.cos((t * Math.PI) / 2), Math.sin((t * Math.PI) / 2)],
    linear(t) {
      const logAlpha = -0.25 * t ** 2 * (20 - 0.1) - 0.5 * t * 0.1;
      return [Math.exp(logAlpha), Math.sqrt(-Math.expm1(2 * logAlpha))];
    },
  };

  /** Natural logarithm of alpha² / sigma²; infinite at t = 0. */
  const logSnr = ([alpha, sigma]) => 2 * (Math.log(alpha) - Math.log(sigma));

  /** Random numbers from 0 to 1, always the same for a seed (mulberry32). */
  function uniform(seed) {
    let state = seed;
    return () => {
      state = (state + 0x6d2b79f5) | 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    };
  }

  /** `count` random numbers of mean 0 and variance 1, always the same for a seed (Box and Muller). */
  function gaussians(seed, count) {
    const random = uniform(seed);
    return Float32Array.from({ length: count }, () =>
      Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()));
  }

  /** RGBA levels of x_t from those of x0, with three numbers of `eps` for a pixel; black is −1 and white is 1. */
  function noised(levels, eps, [alpha, sigma]) {
    const noisy = new Uint8ClampedArray(levels.length);
    for (let at = 0; at < levels.length; at++) {
      const x0 = levels[at] / 127.5 - 1;
      noisy[at] = at % 4 === 3 ? 255 : 127.5 * (1 + alpha * x0 + sigma * eps[at - (at >> 2)]);
    }
    return noisy;
  }

  Object.assign(window.textdiff, { SCHEDULES, logSnr, gaussians, noised });
})();
