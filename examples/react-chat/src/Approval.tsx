import { useState } from "react";

type Fact = { label: string; value: string; kind?: string };
type Quote = { source: string; text: string };

/** What a run waits for. `display` has figures that the graph computed; quotes are somebody's words. */
export type Request = {
  action_requests?: { name: string; args: unknown }[];
  display?: { title?: string; facts?: Fact[]; quotes?: Quote[] };
};
export type Decision = { type: "approve" } | { type: "reject"; message?: string };
type Props = { request: Request | undefined; onDecide: (decision: Decision) => Promise<void> };

export function Approval({ request, onDecide }: Props) {
  const [sent, setSent] = useState(false);
  const [problem, setProblem] = useState("");
  const { title = "Please confirm", facts = [], quotes = [] } = request?.display ?? {};
  const decide = (decision: Decision) => {
    setSent(true);
    onDecide(decision).catch((error) => {
      setProblem(String(error));
      setSent(false);
    });
  };

  return (
    <section className="approval" aria-label={title}>
      <h2>{title}</h2>
      <dl>
        {facts.map(({ label, value }) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {quotes.map(({ source, text }) => (
        <blockquote key={source + text}>
          <cite>{source}</cite> {text}
        </blockquote>
      ))}
      <p className="buttons">
        <button type="button" disabled={sent} onClick={() => decide({ type: "approve" })}>Approve</button>
        <button type="button" disabled={sent} onClick={() => decide({ type: "reject" })}>Decline</button>
      </p>
      {problem && <p role="alert">{problem}</p>}
    </section>
  );
}
