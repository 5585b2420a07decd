// @ts-check
// The page around the chat: what its address asks for becomes the element's attributes.
const chat = /** @type {HTMLElement} */ (document.querySelector("holdfast-chat"));
const asked = new URLSearchParams(location.search);
for (const name of ["assistant", "language", "theme", "greeting"]) {
  const value = asked.get(name);
  if (value) chat.setAttribute(name, value);
}
document.documentElement.dataset.theme = asked.get("theme") ?? "";

chat.addEventListener("holdfast-ready", () => (document.documentElement.lang = chat.lang));

const { title } = document;
chat.addEventListener("holdfast-unread", (event) => {
  const { count } = /** @type {CustomEvent<{count: number}>} */ (event).detail;
  document.title = count ? `(${count}) ${title}` : title;
});
