// @ts-check
// A line for the shell that calls a route.

const METHODS_WITH_BODY = ["post", "put", "patch"];

/**
 * @param {import("./routes.js").Route} route
 * @param {import("./schemas.js").Schemas} schemas
 * @param {import("./routes.js").Setting} setting
 */
export function curl({ method, path, told }, schemas, { address, closed }) {
  const named = path.replace(/\{(\w+)(?::\w+)?\}/g, (_all, name) => `$${name.toUpperCase()}`);
  const needed = (told.parameters ?? []).filter((/** @type {any} */ one) => one.in === "query" && one.required);
  const query = needed.map((/** @type {any} */ one) => `${one.name}=${encodeURIComponent(String(schemas.example(one.schema)))}`).join("&");
  const streams = "text/event-stream" in (told.responses?.["200"]?.content ?? {});
  const body = told.requestBody?.content?.["application/json"]?.schema;
  const implied = method === "get" || (body && method === "post");
  const verb = implied ? "" : ` -X ${method.toUpperCase()}`;
  const lines = [
    `curl -s${streams ? "N" : ""}${verb} "${address}${named}${query && "?"}${query}"`,
    closed && `-H "authorization: Bearer $TOKEN"`,
    body && METHODS_WITH_BODY.includes(method) && `-H "content-type: application/json"`,
    body && `-d ${quoted(JSON.stringify(schemas.example(body)))}`,
  ];
  return lines.filter(Boolean).join(" \\\n  ");
}

/** @param {string} text */
function quoted(text) {
  return "'" + text.replaceAll("'", "'\\''") + "'";
}
