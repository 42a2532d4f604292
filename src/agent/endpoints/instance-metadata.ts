/**
 * EC2's instance metadata, as far as an amazon-ecs-agent on a machine outside of EC2 asks for it: who the machine is, and its
 * keys. Version 2 alone, whose token has to be asked for by PUT and sent in a header: what a task can be tricked into
 * fetching by its address gets nothing.
 */
import type { Credentials } from "../../lib/sigv4.ts";
import { type Answer, json, text } from "./answer.ts";

export interface InstanceFacts {
  readonly ec2InstanceId: string;
  readonly accountId: string;
  readonly region: string;
  readonly availabilityZone: string;
  readonly availabilityZoneId: string;
  readonly instanceType: string;
  readonly privateIp: string;
  readonly macAddress: string;
  readonly architecture: "arm64" | "x86_64";
  /** Where the tasks of its account are by default; undefined: the server has not said so yet. */
  readonly home: { readonly vpcId: string; readonly subnetId: string } | undefined;
  /** How the machine's role is called. */
  readonly roleName: string;
  readonly credentials: Credentials;
  /** Epoch milliseconds: until when whoever has been told the credentials may use them unasked. */
  readonly credentialsUntil: number;
}

export interface MetadataQuestion {
  readonly method: string;
  /** With a query, which says nothing here. */
  readonly target: string;
  /** In lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/** What goes back, with the header that a token needs. */
export interface MetadataAnswer extends Answer {
  readonly headers?: Readonly<Record<string, string>>;
}

const ROOT = "/latest/";
const TOKEN_PATH = `${ROOT}api/token`;
const TTL_HEADER = "x-aws-ec2-metadata-token-ttl-seconds";
const TOKEN_HEADER = "x-aws-ec2-metadata-token";
/** EC2: six hours. */
const TTL_SECONDS_MAX = 21_600;

/** Answers one question. `token`: the one that this machine gives out. Pure. */
export function answerMetadata(
  question: MetadataQuestion,
  facts: () => InstanceFacts,
  token: string,
): MetadataAnswer {
  const { headers, method, target } = question;
  const [path = ""] = target.split("?");
  if (path === TOKEN_PATH) {
    const ttlSeconds = Number(headers[TTL_HEADER]);
    if (method !== "PUT") return text(405, "the token is asked for by PUT");
    // EC2: whoever sends this asks for somebody else.
    if (headers["x-forwarded-for"] !== undefined) return text(403, "not for forwarded requests");
    if (!(ttlSeconds >= 1 && ttlSeconds <= TTL_SECONDS_MAX)) {
      return text(400, `${TTL_HEADER} must be from 1 to ${TTL_SECONDS_MAX}`);
    }
    return { ...text(200, token), headers: { [TTL_HEADER]: String(ttlSeconds) } };
  }
  if (method !== "GET") return text(405, "metadata is asked for by GET");
  if (headers[TOKEN_HEADER] !== token) return text(401, `${TOKEN_HEADER} is missing or not valid`);
  const known = facts();
  // The agent takes a 404 for a machine without a VPC, and goes on without awsvpc; this it asks again.
  if (known.home === undefined && /\/(?:vpc|subnet)-id$/.test(path))
    return text(503, "not known yet");
  return answerPath(path, documentsOf(known));
}

/** The document at a path, or the names below it; 404 for what such a machine does not have. */
function answerPath(path: string, documents: ReadonlyMap<string, Answer>): Answer {
  const document = documents.get(path);
  if (document !== undefined) return document;
  const directory = path.endsWith("/") ? path : `${path}/`;
  const names = [...documents.keys()]
    .filter((key) => key.startsWith(directory))
    .map((key) => key.slice(directory.length).replace(/\/.*$/, "/"));
  return names.length === 0 ? text(404, "not found") : text(200, [...new Set(names)].join("\n"));
}

function documentsOf(facts: InstanceFacts): ReadonlyMap<string, Answer> {
  const { availabilityZone, ec2InstanceId, home, instanceType, macAddress, privateIp, region } =
    facts;
  const own = `network/interfaces/macs/${macAddress}`;
  const metadata: readonly (readonly [path: string, value: string])[] = [
    ["instance-id", ec2InstanceId],
    ["instance-type", instanceType],
    ["local-ipv4", privateIp],
    ["mac", macAddress],
    [`${own}/local-ipv4s`, privateIp],
    ...(home === undefined
      ? []
      : ([
          [`${own}/subnet-id`, home.subnetId],
          [`${own}/vpc-id`, home.vpcId],
        ] as const)),
    ["placement/availability-zone", availabilityZone],
    ["placement/availability-zone-id", facts.availabilityZoneId],
    ["placement/region", region],
  ];
  return new Map<string, Answer>([
    [`${ROOT}dynamic/instance-identity/document`, json(200, identityDocument(facts))],
    // Nobody verifies it: Gantry knows a machine by its key.
    [`${ROOT}dynamic/instance-identity/signature`, text(200, "bm90IHNpZ25lZA==")],
    ...metadata.map(([path, value]) => [`${ROOT}meta-data/${path}`, text(200, value)] as const),
    [
      `${ROOT}meta-data/iam/security-credentials/${facts.roleName}`,
      json(200, credentialsDocument(facts)),
    ],
  ]);
}

function identityDocument(facts: InstanceFacts): object {
  return {
    accountId: facts.accountId,
    architecture: facts.architecture,
    availabilityZone: facts.availabilityZone,
    instanceId: facts.ec2InstanceId,
    instanceType: facts.instanceType,
    privateIp: facts.privateIp,
    region: facts.region,
    version: "2017-09-30",
  };
}

function credentialsDocument({ credentials, credentialsUntil }: InstanceFacts): object {
  const expiration = new Date(credentialsUntil).toISOString().replace(/\.\d{3}Z$/, "Z");
  return {
    Code: "Success",
    Type: "AWS-HMAC",
    AccessKeyId: credentials.accessKeyId,
    SecretAccessKey: credentials.secretAccessKey,
    Token: credentials.sessionToken ?? "",
    Expiration: expiration,
    LastUpdated: expiration,
  };
}
