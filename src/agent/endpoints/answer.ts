/** What goes back to a container. */
export interface Answer {
  readonly status: number;
  readonly contentType: "application/json" | "text/plain";
  readonly body: string;
}

/** A document; members that are undefined are left out. */
export function json(status: number, document: unknown): Answer {
  return { status, contentType: "application/json", body: JSON.stringify(document) };
}

export function text(status: number, body: string): Answer {
  return { status, contentType: "text/plain", body };
}
