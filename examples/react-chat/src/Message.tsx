import { AIMessage, type BaseMessage } from "@langchain/core/messages";

type Call = { callId: string; status: string };
type Props = { message: BaseMessage; calls: readonly Call[] };

/** What was said, and under it the tools that it calls. Their results are part of the cards, not messages. */
export function Message({ message, calls }: Props) {
  if (message.type !== "human" && message.type !== "ai") return null;
  const own = AIMessage.isInstance(message) ? (message.tool_calls ?? []) : [];
  return (
    <>
      {message.text && <p className={message.type}>{message.text}</p>}
      {own.map((call) => (
        <ToolCall key={call.id} name={call.name} args={call.args} status={calls.find((one) => one.callId === call.id)?.status} />
      ))}
    </>
  );
}

function ToolCall({ name, args, status }: { name: string; args: unknown; status?: string }) {
  return (
    <details className="call">
      <summary>
        <code>{name}</code> {status}
      </summary>
      <pre>{JSON.stringify(args, null, 2)}</pre>
    </details>
  );
}
