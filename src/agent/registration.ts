import { type Backoff, backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import { ApiError, messageOf, SetupError } from "../lib/errors.ts";
import type { Log } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";
import type { AgentConfig, ApiClient } from "./agent-deps.ts";
import { type Attribute, capabilities } from "./capabilities.ts";
import type { Journal } from "./journal.ts";

export interface RegistrationDeps {
  readonly ecs: ApiClient;
  readonly journal: Journal;
  readonly config: AgentConfig;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Starts below the ECS agent's 3 s, because ours often comes up beside its server; ends at the ECS agent's 192 s. */
const REGISTER_BACKOFF: Backoff = { firstMs: 250, factor: 2, maxMs: 192_000 };
/** ECS agent: answers that waiting does not change. */
const FINAL_ERRORS: ReadonlySet<string> = new Set(["InvalidParameterException", "ClientException"]);
const TYPE_CHANGED = "Container instance type changes are not supported.";
/** The cluster an agent makes for itself when it is not there; every other must exist. */
const DEFAULT_CLUSTER = "default";

/**
 * Registers this machine and returns the container instance's ARN, the one remembered from before if there is one. Tries
 * until `signal` aborts (then undefined); throws SetupError when the server's answer is final.
 */
export async function register(
  deps: RegistrationDeps,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { config, journal, log } = deps;
  const known = journal.registration();
  if (known !== undefined && known.cluster !== config.cluster) {
    throw new SetupError(
      `this agent's data belongs to cluster ${known.cluster}, not ${config.cluster}: give it another data directory`,
    );
  }
  const clientToken = deps.random.uuid();
  for (let failures = 1; !signal.aborted; failures++) {
    try {
      const arn = await registerOnce(deps, known?.containerInstanceArn, clientToken, signal);
      journal.putRegistration({ cluster: config.cluster, containerInstanceArn: arn });
      return arn;
    } catch (error) {
      if (signal.aborted) return undefined;
      if (isFinal(error)) throw new SetupError(`registration refused: ${messageOf(error)}`);
      const waitMs = backoffMs(REGISTER_BACKOFF, failures, deps.random);
      log.warn("cannot register yet", { cluster: config.cluster, error: messageOf(error) });
      await deps.clock.sleep(waitMs, signal);
    }
  }
  return undefined;
}

async function registerOnce(
  deps: RegistrationDeps,
  containerInstanceArn: string | undefined,
  clientToken: string,
  signal: AbortSignal,
): Promise<string> {
  const request = registrationRequest(deps.config, containerInstanceArn, clientToken);
  let answer: unknown;
  try {
    answer = await deps.ecs.call("RegisterContainerInstance", request, signal);
  } catch (error) {
    if (!isClusterMissing(error) || deps.config.cluster !== DEFAULT_CLUSTER) throw error;
    await deps.ecs.call("CreateCluster", { clusterName: DEFAULT_CLUSTER }, signal);
    answer = await deps.ecs.call("RegisterContainerInstance", request, signal);
  }
  return checkAnswer(answer, request.attributes);
}

/** The request, as the ECS agent words it. Pure. */
export function registrationRequest(
  config: AgentConfig,
  containerInstanceArn: string | undefined,
  clientToken: string,
): { readonly attributes: readonly Attribute[] } & Readonly<Record<string, unknown>> {
  const { ec2InstanceId, availabilityZone, region, accountId, instanceType, privateIp } = config;
  return {
    cluster: config.cluster,
    clientToken,
    ...(containerInstanceArn !== undefined && { containerInstanceArn }),
    instanceIdentityDocument: JSON.stringify({
      instanceId: ec2InstanceId,
      availabilityZone,
      region,
      accountId,
      instanceType,
      privateIp,
    }),
    instanceIdentityDocumentSignature: "",
    totalResources: [
      { name: "CPU", type: "INTEGER", integerValue: config.cpuUnits },
      { name: "MEMORY", type: "INTEGER", integerValue: config.memoryMiB },
      { name: "PORTS", type: "STRINGSET", stringSetValue: config.reservedPorts.map(String) },
      { name: "PORTS_UDP", type: "STRINGSET", stringSetValue: [] },
    ],
    attributes: capabilities(config.architecture),
  };
}

/** ECS agent: each attribute that was sent with a value must come back, or the server is not one to work for. */
function checkAnswer(answer: unknown, sent: readonly Attribute[]): string {
  const instance = (
    answer as {
      containerInstance?: { containerInstanceArn?: string; attributes?: readonly Attribute[] };
    }
  ).containerInstance;
  const arn = instance?.containerInstanceArn;
  if (arn === undefined) throw new ApiError("ServerException", "no containerInstanceArn answered");
  const echoed = new Map(instance?.attributes?.map(({ name, value }) => [name, value]));
  const lost = sent.find(({ name, value }) => value !== undefined && echoed.get(name) !== value);
  if (lost !== undefined) {
    throw new ApiError("InvalidParameterException", `attribute ${lost.name} was not accepted`);
  }
  return arn;
}

/** The websocket endpoints of this container instance: of its tasks (ACS), and of its telemetry (TCS). */
export async function discoverEndpoints(
  deps: { readonly ecs: ApiClient; readonly cluster: string },
  containerInstanceArn: string,
  signal: AbortSignal,
): Promise<{ readonly endpoint: string; readonly telemetryEndpoint: string }> {
  const answer = (await deps.ecs.call(
    "DiscoverPollEndpoint",
    { cluster: deps.cluster, containerInstance: containerInstanceArn, zoneId: "" },
    signal,
  )) as { endpoint?: string; telemetryEndpoint?: string };
  const { endpoint, telemetryEndpoint } = answer;
  if (endpoint === undefined || telemetryEndpoint === undefined) {
    throw new ApiError("ServerException", "no endpoint answered");
  }
  return { endpoint, telemetryEndpoint };
}

function isClusterMissing(error: unknown): boolean {
  return (
    error instanceof ApiError &&
    (error.code === "ClusterNotFoundException" || error.message.includes("Cluster not found."))
  );
}

function isFinal(error: unknown): boolean {
  return (
    error instanceof ApiError &&
    !isClusterMissing(error) &&
    (FINAL_ERRORS.has(error.code) || error.message.includes(TYPE_CHANGED))
  );
}
