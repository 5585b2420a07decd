// @ts-check
// What a browser keeps of a caller's conversations: which one is open, how far each was read, and drafts. Of a
// caller without a token also their titles, because the server cannot tell whose they are.

/**
 * @typedef {{title?: string, at?: number, seen?: string}} Known
 * @typedef {{open?: string, threads: Record<string, Known>}} Kept
 */

const MOST = 50;

export class Memory {
  /** @param {string} key */
  constructor(key) {
    this.key = key;
  }

  /** @returns {Kept} */
  read() {
    try {
      return { threads: {}, ...JSON.parse(localStorage.getItem(this.key) ?? "{}") };
    } catch {
      return { threads: {} }; // a page that may keep nothing, or somebody else's entry
    }
  }

  /**
   * Another tab may have written meanwhile: what is not changed here is read anew.
   * @param {(kept: Kept) => void} change
   */
  write(change) {
    const kept = this.read();
    change(kept);
    const newest = Object.entries(kept.threads).sort(([, one], [, other]) => (other.at ?? 0) - (one.at ?? 0));
    kept.threads = Object.fromEntries(newest.slice(0, MOST));
    attempt(() => localStorage.setItem(this.key, JSON.stringify(kept)));
  }

  /**
   * @param {string} id
   * @param {Known} known
   */
  note(id, known) {
    this.write(({ threads }) => (threads[id] = { ...threads[id], ...known }));
  }

  /**
   * What is typed and not yet sent, in this tab.
   * @param {string} id
   */
  draft(id) {
    return attempt(() => sessionStorage.getItem(`${this.key}:${id}`)) ?? "";
  }

  /**
   * @param {string} id
   * @param {string} text
   */
  keepDraft(id, text) {
    attempt(() => sessionStorage.setItem(`${this.key}:${id}`, text));
  }
}

/**
 * @template T
 * @param {() => T} act
 */
function attempt(act) {
  try {
    return act();
  } catch {
    return null; // a page that may keep nothing
  }
}

/**
 * Who calls, as a mark that tells callers apart: the claims of a token without those that each new one changes.
 * Tokens that are no JWT all look alike.
 * @param {string | null} token
 */
export function markOf(token) {
  if (!token) return "";
  let mark = 1;
  try {
    const [, payload] = token.split(".");
    const { exp, iat, nbf, jti, ...who } = JSON.parse(atob(payload.replace(/-/g, "+").replace(/_/g, "/")));
    for (const char of JSON.stringify(who)) mark = (Math.imul(mark, 31) + char.charCodeAt(0)) | 0;
  } catch {
    // opaque
  }
  return mark.toString(36);
}
