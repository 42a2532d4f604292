import type {
  GetRandomPasswordRequest,
  GetRandomPasswordResponse,
} from "@aws-sdk/client-secrets-manager";
import type { SecretsDeps } from "./deps.ts";
import { invalidParameter } from "./find.ts";

const KINDS = {
  ExcludeLowercase: "abcdefghijklmnopqrstuvwxyz",
  ExcludeUppercase: "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
  ExcludeNumbers: "0123456789",
  ExcludePunctuation: "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
} as const;
const LENGTH = { default: 32, max: 4096 };

/** A password by AWS's rules: of each kind of character at least one, unless that is not wanted. */
export async function getRandomPassword(
  { random }: SecretsDeps,
  input: GetRandomPasswordRequest,
): Promise<GetRandomPasswordResponse> {
  const length = input.PasswordLength ?? LENGTH.default;
  if (length < 1 || length > LENGTH.max) {
    throw invalidParameter(`PasswordLength must be between 1 and ${LENGTH.max}.`);
  }
  const excluded = new Set(input.ExcludeCharacters);
  const names = Object.keys(KINDS) as (keyof typeof KINDS)[];
  const kinds = [
    ...names.filter((name) => input[name] !== true).map((name) => KINDS[name]),
    ...(input.IncludeSpace ? [" "] : []),
  ]
    .map((kind) => [...kind].filter((one) => !excluded.has(one)))
    .filter((kind) => kind.length > 0);
  if (kinds.length === 0) throw invalidParameter("Every character is excluded.");
  const required = input.RequireEachIncludedType === false ? [] : kinds;
  if (required.length > length) {
    throw invalidParameter("The password is too short to have each included type of character.");
  }
  const pick = (letters: readonly string[]): string => letters[below(letters.length)] ?? "";
  /** Without bias: bytes that would favour the first characters are drawn again. */
  const below = (count: number): number => {
    for (;;) {
      const drawn = random.bytes(1)[0] ?? 0;
      if (drawn < 256 - (256 % count)) return drawn % count;
    }
  };
  const all = kinds.flat();
  const letters = [...required.map(pick)];
  while (letters.length < length) letters.push(pick(all));
  return { RandomPassword: shuffled(letters, below).join("") };
}

/** Fisher–Yates; beyond 256 letters only within blocks, since each letter is random already. */
function shuffled(letters: string[], below: (count: number) => number): string[] {
  for (let i = Math.min(letters.length, 256) - 1; i > 0; i--) {
    const j = below(i + 1);
    [letters[i], letters[j]] = [letters[j] ?? "", letters[i] ?? ""];
  }
  return letters;
}
