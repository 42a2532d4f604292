/** A word, sign or quoted text of the cluster query language. */
export interface Token {
  readonly text: string;
  /** Quoted text is never an operator or keyword. */
  readonly isQuoted: boolean;
}

/** Sticky: a match begins where the one before ended. */
const TOKEN =
  /\s*(?:'([^']*)'|"([^"]*)"|(==|!=|>=|<=|=~|!~|&&|\|\||[()[\],<>!])|([^\s()[\],'"=!<>&|~]+))/gy;

/** Splits an expression into tokens; undefined where it contains something that is none. */
export function tokenise(expression: string): readonly Token[] | undefined {
  const text = expression.trimEnd();
  const matches = [...text.matchAll(TOKEN)];
  const readLength = matches.reduce((length, [match]) => length + match.length, 0);
  if (readLength < text.length) return undefined;
  return matches.map(([, single, double, sign, word]) => {
    const quoted = single ?? double;
    return quoted === undefined
      ? { text: sign ?? word ?? "", isQuoted: false }
      : { text: quoted, isQuoted: true };
  });
}
