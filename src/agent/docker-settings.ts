import type { DockerConfigStrings } from "../protocol/acs.ts";
import type { DockerConfig, DockerHostConfig } from "../protocol/docker-config.ts";

/** A container's Docker configuration, decoded. Members that are null in the JSON are absent here. */
export interface DockerSettings {
  readonly config: DockerConfig;
  readonly hostConfig: DockerHostConfig;
}

/** Decodes the two JSON texts of a payload. Throws SyntaxError when one is not JSON. */
export function decodeDockerSettings(strings: DockerConfigStrings | undefined): DockerSettings {
  return {
    config: decode(strings?.config),
    hostConfig: decode(strings?.hostConfig),
  };
}

function decode(text: string | undefined): object {
  if (text === undefined || text === null || text === "") return {};
  return JSON.parse(text, (_key, value: unknown) => value ?? undefined) as object;
}
