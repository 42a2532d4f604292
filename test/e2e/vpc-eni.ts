/** What the ECS agent's plugin `vpc-eni` does with a task's interface (`plugins/vpc-eni`), by ip. */
import assert from "node:assert/strict";
import type { ElasticNetworkInterface } from "../../src/protocol/acs.ts";
import { command } from "./gantry-kit.ts";

/** ADD: finds the link by its MAC address, moves it into a namespace, and sets it up there. Throws when there is none. */
export async function addInterface(
  eni: ElasticNetworkInterface,
  namespacePath: string,
): Promise<void> {
  const links = JSON.parse(await ip("-j link")) as { ifname: string; address: string }[];
  const link = links.find(({ address }) => address === eni.macAddress)?.ifname;
  if (link === undefined) throw new Error(`invalid MAC address: no link has ${eni.macAddress}`);
  const [gateway = "", prefixLength = ""] = eni.subnetGatewayIpv4Address.split("/");
  await ip(`link set ${link} netns ${namespacePath}`);
  const inside = inNamespace(namespacePath);
  await inside(`link set ${link} name eth0`);
  for (const { privateAddress } of eni.ipv4Addresses) {
    await inside(`address add ${privateAddress}/${prefixLength} dev eth0`);
  }
  await inside("link set eth0 up");
  await inside(`route add default via ${gateway} dev eth0`);
}

/** DEL: renames the link by three bytes of its address and gives it to the namespace of process 1. */
export async function deleteInterface(
  { macAddress }: ElasticNetworkInterface,
  namespacePath: string,
): Promise<void> {
  const bytes = macAddress.split(":").slice(0, 3);
  const name = `ecs${bytes.map((byte) => Number.parseInt(byte, 16).toString(16)).join("")}`;
  const inside = inNamespace(namespacePath);
  await inside("link set eth0 down");
  await inside(`link set eth0 name ${name}`);
  await inside(`link set ${name} netns 1`);
}

function inNamespace(path: string): (line: string) => Promise<void> {
  return async (line) => {
    const words = [`--net=${path}`, "--", "ip", ...line.split(" ")];
    const { code, stderr } = await command("nsenter", words);
    assert.equal(code, 0, `ip ${line}: ${stderr}`);
  };
}

async function ip(line: string): Promise<string> {
  const { code, stderr, stdout } = await command("ip", line.split(" "));
  assert.equal(code, 0, `ip ${line}: ${stderr}`);
  return stdout;
}
