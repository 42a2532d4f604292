/** A clone runs the TypeScript sources; the npm package holds JavaScript. */
const isPackage = import.meta.url.endsWith(".js");

/** How a user calls this program. */
export const PROGRAM: string = isPackage ? "gantry" : "npx gantry";

/** How a user starts everything. */
export const START_COMMAND: string = isPackage ? "gantry up" : "npm start";
