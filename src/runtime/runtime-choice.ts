import type { Container } from "./containerd/messages.ts";

const RUNC_SHIM = "io.containerd.runc.v2";
const OPTIONS_TYPE_URL = "containerd.runc.v1.Options";
/** Field `binary_name` of containerd.runc.v1.Options. */
const BINARY_NAME_FIELD = 6;
const LENGTH_DELIMITED = 2;

/**
 * containerd's description of who runs a container. A name with dots is a shim, such as `io.containerd.kata.v2`; any other is
 * a program with runc's command line, by name or path, that the shim for runc calls.
 */
export function runtimeOf(choice: string): Container["runtime"] {
  if (isShim(choice)) return { name: choice };
  if (choice === "runc") return { name: RUNC_SHIM };
  const value = Buffer.from(choice, "utf8");
  // Protobuf: one field of fewer than 128 bytes.
  const head = Buffer.from([(BINARY_NAME_FIELD << 3) | LENGTH_DELIMITED, value.length]);
  const options = { type_url: OPTIONS_TYPE_URL, value: Buffer.concat([head, value]) };
  return { name: RUNC_SHIM, options };
}

/** The program that must be installed for this choice. */
export function runtimeProgram(choice: string): string {
  if (!isShim(choice)) return choice;
  // containerd: `io.containerd.<name>.<version>` is run by `containerd-shim-<name>-<version>`.
  return `containerd-shim-${choice.split(".").slice(-2).join("-")}`;
}

function isShim(choice: string): boolean {
  return !choice.includes("/") && choice.includes(".");
}
