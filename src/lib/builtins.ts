/**
 * Node's own modules that are dear to `import`: an ES import reads each export once, getters too, and those of `node:http` load undici with HTTP/2 and web streams
 * (a tenth of a start, 6 MiB), those of `node:util` open stderr as a stream. Values come from here therefore, types from the modules themselves.
 */
export const http: typeof import("node:http") = process.getBuiltinModule("node:http");
export const util: typeof import("node:util") = process.getBuiltinModule("node:util");
