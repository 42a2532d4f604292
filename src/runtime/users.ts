/** Who a container's process runs as: Docker's rules for `user[:group]`, by the image's own passwd and group files. */
export interface ProcessUser {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups, ascending. */
  readonly additionalGids: readonly number[];
  /** From passwd; `/` when the user has no entry there. */
  readonly home: string;
}

interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/** Docker's: as many as signed 32 bits hold, though the kernel has twice as many. */
const ID_MAX = 2 ** 31 - 1;

/**
 * Resolves `user`, `uid`, `user:group`, `uid:gid` or "" (root). Names must be in the files; numbers need not. Without
 * `:group` the user's own and supplementary groups apply. Throws an Error that names what is unknown.
 */
export function resolveUser(text: string, passwd: string, group: string): ProcessUser {
  const [userPart = "", groupPart, ...more] = text.split(":");
  if (more.length > 0) throw new Error(`invalid user "${text}": expected user[:group]`);
  const groups = parseGroup(group);
  const user = findUser(userPart === "" ? "0" : userPart, parsePasswd(passwd));
  if (groupPart !== undefined && groupPart !== "") {
    const gid = findGroup(groupPart, groups);
    return { uid: user.uid, gid, additionalGids: [], home: user.home };
  }
  const additional = groups
    .filter(({ gid, members }) => gid !== user.gid && user.name && members.includes(user.name))
    .map(({ gid }) => gid);
  return {
    uid: user.uid,
    gid: user.gid,
    additionalGids: [...new Set(additional)].sort((a, b) => a - b),
    home: user.home,
  };
}

/** Reads passwd(5): lines of `name:password:uid:gid:comment:home:shell`. Malformed lines do not count. */
function parsePasswd(text: string): readonly PasswdEntry[] {
  return text.split("\n").flatMap((line) => {
    const [name = "", , uid = "", gid = "", , home = ""] = line.trim().split(":");
    const ids = { uid: parseId(uid), gid: parseId(gid) };
    if (name === "" || ids.uid === undefined || ids.gid === undefined) return [];
    return [{ name, uid: ids.uid, gid: ids.gid, home: home || "/" }];
  });
}

/** Reads group(5): lines of `name:password:gid:member,member`. Malformed lines do not count. */
function parseGroup(text: string): readonly GroupEntry[] {
  return text.split("\n").flatMap((line) => {
    const [name = "", , gid = "", members = ""] = line.trim().split(":");
    const id = parseId(gid);
    if (name === "" || id === undefined) return [];
    return [{ name, gid: id, members: members.split(",").filter(Boolean) }];
  });
}

/** A name before a number: passwd may name a user `1000`. */
function findUser(text: string, entries: readonly PasswdEntry[]): PasswdEntry {
  const uid = parseId(text);
  const entry =
    entries.find(({ name }) => name === text) ?? entries.find((other) => other.uid === uid);
  if (entry !== undefined) return entry;
  if (uid === undefined)
    throw new Error(`unable to find user ${text}: no matching entries in passwd file`);
  return { name: "", uid, gid: 0, home: "/" };
}

function findGroup(text: string, entries: readonly GroupEntry[]): number {
  const gid = entries.find(({ name }) => name === text)?.gid ?? parseId(text);
  if (gid === undefined)
    throw new Error(`unable to find group ${text}: no matching entries in group file`);
  return gid;
}

function parseId(text: string): number | undefined {
  if (!/^\d{1,10}$/.test(text)) return undefined;
  const id = Number(text);
  return id <= ID_MAX ? id : undefined;
}
