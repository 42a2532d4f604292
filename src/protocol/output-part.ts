/**
 * Which part of a container's output a PutLogEvents carries, so that no line is stored twice when an answer was lost or either
 * side was killed. It travels as the request's `sequenceToken`, which CloudWatch Logs takes and ignores since 2023: an agent may
 * say it to any server. A server that has the part already answers InvalidSequenceTokenException, whose
 * `expectedSequenceToken` says where to go on.
 */
export interface OutputPart {
  /** Names the output: unique for ever. */
  readonly writer: string;
  /** Bytes of the output. */
  readonly from: number;
  readonly to: number;
}

const TOKEN = /^output:([\w-]{1,300}):(\d{1,15})-(\d{1,15})$/;

export function formatOutputPart({ writer, from, to }: OutputPart): string {
  return `output:${writer}:${from}-${to}`;
}

/** Undefined for every other token. */
export function parseOutputPart(token: string): OutputPart | undefined {
  const [, writer, from, to] = TOKEN.exec(token) ?? [];
  if (writer === undefined || Number(from) > Number(to)) return undefined;
  return { writer, from: Number(from), to: Number(to) };
}
