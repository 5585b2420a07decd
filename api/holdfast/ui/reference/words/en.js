// @ts-check
// Everything the page says by itself; what the routes are for is told by the server, in English.

export const words = {
  title: "API reference",
  home: "Home",
  language: "中文",
  search: "Search",
  hint: "Method, path or word",
  found: "routes",
  none: "No route fits.",
  parameters: "Parameters",
  body: "Body",
  responses: "Responses",
  example: "Example",
  copy: "Copy",
  copied: "Copied",
  required: "required",
  default: "default",
  anything: "any JSON",
  oneOf: "one of",
  others: "any other name",
  sign: "Sign in",
  signAbout: "This server shows its reference to callers that it knows. The token is kept until the tab is closed.",
  token: "Token or API key",
  gateway: "Leave it empty where a gateway signs you in.",
  refused: "The server does not know this caller.",
  unreachable: "The server cannot be reached.",
  path: "in the path",
  query: "in the query",
  header: "a header",
};

/** @typedef {typeof words} Words */
