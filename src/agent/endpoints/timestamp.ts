/** RFC 3339 with as many digits of the second as it takes: `2026-01-01T00:00:00.12Z`. Undefined where there is no such time. */
export function timestamp(epochMs: number | undefined): string | undefined {
  if (epochMs === undefined || !Number.isFinite(epochMs)) return undefined;
  return new Date(epochMs).toISOString().replace(/\.?0+Z$/, "Z");
}
