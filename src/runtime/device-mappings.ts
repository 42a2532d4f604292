import { realpath, stat } from "node:fs/promises";
import { join, relative } from "node:path";
import { listDevices, readDevice } from "./host-facts.ts";
import type { OciDevice, OciDeviceRule } from "./oci.ts";
import { type DeviceMapping, RuntimeError } from "./runtime.ts";

/** A device as a container gets it: the node, and what it may do with it. */
export interface MappedDevice {
  readonly node: OciDevice;
  readonly rule: OciDeviceRule;
}

/** Looks up what a task definition maps. Throws RuntimeError, in Docker's words, for what is no device. */
export async function lookUpDevices(
  mappings: readonly DeviceMapping[],
): Promise<readonly MappedDevice[]> {
  return (await Promise.all(mappings.map(lookUp))).flat();
}

async function lookUp(mapping: DeviceMapping): Promise<readonly MappedDevice[]> {
  const { containerPath, hostPath, permissions } = mapping;
  if (!/^[rwm]{1,3}$/.test(permissions)) {
    throw new RuntimeError(`invalid permissions of device ${hostPath}: ${permissions}`);
  }
  const found = await devicesAt(hostPath);
  if (found.length === 0) throw notADevice(hostPath, "not a device node");
  return found.map(({ device, below }) => ({
    node: { ...device, path: join(containerPath, below) },
    rule: {
      allow: true,
      type: device.type,
      major: device.major,
      minor: device.minor,
      access: permissions,
    },
  }));
}

async function devicesAt(
  hostPath: string,
): Promise<readonly { readonly device: OciDevice; readonly below: string }[]> {
  try {
    const path = await realpath(hostPath);
    if ((await stat(path)).isDirectory()) {
      const devices = await listDevices(path);
      return devices.map((device) => ({ device, below: relative(path, device.path) }));
    }
    const device = await readDevice(path);
    return device === undefined ? [] : [{ device, below: "" }];
  } catch (error) {
    const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
    throw notADevice(hostPath, isMissing ? "no such file or directory" : String(error));
  }
}

function notADevice(hostPath: string, reason: string): RuntimeError {
  return new RuntimeError(
    `error gathering device information while adding custom device "${hostPath}": ${reason}`,
  );
}
