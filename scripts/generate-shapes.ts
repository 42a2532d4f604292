/**
 * Extracts what the door needs to know of each AWS service from the pinned SDK packages (development dependencies)
 * into `src/door/shapes/<service>.json`, so that no SDK package is loaded at run time.
 *
 *   npm run shapes              writes the files
 *   npm run shapes -- --check   writes nothing; fails when a file is not what the packages say
 *
 * The SDK's schema tuples are public but not promised to be stable: every kind and length is asserted, so that an
 * upgrade that changes them fails here and not in production.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { isDeepStrictEqual } from "node:util";
import {
  type Ref,
  SENTINEL,
  type ShapesFile,
  type ShapeTuple,
  type Traits,
} from "../src/door/shapes-file.ts";
import { assert, messageOf } from "../src/lib/errors.ts";
import { FRACTIONAL_MEMBERS } from "./fractional-members.ts";

/** Where a service's shapes come from. */
export interface Source {
  /** Our folder's name and the file's. */
  readonly name: string;
  /** The SDK package it is taken from. */
  readonly package: string;
  /** Operations whose shapes are kept; of the others only the names. Default: all. */
  readonly keep?: RegExp;
}

/** Every service of the door, by name. */
export const SOURCES: readonly Source[] = [
  { name: "acm", package: "@aws-sdk/client-acm" },
  { name: "appmesh", package: "@aws-sdk/client-app-mesh" },
  { name: "application-autoscaling", package: "@aws-sdk/client-application-auto-scaling" },
  { name: "autoscaling", package: "@aws-sdk/client-auto-scaling" },
  { name: "cloudwatch", package: "@aws-sdk/client-cloudwatch" },
  { name: "ec2", package: "@aws-sdk/client-ec2", keep: keptOfEc2() },
  { name: "ecr", package: "@aws-sdk/client-ecr" },
  { name: "ecs", package: "@aws-sdk/client-ecs" },
  { name: "elbv2", package: "@aws-sdk/client-elastic-load-balancing-v2" },
  { name: "events", package: "@aws-sdk/client-eventbridge" },
  { name: "iam", package: "@aws-sdk/client-iam" },
  { name: "kms", package: "@aws-sdk/client-kms" },
  { name: "logs", package: "@aws-sdk/client-cloudwatch-logs" },
  { name: "scheduler", package: "@aws-sdk/client-scheduler" },
  { name: "secretsmanager", package: "@aws-sdk/client-secrets-manager" },
  { name: "servicediscovery", package: "@aws-sdk/client-servicediscovery" },
  { name: "ssm", package: "@aws-sdk/client-ssm" },
  { name: "sts", package: "@aws-sdk/client-sts" },
  { name: "xray", package: "@aws-sdk/client-xray" },
];

/**
 * EC2 has 811 operations and as much JSON as all other services together. Kept are the nouns that ECS, its load
 * balancers and Terraform's VPC resources stand on.
 */
function keptOfEc2(): RegExp {
  const nouns = [
    "(Default)?Vpcs?(Attribute|Tenancy|CidrBlock)?|(Default)?Subnets?(Attribute|CidrBlock)?",
    "SecurityGroups?(Ingress|Egress|Rules|References|RuleDescriptions(Ingress|Egress))?",
    "NetworkInterfaces?(Attribute)?|(PrivateIp|Ipv6)?Addresses|Address|AddressesAttribute",
    "Instances?(Attribute|Status|Types|TypeOfferings|MetadataOptions)?|IamInstanceProfile(Associations?)?",
    "Tags|AvailabilityZones|Regions|AccountAttributes|Images|KeyPairs?",
    "RouteTables?|Routes?|NetworkAcls?(Entry|Association)?|(Internet|Nat)Gateways?|DhcpOptions",
    "LaunchTemplates?(Versions?)?|PrefixLists|ManagedPrefixLists",
  ];
  const verbs =
    "Create|Delete|Describe|Modify|Update|Reset|Associate|Disassociate|Attach|Detach|Assign|Unassign|" +
    "Allocate|Release|Authorize|Revoke|Replace|Run|Start|Stop|Reboot|Terminate";
  return new RegExp(`^(${verbs})(${nouns.join("|")})$`);
}

