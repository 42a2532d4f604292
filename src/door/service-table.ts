/** The few facts about a service that routing needs before its shapes are loaded. */
import { readFileSync } from "node:fs";
import { ServiceShapes } from "./shape.ts";

export type ProtocolName = "awsJson1_0" | "awsJson1_1";

export interface ServiceRow {
  /** Our folder's name and the shapes' file name. */
  readonly name: string;
  /** The service in the credential scope. */
  readonly signingName: string;
  /** What stands before the dot in `X-Amz-Target`. */
  readonly target: string;
  readonly protocol: ProtocolName;
  /** The exception that the generic check of an input answers with. */
  readonly validationError: string;
}

export const SERVICE_TABLE: readonly ServiceRow[] = [
  {
    name: "ecs",
    signingName: "ecs",
    target: "AmazonEC2ContainerServiceV20141113",
    protocol: "awsJson1_1",
    validationError: "InvalidParameterException",
  },
  {
    name: "logs",
    signingName: "logs",
    target: "Logs_20140328",
    protocol: "awsJson1_1",
    validationError: "InvalidParameterException",
  },
];

/** Reads the shapes of a service from beside this file: some milliseconds, so once per service and door. */
export function loadShapes(name: string): ServiceShapes {
  const file = new URL(`./shapes/${name}.json`, import.meta.url);
  return new ServiceShapes(JSON.parse(readFileSync(file, "utf8")));
}
