import { SETTINGS, type SettingName } from "../settings.ts";
import type { Command } from "./command.ts";

/** What only a machine with containers has a use for. */
const NODE_SETTINGS: readonly SettingName[] = [
  "cluster",
  "zone",
  "advertise",
  "imagePullBehavior",
  "registryAuth",
  "insecureRegistries",
  "imageCleanupAge",
  "metricsInterval",
  "runtimeEc2",
  "runtimeFargate",
];
const UP_SETTINGS = (Object.keys(SETTINGS) as SettingName[]).filter(
  (name) => name !== "join" && name !== "agent",
);
const SERVER_SETTINGS = UP_SETTINGS.filter((name) => !NODE_SETTINGS.includes(name));
const PRINT_UNIT = {
  "print-unit": "print a systemd unit for this command line, and do nothing else",
};

/** Every command, in the order of the help. */
export const COMMANDS: readonly Command[] = [
  {
    name: "up",
    words: [],
    summary: "bring the whole system up on this machine, in the foreground",
    details: [
      "Server and node in one process. Needs root, containerd, runc, iproute2, nftables and conntrack. Ctrl-C stops it: containers keep running, and the next start adopts them.",
    ],
    settings: UP_SETTINGS,
    switches: PRINT_UNIT,
    run: async (invocation) => (await import("./up.ts")).up(invocation),
  },
  {
    name: "server",
    words: [],
    summary: "bring the control plane up alone: no containers, no root",
    details: [
      "The same state as 'gantry up': a data directory may be used by the one today and by the other tomorrow.",
    ],
    settings: SERVER_SETTINGS,
    switches: PRINT_UNIT,
    run: async (invocation) => (await import("./server.ts")).server(invocation),
  },
  {
    name: "node",
    words: [],
    summary: "make this machine capacity of a server elsewhere, in the foreground",
    details: [
      "Joins by a token the first time; later starts need none. Needs root and the same packages as 'gantry up'. Ctrl-C stops it: containers keep running, and the next start adopts them.",
      "With --agent amazon-ecs-agent it runs no containers: it makes the network for AWS's own agent and writes that one's variables to ecs-agent.env in the data directory (docs/ecs-agent.md).",
    ],
    settings: ["dataDirectory", "join", "agent", ...NODE_SETTINGS, "logLevel"],
    switches: PRINT_UNIT,
    run: async (invocation) => (await import("./node.ts")).node(invocation),
  },
  {
    name: "token",
    words: [],
    summary: "print a join token for 'gantry node' on other machines, good for an hour",
    details: ["Run it where the server runs. The token is a secret: it lets machines join."],
    settings: ["dataDirectory"],
    switches: {},
    run: async ({ settings }) => (await import("./token.ts")).token(settings),
  },
  {
    name: "status",
    words: [],
    summary: "what runs: process, endpoint, instances, tasks, use of the disk",
    details: ["The exit code is 0 when it runs, 3 when it does not, 1 when it does not answer."],
    settings: ["dataDirectory"],
    switches: {},
    run: async ({ settings }) => (await import("./status.ts")).status(settings),
  },
  {
    name: "explain",
    words: ["[CLUSTER]"],
    summary: "why tasks of a cluster found no place: machine by machine, filter by filter",
    details: [
      "The last 20 refusals since the server started; CLUSTER is 'default' where none is named.",
    ],
    settings: ["dataDirectory"],
    switches: {},
    run: async ({ settings, words }) =>
      (await import("./explain-placements.ts")).explainPlacements(settings, words),
  },
  {
    name: "env",
    words: [],
    summary: 'shell lines for the AWS CLI and SDKs: eval "$(gantry env)"',
    details: ["They hold the root key's secret."],
    settings: ["dataDirectory"],
    switches: {},
    run: async ({ settings }) => (await import("./env.ts")).env(settings),
  },
  {
    name: "aws",
    words: [],
    summary: "the AWS CLI, pointed at this Gantry",
    details: [
      "All that follows belongs to the AWS CLI; GANTRY_DATA_DIR, or --data-dir before 'aws', says which Gantry.",
    ],
    settings: ["dataDirectory"],
    switches: {},
    passesOn: true,
    run: async ({ settings, words }) => (await import("./aws.ts")).aws(settings, words),
  },
  {
    name: "image",
    words: ["load|pull|list|rm", "[FILE|NAME]"],
    summary: "the images in this machine's engine",
    details: [
      "load FILE imports a tar file: an OCI layout, or what 'docker save' writes. Tasks run what was loaded without asking a registry.",
      "pull NAME fetches an image from its registry, with the logins and insecure registries of the Gantry that runs where none are named here. list shows what is here. rm NAME removes an image that no container uses.",
    ],
    settings: ["dataDirectory", "registryAuth", "insecureRegistries"],
    switches: {},
    run: async ({ settings, words }) => (await import("./image.ts")).image(settings, words),
  },
  {
    name: "down",
    words: [],
    summary: "stop and remove every container and network of a data directory; its state stays",
    details: [],
    settings: ["dataDirectory", "logLevel"],
    switches: {},
    run: async ({ settings }) => (await import("./down.ts")).down(settings),
  },
  {
    name: "completion",
    words: ["bash|zsh"],
    summary: "a script that teaches the shell these words",
    details: [
      'For bash: source <(gantry completion bash). For zsh: eval "$(gantry completion zsh)".',
    ],
    settings: [],
    switches: {},
    run: async ({ words }) =>
      (await import("./completion.ts")).completion(COMMANDS, words[0] ?? ""),
  },
  {
    name: "version",
    words: [],
    summary: "which version this is, and of Node",
    details: [],
    settings: [],
    switches: {},
    run: async () => (await import("./version.ts")).version(),
  },
];
