import * as fs from "node:fs";

import type { ClusterPlan } from "../../plan/model";
import type { AdminShell } from "../adminShell";
import { renderAdmin } from "./adminScript";
import type { HostFacts } from "./facts";
import { apiUserOf, TOKEN, tokenValues } from "./hostPlan";
import * as local from "./local";
import { tell } from "./tell";

interface Subject {
  /** The stack's name. */
  readonly name: string;
  readonly shell: AdminShell;
  readonly plan: ClusterPlan;
  readonly facts: Pick<HostFacts, "usedVmIds">;
}

/**
 * Sets the stack's three secrets. A secret that is still valid stays.
 * @param keys files of the private keys
 * @param fresh the keys that this run created: no existing secret can contain them
 */
export async function setSecrets(
  { name, shell, plan, facts }: Subject,
  keys: { readonly host: string; readonly node: string },
  fresh: ReadonlySet<string>,
): Promise<void> {
  const there = await local.configKeys(name);
  const set = async (key: string, value: string): Promise<void> => {
    await local.setSecret(name, key, value);
    tell(`MADE\tsecret ${key}`);
  };
  const setKey = async (key: string, file: string): Promise<void> =>
    there.has(key) && !fresh.has(file) ? tell(`STANDS\tsecret ${key}`) : set(key, fs.readFileSync(file, "utf8"));
  await setKey("hostPrivateKey", keys.host);
  // Existing nodes accept only the former key.
  if (there.has("nodePrivateKey") && fresh.has(keys.node) && plan.nodes.some(({ vmId }) => facts.usedVmIds.has(vmId)))
    tell(`DIFFERS\tsecret nodePrivateKey is not the key ${keys.node}: the existing nodes accept only the secret's key`);
  else await setKey("nodePrivateKey", keys.node);
  // A token that the user has chosen stays. For the program's own token, the host says whether it still exists.
  const token = `${apiUserOf(plan.name)}!${TOKEN}`;
  const former = there.has("proxmoxApiToken") ? await local.secretOf(name, "proxmoxApiToken") : undefined;
  const isOther = former !== undefined && !former.startsWith(`${token}=`);
  const secret = isOther ? "" : await shell.script(renderAdmin("token", tokenValues(plan, former !== undefined)));
  if (secret === "") tell("STANDS\tsecret proxmoxApiToken");
  else await set("proxmoxApiToken", `${token}=${secret}`);
}
