// @ts-check
// Times as people say them.

const DAY_MS = 86_400_000;

/** @param {string} language */
export function timesIn(language) {
  const hour = new Intl.DateTimeFormat(language, { timeStyle: "short" });
  const date = new Intl.DateTimeFormat(language, { dateStyle: "long" });
  const near = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
  /** @param {number} time */
  const day = (time) => {
    const ago = Math.round((midnight(Date.now()) - midnight(time)) / DAY_MS);
    return ago > 1 ? date.format(time) : near.format(-ago, "day");
  };
  /** @param {number} time */
  const clock = (time) => hour.format(time);
  return { clock, day };
}

/** @typedef {ReturnType<typeof timesIn>} Times */

/** @param {number} time */
function midnight(time) {
  return new Date(time).setHours(0, 0, 0, 0);
}
