/** Docker's Engine API on a socket. */
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { request } from "node:http";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";

/** Of Docker 20.10; whoever asks for another version says so. */
const VERSION_DEFAULT = "1.41";

export class DockerClient {
  readonly #socketPath: string;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  /** One request with a JSON body. Throws with what Docker says of a refusal. */
  async call<T = unknown>(
    method: string,
    path: string,
    body?: object,
    version: string = VERSION_DEFAULT,
  ): Promise<T> {
    const answer = await this.#send(
      method,
      `/v${version}${path}`,
      body === undefined ? "" : JSON.stringify(body),
    );
    return (/^[[{]/.test(answer) ? JSON.parse(answer) : answer) as T;
  }

  /** Loads the images of a `docker save` archive. */
  async load(archive: string): Promise<void> {
    await this.#send("POST", `/v${VERSION_DEFAULT}/images/load`, createReadStream(archive));
  }

  async #send(
    method: string,
    path: string,
    body: string | ReturnType<typeof createReadStream>,
  ): Promise<string> {
    const contentType = typeof body === "string" ? "application/json" : "application/x-tar";
    const call = request({
      socketPath: this.#socketPath,
      method,
      path,
      headers: { host: "docker", "content-type": contentType },
    });
    const answered = once(call, "response");
    // Node sends a GET's or DELETE's body without its length; an empty one is none.
    if (typeof body === "string") call.end(body);
    else await pipeline(body, call);
    const [response] = await answered;
    const said = await text(response);
    if (response.statusCode >= 400) throw new Error(`${method} ${path}: ${said}`);
    return said;
  }
}
