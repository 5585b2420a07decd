// @ts-check
// The desk's page: who is not signed in signs in, then the work is shown.
import { settle } from "../parts/page.js";
import { Session } from "./session.js";
import { SignIn } from "./signin.js";
import { startTicking } from "./times.js";
import { wordsIn } from "./words.js";
import { Workplace } from "./workplace.js";

const { language } = settle();
const words = await wordsIn(language);
document.title = words.title;

const session = new Session(new URL("../..", import.meta.url).href);
/** @type {Workplace | null} */
let workplace = null;

/** @param {string} [problem] */
function leave(problem = "") {
  workplace?.close();
  workplace = null;
  document.title = words.title;
  document.body.replaceChildren(new SignIn(session, words, enter, problem).element);
}

function enter() {
  workplace = new Workplace(session, words, language);
  document.body.replaceChildren(...workplace.elements);
  workplace.start();
}

session.onrefused = () => leave(words.signedOut);
session.onleft = () => leave();
startTicking(document.documentElement.lang);
if (await session.resume()) enter();
else leave();
