import { type FormEvent, useState } from "react";

type Props = { busy: boolean; onSay: (text: string) => void; onStop: () => void };

export function Composer({ busy, onSay, onStop }: Props) {
  const [text, setText] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!text.trim()) return;
    onSay(text.trim());
    setText("");
  };

  return (
    <form onSubmit={submit}>
      <input aria-label="Message" placeholder="Write a message" value={text} onChange={(event) => setText(event.target.value)} />
      {busy ? <button type="button" onClick={onStop}>Stop</button> : <button type="submit">Send</button>}
    </form>
  );
}
