// @ts-check
// Why somebody may not decide, what somebody else has done meanwhile, and what became of a request.
import { h, icon } from "../parts/dom.js";
import { list, record } from "../parts/text.js";
import { face, fill } from "./marks.js";
import { clock, relative, time } from "./times.js";

/**
 * @typedef {import("./feed.js").Approval} Approval
 * @typedef {import("./session.js").Me} Me
 * @typedef {import("./words.js").Words} Words
 */

const DONE = "M4 10.5l4 4 8-9";
const NO = "M5 5l10 10M15 5L5 15";

/**
 * Why the server would refuse an answer of this person; "" when it would not.
 * @param {Approval} one
 * @param {Me} me
 * @param {Words} words
 */
export function obstacle(one, me, words) {
  const named = one.roles.includes("owner") && one.owner === me.subject;
  if (!named && !one.roles.some((/** @type {string} */ role) => me.roles.includes(role))) {
    return fill(words.notAsked, { roles: one.roles.join(", ") });
  }
  if (!named && one.exclude_requester && [one.requester, one.owner].includes(me.subject)) return words.ownRequest;
  if (one.votes.some((/** @type {any} */ vote) => vote.by === me.subject)) return words.otherVote;
  const claimed = one.claim && one.claim.by !== me.subject && Date.parse(one.claim.until) > Date.now();
  return claimed ? fill(words.claimedBy, { who: one.claim.by }) : "";
}

/**
 * @param {import("../parts/api.js").Refused} error
 * @param {Me} me
 * @param {Words} words
 */
export function conflict(error, me, words) {
  /** @type {Approval | undefined} */
  const one = error.body.approval;
  if (error.status === 404) return words.noApproval;
  if (error.status === 403) return `${words.forbidden} ${error.message}`;
  if (error.status !== 409 || !one) return error.message;
  if (one.decision && one.status === "decided") {
    const what = words.did[kindOf(one)] ?? words.did.approve;
    const names = { who: people(one, me, words), when: relative(one.decision.at), at: clock(one.decision.at) };
    return `${fill(what, names)} ${words.notCounted}`;
  }
  if (one.status !== "open") return `${words.over[one.status]} ${words.notCounted}`;
  if (one.claim && one.claim.by !== me.subject)
    return fill(words.claimedTill, { who: one.claim.by, when: relative(one.claim.until) });
  return one.votes.some((/** @type {any} */ vote) => vote.by === me.subject) ? words.otherVote : words.lookAgain;
}

/**
 * What became of a request that waits no more.
 * @param {Approval} one
 * @param {Words} words
 */
export function outcome(one, words) {
  const yes = one.status === "decided" && kindOf(one) !== "reject";
  const at = one.decision?.at;
  const by = list(one.decision?.by).map(String);
  const what =
    one.status === "decided" ? (words.outcome[kindOf(one)] ?? words.outcome.approve) : words.over[one.status];
  const message = list(record(one.decision?.value).decisions)
    .map((decision) => record(decision).message)
    .find(Boolean);
  const carried = list(one.history)
    .map(record)
    .find((line) => line.kind === "carried_out");
  const who = h("span", { className: "line soft" }, ...by.flatMap((name) => [face(name), name]), at && time(at));
  const run =
    ["decided", "expired"].includes(one.status) &&
    at &&
    h(
      "p",
      { className: "run soft" },
      carried ? h("span", {}, words.carriedOut, " ", time(carried.at)) : words.carrying,
    );
  const said = message && h("p", { className: "said", dir: "auto" }, String(message));
  const heading = h("p", { className: "verdict" }, icon(yes ? DONE : NO), what);
  return h("div", { className: `outcome ${yes ? "yes" : "no"}`, role: "status" }, heading, who, said, run);
}

/** @param {Approval} one */
function kindOf(one) {
  const kinds = list(record(one.decision?.value).decisions).map((decision) => String(record(decision).type));
  return ["reject", "respond", "edit"].find((kind) => kinds.includes(kind)) ?? "approve";
}

/**
 * @param {Approval} one
 * @param {Me} me
 * @param {Words} words
 */
function people({ decision }, me, words) {
  return (
    list(decision.by)
      .map((name) => (name === me.subject ? words.you : String(name)))
      .join(", ") || words.clock
  );
}