/** Members that take any text, although their models name values: a port's protocol that is not `udp` is `tcp`. */
const ANY_TEXT: Readonly<Record<string, readonly string[]>> = { ecs: ["PortMapping.protocol"] };

const ROOT = fileURLToPath(new URL("..", import.meta.url));

type SdkModule = Readonly<Record<string, unknown>>;
/** `[kind, namespace, name, traits, …]` as `@smithy/types` has it (`StaticSchema`). */
type SdkSchema = readonly [number, string, string, Traits, ...unknown[]];

/** Our own text of the shapes of `service`, always the same for the same package version. */
export async function generateShapes(source: Source): Promise<string> {
  const directory = join(ROOT, "node_modules", source.package);
  const sdk = (await import(pathToFileURL(join(directory, "dist-cjs/index.js")).href)) as SdkModule;
  const { version } = JSON.parse(readFileSync(join(directory, "package.json"), "utf8"));
  const extractor = new Extractor(sdk, enumLinks(readDeclarations(directory), sdk), source);
  const nameOnly: string[] = [];
  for (const key of Object.keys(sdk).sort()) {
    const schema = sdk[key];
    if (!key.endsWith("$") || !isSchema(schema)) continue;
    const [kind, , name] = schema;
    if (source.keep === undefined || (kind === 9 && source.keep.test(name))) extractor.add(schema);
    else if (kind === 9) nameOnly.push(name);
  }
  const left = [...extractor.fractional];
  assert(left.length === 0, `fractional members that are not there: ${left.join(", ")}`);
  return format({
    source: `${source.package}@${version}`,
    ...protocolFacts(sdk),
    ...(nameOnly.length > 0 ? { nameOnly } : {}),
    operations: extractor.operations,
    shapes: extractor.shapes,
  });
}

/** Turns the package's schemas, which point at each other by functions, into tuples that do so by name. */
class Extractor {
  readonly operations: Record<string, ShapesFile["operations"][string]> = {};
  readonly shapes: Record<string, ShapeTuple> = {};
  /** Members whose numbers may have a fraction, and that no schema has had yet. */
  readonly fractional: Set<string>;
  readonly #enums: ReadonlyMap<string, EnumLink>;
  readonly #anyText: ReadonlySet<string>;
  readonly #sdk: SdkModule;
  readonly #seen = new Map<string, SdkSchema>();

  constructor(sdk: SdkModule, enums: ReadonlyMap<string, EnumLink>, { name }: Source) {
    this.#sdk = sdk;
    this.#enums = enums;
    this.#anyText = new Set(ANY_TEXT[name]);
    this.fractional = new Set(fractionalMembers(name));
  }

