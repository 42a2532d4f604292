import { ApiError } from "../lib/errors.ts";
import { invalidParameter } from "./find.ts";
import type { Secret } from "./model.ts";

/** https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html */
const LABELS_MAX = 20;

/** The staging labels that a caller gives one version. Throws InvalidParameterException. */
export function checkLabels(stages: readonly string[]): readonly string[] {
  if (stages.length < 1 || stages.length > LABELS_MAX) {
    throw invalidParameter(`VersionStages must have 1 to ${LABELS_MAX} labels.`);
  }
  const bad = stages.find((stage) => stage.length < 1 || stage.length > 256);
  if (bad !== undefined) throw invalidParameter("A staging label has 1 to 256 characters.");
  return stages;
}

/** Of all versions together. Throws LimitExceededException. */
export function checkLabelCount(versions: Secret["versions"]): void {
  if (Object.values(versions).flat().length <= LABELS_MAX) return;
  throw new ApiError(
    "LimitExceededException",
    `A secret has at most ${LABELS_MAX} staging labels.`,
  );
}
