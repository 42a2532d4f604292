import type { Attribute, HostResources } from "./instance.ts";

/** What a registration says, and how it changes what was registered before. */

/** The part of the EC2 instance identity document that we read. */
export interface IdentityDocument {
  readonly instanceId?: string;
  readonly instanceType?: string;
  readonly availabilityZone?: string;
  readonly privateIp?: string;
  /** `x86_64` or `arm64`. */
  readonly architecture?: string;
  readonly imageId?: string;
}

const IDENTITY_MEMBERS: readonly (keyof IdentityDocument)[] = [
  "instanceId",
  "instanceType",
  "availabilityZone",
  "privateIp",
  "architecture",
  "imageId",
];

/** What an instance's document says of it, as attributes. An agent says none of these itself where it has a document. */
const IDENTITY_ATTRIBUTES: readonly (readonly [keyof IdentityDocument, attribute: string])[] = [
  ["availabilityZone", "ecs.availability-zone"],
  ["instanceType", "ecs.instance-type"],
  ["architecture", "ecs.cpu-architecture"],
  ["imageId", "ecs.ami-id"],
];

/** Where a machine on EC2 is. Agents that make interfaces for their tasks say it themselves, as attributes. */
export interface EC2Home {
  readonly vpcId: string;
  readonly subnetId: string;
}

/** A resource as the API has it. */
interface GivenResource {
  readonly name?: string | undefined;
  readonly integerValue?: number | undefined;
  readonly stringSetValue?: readonly string[] | undefined;
}

/** A platform device as the API has it. */
interface GivenDevice {
  readonly id?: string | undefined;
  readonly type?: string | undefined;
}

interface GivenAttribute {
  readonly name: string | undefined;
  readonly value?: string | undefined;
}

/**
 * Reads an identity document; agents outside EC2 have none and send an empty one. Undefined when it is not JSON.
 * Nobody has signed it with a key of ours: what a caller may claim is decided by its own signature.
 */
export function parseIdentityDocument(text: string | undefined): IdentityDocument | undefined {
  if (!text) return {};
  try {
    const document: unknown = JSON.parse(text);
    if (typeof document !== "object" || document === null) return undefined;
    return Object.fromEntries(
      IDENTITY_MEMBERS.flatMap((name) => {
        const value = (document as Record<string, unknown>)[name];
        return typeof value === "string" && value !== "" ? [[name, value]] : [];
      }),
    );
  } catch {
    return undefined;
  }
}

/** What the machine offers; undefined when CPU or memory is missing. */
export function parseResources(
  resources: readonly GivenResource[] = [],
  devices: readonly GivenDevice[] = [],
): HostResources | undefined {
  const find = (name: string): GivenResource | undefined =>
    resources.find((resource) => resource.name === name);
  const cpuUnits = find("CPU")?.integerValue;
  const memoryMiB = find("MEMORY")?.integerValue;
  if (cpuUnits === undefined || memoryMiB === undefined) return undefined;
  const gpus = devices.flatMap(({ id, type }) => (id && type === "GPU" ? [id] : []));
  return {
    cpuUnits,
    memoryMiB,
    ports: find("PORTS")?.stringSetValue?.map(Number) ?? [],
    portsUdp: find("PORTS_UDP")?.stringSetValue?.map(Number) ?? [],
    ...(gpus.length > 0 && { gpus }),
  };
}

/**
 * The attributes of an instance after a registration. What the agent says of itself replaces what it said before; a
 * capability it no longer has is gone. Other attributes stay: an agent that comes back does not repeat custom ones.
 */
export function mergeAttributes(
  before: readonly Attribute[],
  given: readonly GivenAttribute[],
  document: IdentityDocument,
  home: EC2Home | undefined,
): readonly Attribute[] {
  const words: Attribute[] = given.flatMap(({ name, value }) =>
    name === undefined ? [] : [value ? { name, value } : { name }],
  );
  const said = [...words, ...homeAttributes(words, home)];
  const ours: Attribute[] = IDENTITY_ATTRIBUTES.flatMap(([member, name]) => {
    const value = document[member];
    return value === undefined ? [] : [{ name, value }];
  });
  const newest = [...said, ...ours];
  const names = new Set(newest.map(({ name }) => name));
  const kept = before.filter(({ name }) => !names.has(name) && !isCapability(name));
  return [...kept, ...said.filter(({ name }) => !ours.some((our) => our.name === name)), ...ours];
}

function homeAttributes(said: readonly Attribute[], home: EC2Home | undefined): Attribute[] {
  if (home === undefined || said.some(({ name }) => name === "ecs.vpc-id")) return [];
  return [
    { name: "ecs.vpc-id", value: home.vpcId },
    { name: "ecs.subnet-id", value: home.subnetId },
  ];
}

function isCapability(name: string): boolean {
  return name.startsWith("ecs.capability.") || name.startsWith("com.amazonaws.ecs.capability.");
}