  /** Adds a schema and all it refers to; answers its name. */
  add(schema: SdkSchema): string {
    const [kind, namespace, name, traits, ...rest] = schema;
    if (namespace.startsWith("smithy.ts.sdk.synthetic.")) return name;
    const seen = this.#seen.get(name);
    // Small schemas without references stand in the package more than once.
    assert(!seen || isDeepStrictEqual(seen, schema), `two schemas are called ${name}`);
    if (seen !== undefined) return name;
    this.#seen.set(name, schema);
    checkTraits(traits, name);
    if (kind === 9) {
      assert(schema.length === 6, `operation ${name} has ${schema.length} elements`);
      this.operations[name] = [traits, this.#ref(rest[0], name), this.#ref(rest[1], name)];
    } else {
      this.shapes[name] = this.#tuple(schema);
    }
    return name;
  }

  #tuple(schema: SdkSchema): ShapeTuple {
    const [kind, , name, traits, first, second, third] = schema;
    switch (kind) {
      case 0:
        assert(schema.length === 5 && typeof first === "number", `simple ${name} is odd`);
        checkSentinel(first, name);
        return [0, traits, first];
      case 1:
        assert(schema.length === 5, `list ${name} has ${schema.length} elements`);
        return [1, traits, this.#ref(first, name)];
      case 2:
        assert(schema.length === 6, `map ${name} has ${schema.length} elements`);
        return [2, traits, this.#ref(first, name), this.#ref(second, name)];
      case 3:
      case 4:
      case -3: {
        assert(schema.length === 6 || schema.length === 7, `structure ${name} is odd`);
        const names = first as readonly string[];
        const refs = second as readonly unknown[];
        assert(names.length === refs.length, `structure ${name}: names and members differ`);
        const members = names.map((member, at): readonly [string, Ref] => [
          member,
          this.#memberRef(name, member, refs[at]),
        ]);
        return [kind, traits, members, (third as number | undefined) ?? 0];
      }
      default:
        throw new Error(`schema ${name} has the unknown kind ${kind}`);
    }
  }

  #ref(ref: unknown, where: string): Ref {
    if (typeof ref === "number") {
      checkSentinel(ref, where);
      return ref;
    }
    if (ref === "unit") return "Unit";
    if (typeof ref === "function") return this.#ref((ref as () => unknown)(), where);
    if (isSchema(ref)) return this.add(ref);
    assert(Array.isArray(ref) && ref.length === 2, `a reference in ${where} is odd`);
    checkTraits(ref[1], where);
    return [this.#ref(ref[0], where), ref[1]];
  }

  #memberRef(structure: string, member: string, sdkRef: unknown): Ref {
    const ref = this.#ref(sdkRef, `${structure}.${member}`);
    if (this.fractional.delete(`${structure}.${member}`)) return withFractions(ref);
    const link = this.#enums.get(`${structure}.${member}`);
    if (link === undefined || this.#anyText.has(`${structure}.${member}`)) return ref;
    this.#addEnum(link.name);
    return this.#withEnum(ref, link, `${structure}.${member}`);
  }

  /** `ref` with the plain string inside it replaced by the enum that the `.d.ts` names. */
  #withEnum(ref: Ref, link: EnumLink, where: string): Ref {
    if (Array.isArray(ref)) return [this.#withEnum(ref[0], link, where), ref[1]];
    if (link.of === "value" && (ref === 0 || ref === link.name)) return link.name;
    if (link.of === "list" && ref === 64) return `${link.name}[]`;
    const shape = typeof ref === "string" ? this.shapes[ref] : undefined;
    if (link.of === "list" && shape?.[0] === 1) {
      const linked = this.#withEnum(shape[2], { ...link, of: "value" }, where);
      this.shapes[ref as string] = [1, shape[1], linked];
      return ref;
    }
    throw new Error(`${where} is the enum ${link.name} but its schema is ${JSON.stringify(ref)}`);
  }

  #addEnum(name: string): void {
    const values = Object.values(this.#sdk[name] as Record<string, string>).sort();
    this.shapes[name] = ["enum", 0, values];
  }
}

function fractionalMembers(service: string): ReadonlySet<string> {
  const structures = Object.entries(FRACTIONAL_MEMBERS[service] ?? {});
  return new Set(
    structures.flatMap(([structure, names]) =>
      names.split(" ").map((member) => `${structure}.${member}`),
    ),
  );
}

/** A number, or a list or map of them, that may have a fraction. */
function withFractions(ref: Ref): Ref {
  if (typeof ref === "object") return [withFractions(ref[0]), ref[1]];
  const { integer, fractional, listOf, mapOf } = SENTINEL;
  assert(
    typeof ref === "number" && (ref & ~(listOf | mapOf)) === integer,
    `${JSON.stringify(ref)} is no number`,
  );
  return ref - integer + fractional;
}

interface EnumLink {
  readonly name: string;
  readonly of: "value" | "list";
}

/** `Structure.member` → enum. The link exists only in the declarations: the schemas say "string". */
function enumLinks(declarations: string, sdk: SdkModule): Map<string, EnumLink> {
  const links = new Map<string, EnumLink>();
  const structures =
    /^export (?:interface|declare class) (\w+)(?: extends \w+)? \{\n([\s\S]*?)^\}/gm;
  const unions = /^export declare namespace (\w+) \{\n([\s\S]*?)^\}/gm;
  for (const [, structure, body] of [
    ...declarations.matchAll(structures),
    ...declarations.matchAll(unions),
  ]) {
    for (const [, member, type] of (body ?? "").matchAll(/^ +(?:readonly )?(\w+)\??: (.*);$/gm)) {
      const [, name, list] = /^(\w+)(\[\])?(?: \| undefined)?$/.exec(type ?? "") ?? [];
      if (name !== undefined && isEnum(sdk[name])) {
        links.set(`${structure}.${member}`, { name, of: list === undefined ? "value" : "list" });
      }
    }
  }
  return links;
}

function readDeclarations(directory: string): string {
  const models = join(directory, "dist-types/models");
  return readdirSync(models)
    .filter((file) => file.endsWith(".d.ts"))
    .sort()
    .map((file) => readFileSync(join(models, file), "utf8"))
    .join("\n")
    .replace(/\/\*[\s\S]*?\*\//g, "");
}

/** What the client's own configuration says about its wire protocol. */
function protocolFacts(
  sdk: SdkModule,
): Omit<ShapesFile, "source" | "operations" | "shapes" | "nameOnly"> {
  const clients = Object.keys(sdk).filter((name) => /^[A-Z]\w*Client$/.test(name));
  assert(clients.length === 1, `expected one client class, found ${clients.join(", ")}`);
  const Client = sdk[clients[0] as string] as new (
    options: object,
  ) => { config: { protocol: { getShapeId(): string }; protocolSettings: ProtocolSettings } };
  const { config } = new Client({ region: "us-east-1" });
  const { serviceTarget, version, defaultNamespace, xmlNamespace } = config.protocolSettings;
  const protocol = config.protocol.getShapeId().replace("aws.protocols#", "");
  assert(serviceTarget && version && protocol && defaultNamespace, "the client is not configured");
  return {
    protocol,
    target: serviceTarget,
    version,
    namespace: defaultNamespace,
    ...(xmlNamespace === undefined ? {} : { xmlNamespace }),
  };
}

interface ProtocolSettings {
  readonly serviceTarget: string;
  readonly version: string;
  readonly defaultNamespace: string;
  readonly xmlNamespace?: string;
}

/** What the door knows. `endpoint` (a host prefix) is for the client; the others are read in `shape.ts`. */
const KNOWN_TRAITS: ReadonlySet<string> = new Set(
  "awsQueryError ec2QueryName endpoint error http httpError httpQuery idempotencyToken streaming xmlName".split(
    " ",
  ),
);

function checkTraits(traits: unknown, where: string): void {
  if (typeof traits === "number") {
    // httpResponseCode 32 and httpQueryParams 64 are in no service here.
    assert(traits < 32, `${where} has the unknown traits ${traits}`);
    return;
  }
  assert(typeof traits === "object" && traits !== null, `${where} has odd traits`);
  for (const trait of Object.keys(traits)) {
    assert(KNOWN_TRAITS.has(trait), `${where} has the unknown trait ${trait}`);
  }
}

function checkSentinel(sentinel: number, where: string): void {
  const { listOf, mapOf, fractional: _, ...known } = SENTINEL;
  const plain = sentinel & ~(listOf | mapOf);
  const isKnown = Object.values<number>(known).includes(plain);
  assert(isKnown && sentinel < listOf + mapOf, `${where} has the unknown kind ${sentinel}`);
}

function isSchema(value: unknown): value is SdkSchema {
  return Array.isArray(value) && typeof value[0] === "number" && typeof value[1] === "string";
}

function isEnum(value: unknown): boolean {
  return (
    typeof value === "object" &&
    value !== null &&
    Object.values(value).length > 0 &&
    Object.values(value).every((element) => typeof element === "string")
  );
}

/** One shape a line: small, and an upgrade's difference can be read. */
function format(file: ShapesFile): string {
  const { operations, shapes, ...facts } = file;
  const table = (entries: object): string =>
    Object.entries(entries)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`)
      .join(",\n");
  const head = JSON.stringify(facts).slice(0, -1);
  return `${head},\n"operations":{\n${table(operations)}\n},\n"shapes":{\n${table(shapes)}\n}}\n`;
}

/** Writes every file, or with `check` compares: answers the names of the files that differ. */
export async function generateAll(options: { check: boolean }): Promise<string[]> {
  const stale: string[] = [];
  for (const source of SOURCES) {
    const file = join(ROOT, `src/door/shapes/${source.name}.json`);
    const text = await generateShapes(source);
    if (!options.check) writeFileSync(file, text);
    else if (readFileSync(file, "utf8") !== text) stale.push(`${source.name}.json`);
  }
  return stale;
}

if (import.meta.main) {
  try {
    const stale = await generateAll({ check: process.argv.includes("--check") });
    if (stale.length > 0) throw new Error(`not up to date: ${stale.join(", ")}: npm run shapes`);
  } catch (error) {
    process.stderr.write(`shapes: ${messageOf(error)}\n`);
    process.exitCode = 1;
  }
}
