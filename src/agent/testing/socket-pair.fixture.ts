import type { MessageSocket } from "../../lib/message-socket.ts";

interface End {
  readonly socket: MessageSocket;
  deliver(text: string): void;
  closed(code: number, reason: string): void;
}

/** Two ends of one connection in memory. Messages arrive in a later tick, in order; none after the close. */
export function socketPair(): readonly [MessageSocket, MessageSocket] {
  let isOpen = true;
  const close = (code: number, reason: string): void => {
    if (!isOpen) return;
    isOpen = false;
    queueMicrotask(() => {
      a.closed(code, reason);
      b.closed(code, reason);
    });
  };
  const end = (other: () => End): End => {
    let onMessage: (text: string) => void = () => undefined;
    let onClose: (code: number, reason: string) => void = () => undefined;
    return {
      deliver: (text) => onMessage(text),
      closed: (code, reason) => onClose(code, reason),
      socket: {
        bufferedBytes: 0,
        send: (text) => queueMicrotask(() => isOpen && other().deliver(text)),
        close,
        onMessage: (listener) => {
          onMessage = listener;
        },
        onClose: (listener) => {
          onClose = listener;
        },
      },
    };
  };
  const a: End = end(() => b);
  const b: End = end(() => a);
  return [a.socket, b.socket];
}
