import { spawnSync } from "node:child_process";

/** Debian's, whatever other Python stands in the path. */
export const PYTHON = "/usr/bin/python3";

const hasBotocore = spawnSync(PYTHON, ["-c", "import botocore"]).status === 0;
export const skipWithoutBotocore: string | false = hasBotocore
  ? false
  : "botocore is not installed: apt-get install python3-boto3";
