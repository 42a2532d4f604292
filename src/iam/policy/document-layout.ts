/** What `JSON.parse` forgets of a policy document: where its statements stand, and keys written twice. */

/** A place in a text, as SimulatePrincipalPolicy tells it: both count from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/**
 * A statement, from where AWS's parser stands before it to just after its `}`: after the `{` of a lone statement, and in
 * a list after the `[` or the statement before. (Seen in AWS's examples and in recorded answers.)
 */
export interface Span {
  readonly start: Position;
  readonly end: Position;
}

export interface DocumentLayout {
  readonly statements: readonly Span[];
  /** JSON leaves open which of the two counts; in a policy that is a matter of rights. */
  readonly hasDuplicateKeys: boolean;
}

/** An object or list that is still open. */
interface Open {
  readonly isObject: boolean;
  /** Of a statement: the offset at which its span starts. */
  readonly statementAt: number | undefined;
  readonly keys: Set<string>;
  /** Of an object: the key whose value comes next; undefined while a key is expected. */
  key: string | undefined;
}

/** Strings, brackets, commas; anything else of JSON has no say here. */
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],]/g;

/** Walks over a text that is known to be JSON. */
export function readLayout(text: string): DocumentLayout {
  const statements: Span[] = [];
  const open: Open[] = [];
  const positionOf = createPositions(text);
  let hasDuplicateKeys = false;
  let endOfLast = 0;
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    const top = open.at(-1);
    const end = index + token.length;
    if (token === "{" || token === "[") {
      const isObject = token === "{";
      const startAt = open.length === 1 ? end : endOfLast;
      const statementAt = isObject && isInsideStatement(open) ? startAt : undefined;
      open.push({ isObject, statementAt, keys: new Set(), key: undefined });
    } else if (token === "}" || token === "]") {
      open.pop();
      if (top?.statementAt !== undefined) {
        statements.push({ start: positionOf(top.statementAt), end: positionOf(end) });
      }
    } else if (token === ",") {
      if (top) top.key = undefined;
      continue;
    } else if (top?.isObject && top.key === undefined) {
      top.key = JSON.parse(token) as string;
      hasDuplicateKeys ||= top.keys.has(top.key);
      top.keys.add(top.key);
    }
    endOfLast = end;
  }
  return { statements, hasDuplicateKeys };
}

/** Whether what opens here is the value of the document's `Statement`, or stands in its list. */
function isInsideStatement(open: readonly Open[]): boolean {
  const [root, list] = open;
  return root?.key === "Statement" && (open.length === 1 || (open.length === 2 && !list?.isObject));
}

/** Finds the positions of offsets. */
function createPositions(text: string): (offset: number) => Position {
  const lineStarts = [0, ...[...text.matchAll(/\n/g)].map(({ index }) => index + 1)];
  return (offset) => {
    const line = lineStarts.findLastIndex((start) => start <= offset);
    return { line: line + 1, column: offset - (lineStarts[line] ?? 0) + 1 };
  };
}
