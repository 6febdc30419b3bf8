import {
  createHash,
  createHmac,
  generateKeyPairSync,
  randomBytes,
  randomUUID,
  scryptSync,
  sign,
  timingSafeEqual,
  verify,
} from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { readText, writeFileAtomically } from "../files";
import { Permissions, root } from "./permissions";
import { parseUserConfig, printUserConfig, type UserConfig } from "./userConfig";

const ticketSeconds = 2 * 60 * 60;

/**
 * Users, tokens, roles and tickets, kept under `/etc/pve` in PVE's own files: `user.cfg`, `priv/token.cfg`,
 * `priv/shadow.cfg`, `priv/authkey.key`, `pve-www.key`. They are read for each request.
 *
 * There is no PAM here: the password of `root@pam` is in `priv/shadow.cfg` as well.
 */
export class AccessStore {
  constructor(private readonly etcPve: string) {}

  read(): UserConfig {
    return parseUserConfig(readText(this.file("user.cfg")) ?? "");
  }

  /** Changes `user.cfg`. The change must be synchronous, so that two calls never overlap. */
  update<T>(change: (config: UserConfig) => T): T {
    const config = this.read();
    const result = change(config);
    writeFileAtomically(this.file("user.cfg"), printUserConfig(config), 0o640);
    return result;
  }

  /** Removes a destroyed guest's own rights, and its place in a pool. */
  forgetGuest(vmid: number): void {
    this.update(({ acl, pools }) => {
      acl.delete(`/vms/${vmid}`);
      for (const pool of pools.values()) pool.vms.delete(vmid);
    });
  }

  permissions(): Permissions {
    return new Permissions(this.read());
  }

  setPassword(user: string, password: string): void {
    const salt = randomBytes(16).toString("hex");
    const lines = this.lines("priv/shadow.cfg").filter((line) => !line.startsWith(`${user}:`));
    lines.push(`${user}:${salt}$${passwordHash(password, salt)}:`);
    this.writeLines("priv/shadow.cfg", lines);
  }

  /** @throws when the user is unknown, disabled or expired, or the password is wrong. */
  checkPassword(user: string, password: string): void {
    this.checkUser(user);
    const [, stored] =
      this.lines("priv/shadow.cfg")
        .find((line) => line.startsWith(`${user}:`))
        ?.split(":") ?? [];
    const [salt = "", hash = ""] = stored?.split("$") ?? [];
    if (!hash || !sameText(hash, passwordHash(password, salt))) throw new Error("authentication failure");
  }

  /** Sets a token's secret, a new one unless given, and returns it. */
  setTokenSecret(tokenId: string, secret: string = randomUUID()): string {
    const lines = this.lines("priv/token.cfg").filter((line) => !line.startsWith(`${tokenId} `));
    this.writeLines("priv/token.cfg", [...lines, `${tokenId} ${secret}`].sort());
    return secret;
  }

  removeTokenSecret(tokenId: string): void {
    this.writeLines(
      "priv/token.cfg",
      this.lines("priv/token.cfg").filter((line) => !line.startsWith(`${tokenId} `)),
    );
  }

  /** Returns `user@realm!name` of a valid `user@realm!name=secret`. */
  verifyToken(text: string): string {
    const [, tokenId = "", secret = ""] = /^(.*)=(.*)$/.exec(text) ?? [];
    const [user = "", name = ""] = tokenId.split("!");
    const token = this.checkUser(user).tokens.get(name);
    if (!token) throw new Error(`no such token '${name}' for user '${user}'`);
    if (token.expire && token.expire < now()) throw new Error(`token '${name}' access expired`);
    const stored = this.lines("priv/token.cfg").find((line) => line.startsWith(`${tokenId} `));
    if (!stored || !sameText(stored, `${tokenId} ${secret}`)) throw new Error("invalid token value!");
    return tokenId;
  }

  createTicket(user: string): { ticket: string; csrfPreventionToken: string } {
    const plain = `PVE:${user}:${hexSeconds(now())}`;
    return {
      ticket: `${plain}::${sign("sha256", Buffer.from(plain), this.privateKey()).toString("base64")}`,
      csrfPreventionToken: this.csrfToken(user, hexSeconds(now())),
    };
  }

  /** Returns the user of a ticket that this host signed not more than two hours ago. */
  verifyTicket(ticket: string): string {
    const [, plain = "", signature = ""] = /^(PVE:\S+)::([^:\s]+)$/.exec(ticket) ?? [];
    const [, user = "", issued = ""] = /^PVE:(.+):([0-9A-F]{8})$/.exec(plain) ?? [];
    const isSigned = user && verify("sha256", Buffer.from(plain), this.privateKey(), Buffer.from(signature, "base64"));
    if (!isSigned || !isFresh(issued)) throw new Error("permission denied - invalid PVE ticket");
    this.checkUser(user);
    return user;
  }

  isCsrfToken(user: string, token: string): boolean {
    const [, issued = ""] = /^([0-9A-F]{8}):\S+$/.exec(token) ?? [];
    return isFresh(issued) && sameText(token, this.csrfToken(user, issued));
  }

  private checkUser(id: string) {
    const user = this.read().users.get(id);
    if (!user) throw new Error(`no such user ('${id}')`);
    if (!user.enable && id !== root) throw new Error(`user '${id}' is disabled`);
    if (user.expire && user.expire < now()) throw new Error(`user '${id}' access expired`);
    return user;
  }

  private csrfToken(user: string, issued: string): string {
    const secret = this.secret("pve-www.key", () => randomBytes(32).toString("hex"));
    return `${issued}:${createHmac("sha256", secret).update(`${issued}:${user}`).digest("base64").replace(/=+$/, "")}`;
  }

  private privateKey(): string {
    return this.secret("priv/authkey.key", () =>
      generateKeyPairSync("rsa", { modulusLength: 2048 })
        .privateKey.export({ type: "pkcs8", format: "pem" })
        .toString(),
    );
  }

  /** A file that is made once and then stays. */
  private secret(name: string, create: () => string): string {
    const found = readText(this.file(name));
    if (found !== undefined) return found;
    const made = create();
    this.write(name, made);
    return made;
  }

  private lines(name: string): string[] {
    return (readText(this.file(name)) ?? "").split("\n").filter(Boolean);
  }

  private writeLines(name: string, lines: readonly string[]): void {
    this.write(name, lines.map((line) => `${line}\n`).join(""));
  }

  private write(name: string, text: string): void {
    fs.mkdirSync(path.dirname(this.file(name)), { recursive: true, mode: 0o700 });
    writeFileAtomically(this.file(name), text, 0o600);
  }

  private file(name: string): string {
    return path.join(this.etcPve, name);
  }
}

/** A sixteenth of the usual cost: a lab's password is of no use outside the lab, and each test's node sets some. */
function passwordHash(password: string, salt: string): string {
  return scryptSync(password, salt, 32, { N: 1 << 10 }).toString("hex");
}

/** Compares digests, so that the time it takes shows neither content nor length. */
function sameText(a: string, b: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

function isFresh(issued: string): boolean {
  const age = now() - parseInt(issued, 16);
  return age > -300 && age < ticketSeconds;
}

function hexSeconds(seconds: number): string {
  return seconds.toString(16).toUpperCase().padStart(8, "0");
}

function now(): number {
  return Math.floor(Date.now() / 1000);
}
