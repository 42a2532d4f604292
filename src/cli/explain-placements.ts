import type { Settings } from "../config.ts";
import { messageOf, SetupError } from "../lib/errors.ts";
import { HandshakeRefusedError } from "../lib/websocket.ts";
import {
  CLUSTER_PARAMETER,
  EXPLANATIONS_PATH,
  type ExplanationMessage,
  type ExplanationsMessage,
} from "../protocol/placement-explanations.ts";
import { askServer, findServer } from "./ask-server.ts";

/** `gantry explain [CLUSTER]`: why tasks of a cluster found no place, the latest last, where the prompt is. */
export async function explainPlacements(
  settings: Settings,
  [cluster = "default"]: readonly string[],
): Promise<number> {
  const server = await findServer(settings);
  const { explanations } = await askServer<ExplanationsMessage>(server, EXPLANATIONS_PATH, {
    [CLUSTER_PARAMETER]: cluster,
  }).catch((cause: unknown) => {
    const isUnknown = cause instanceof HandshakeRefusedError && cause.status === 404;
    const message = isUnknown
      ? `${cause.body}: 'aws ecs list-clusters' says which there are`
      : `the server at ${server.endpoint} does not explain: ${messageOf(cause)}`;
    throw new SetupError(message, { cause });
  });
  const lines =
    explanations.length === 0
      ? [`Every task of ${cluster} found a place since the server started.`]
      : explanations.toReversed().flatMap(toLines);
  process.stdout.write(`${lines.join("\n")}\n`);
  return 0;
}

function toLines(explanation: ExplanationMessage): readonly string[] {
  const { at, definition, launchType, group, count, unplacedCount } = explanation;
  const instances = explanation.instances.map(
    ({ ec2InstanceId, passed, failed, reason, detail }) => {
      const before = passed.length === 0 ? "" : `, after ${passed.join(", ")}`;
      return `  ${ec2InstanceId}  ${reason}: ${detail} (${failed}${before})`;
    },
  );
  return [
    `${new Date(at).toISOString()}  ${unplacedCount} of ${count} tasks of ${definition} (${launchType}, ${group}): ${explanation.summary}`,
    ...instances,
  ];
}
