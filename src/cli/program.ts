import { isPackage } from "../lib/own-files.ts";

/** How a user calls this program. */
export const PROGRAM: string = isPackage ? "gantry" : "npx gantry";

/** How a user starts everything. */
export const START_COMMAND: string = isPackage ? "gantry up" : "npm start";
