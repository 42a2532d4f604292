/**
 * A connection that carries whole text messages both ways: a websocket in production, a pair of queues in tests.
 * The one seam for everything that passes between server and node on a lasting connection.
 */
export interface MessageSocket {
  /** Queues one message. Silently ignored once the socket is closed: the close callback tells. */
  send(text: string): void;
  /** Bytes queued and not yet handed to the kernel: a sender with a limit looks here. */
  readonly bufferedBytes: number;
  /** Closes with a websocket close code and a short reason. */
  close(code: number, reason: string): void;
  /** Set at most once, in the tick in which the socket was received: messages are delivered from the next tick on. */
  onMessage(listener: (text: string) => void): void;
  /** Called exactly once, whoever closed. 1006 when the connection was lost. */
  onClose(listener: (code: number, reason: string) => void): void;
}
