// What an application does with the official client: `node flows.mjs <package> <address>` prints what each flow saw.
const [package_, apiUrl] = process.argv.slice(2);
const { Client } = await import(package_);
const client = new Client({ apiUrl });

const human = (content) => ({ messages: [{ role: "user", content }] });
const contents = (values) => values.messages.map((message) => message.content);

async function collected(stream) {
  const events = [];
  for await (const { event, data } of stream) events.push({ event, data });
  return events;
}

const flows = {
  async talks() {
    const { thread_id } = await client.threads.create({ metadata: { from: package_ } });
    const values = await client.runs.wait(thread_id, "echo", { input: human("hi") });
    const state = await client.threads.getState(thread_id);
    return [contents(values), contents(state.values), (await client.threads.get(thread_id)).status];
  },
  async streams() {
    const { thread_id } = await client.threads.create();
    const streamMode = ["values", "updates", "custom"];
    const events = await collected(client.runs.stream(thread_id, "steps", { input: { topic: "x" }, streamMode }));
    return events.map(({ event }) => event);
  },
  async asks_and_is_answered() {
    const { thread_id } = await client.threads.create();
    const waiting = await client.runs.wait(thread_id, "ask", { input: {} });
    const [interrupt] = Object.values((await client.threads.get(thread_id)).interrupts).flat();
    const values = await client.runs.wait(thread_id, "ask", { command: { resume: "yes" } });
    return [waiting.__interrupt__[0].value, interrupt.value, values.said];
  },
  async joins_what_another_began() {
    const { thread_id } = await client.threads.create();
    const began = { input: {}, streamMode: ["updates"], streamResumable: true };
    const run = await client.runs.create(thread_id, "steps", began);
    const values = await client.runs.join(thread_id, run.run_id);
    const again = await collected(client.runs.joinStream(thread_id, run.run_id, { lastEventId: "-1" }));
    return [values.said, again.map(({ event }) => event)];
  },
  async cancels() {
    const { thread_id } = await client.threads.create();
    const run = await client.runs.create(thread_id, "slow", { input: {} });
    while ((await client.runs.get(thread_id, run.run_id)).status === "pending") await new Promise((done) => setTimeout(done, 20));
    await client.runs.cancel(thread_id, run.run_id, true);
    return (await client.runs.get(thread_id, run.run_id)).status;
  },
  async looks_back_and_forks() {
    const { thread_id } = await client.threads.create();
    await client.runs.wait(thread_id, "steps", { input: {} });
    const history = await client.threads.getHistory(thread_id);
    await client.threads.updateState(thread_id, { values: { said: ["fork"] }, asNode: "one", checkpoint: history[2].checkpoint });
    const values = await client.runs.wait(thread_id, "steps", { input: null });
    return [history.map(({ next }) => next), values.said];
  },
  async runs_without_a_thread() {
    return contents(await client.runs.wait(null, "echo", { input: human("alone") }));
  },
  async finds_threads() {
    const mark = crypto.randomUUID();
    for (const n of [1, 2]) await client.threads.create({ metadata: { mark, n } });
    const found = await client.threads.search({ metadata: { mark }, sortBy: "created_at", sortOrder: "asc" });
    return found.map(({ metadata }) => metadata.n);
  },
  async is_refused() {
    const missing = await client.threads.get(crypto.randomUUID()).catch((error) => error.status);
    const { thread_id } = await client.threads.create();
    const taken = await client.threads.create({ threadId: thread_id }).catch((error) => error.status);
    return [missing, taken];
  },
  async makes_an_assistant() {
    const config = { configurable: { shop: "tea" } };
    const made = await client.assistants.create({ graphId: "named", config, name: "Tea" });
    await client.assistants.update(made.assistant_id, { name: "Tea house" });
    const versions = await client.assistants.getVersions(made.assistant_id);
    const { thread_id } = await client.threads.create();
    const values = await client.runs.wait(thread_id, made.assistant_id, { input: {} });
    await client.assistants.delete(made.assistant_id);
    return [versions.map(({ version, name }) => [version, name]), values.said];
  },
  async keeps_items() {
    const namespace = ["js", crypto.randomUUID()];
    await client.store.putItem(namespace, "ann", { likes: "tea" });
    const item = await client.store.getItem(namespace, "ann");
    const { items } = await client.store.searchItems(namespace, { filter: { likes: "tea" } });
    await client.store.deleteItem(namespace, "ann");
    return [item.value, items.map(({ key }) => key), await client.store.getItem(namespace, "ann")];
  },
  async keeps_a_cron() {
    const { thread_id } = await client.threads.create();
    const cron = await client.crons.createForThread(thread_id, "echo", { schedule: "0 0 1 1 *", input: {} });
    const found = await client.crons.search({ threadId: thread_id });
    await client.crons.delete(cron.cron_id);
    return [cron.schedule, found.length];
  },
};

const seen = {};
for (const [name, flow] of Object.entries(flows)) seen[name] = await flow().catch((error) => `failed: ${error.message}`);
console.log(JSON.stringify(seen));
process.exit(0);
