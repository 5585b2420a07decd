import { type BaseMessage, HumanMessage } from "@langchain/core/messages";
import { useStream } from "@langchain/react";
import { useEffect, useRef, useState } from "react";
import { Approval, type Request } from "./Approval";
import { Composer } from "./Composer";
import { Message } from "./Message";

const API_URL = import.meta.env.VITE_API_URL ?? "http://127.0.0.1:8123";
const ASSISTANT = import.meta.env.VITE_ASSISTANT ?? "support";
const KEPT = "react-chat-thread"; // so that a reload goes on where it was

type State = { messages: BaseMessage[] };

export function Chat() {
  const [threadId, setThreadId] = useState(() => localStorage.getItem(KEPT));
  const keep = (id: string | null) => {
    if (id) localStorage.setItem(KEPT, id);
    else localStorage.removeItem(KEPT);
    setThreadId(id);
  };
  const stream = useStream<State, Request>({ apiUrl: API_URL, assistantId: ASSISTANT, threadId, onThreadId: keep });
  const end = useRef<HTMLDivElement>(null);
  useEffect(() => {
    void end.current?.scrollIntoView();
  }, [stream.messages, stream.interrupts]);
  const say = (text: string) => stream.submit({ messages: [new HumanMessage(text)] });

  return (
    <main>
      <header>
        <h1>React chat on Holdfast</h1>
        <button type="button" onClick={() => keep(null)}>New conversation</button>
      </header>
      <div role="log" aria-busy={stream.isLoading}>
        {stream.messages.map((message, place) => (
          <Message key={message.id ?? place} message={message} calls={stream.toolCalls} />
        ))}
        {stream.isLoading && <p className="working">…</p>}
        {stream.interrupts.map((interrupt) => (
          <Approval
            key={interrupt.id}
            request={interrupt.value}
            onDecide={(decision) => stream.respond({ decisions: [decision] }, { interruptId: interrupt.id })}
          />
        ))}
        {stream.error ? <p role="alert">{String(stream.error)}</p> : null}
        <div ref={end} />
      </div>
      <Composer busy={stream.isLoading} onSay={say} onStop={() => stream.stop()} />
    </main>
  );
}
