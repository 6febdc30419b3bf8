import * as fs from "node:fs";
import * as path from "node:path";
import { parse, stringify } from "yaml";

import { addonsStackFile } from "../../lab/addonsStack";
import { findLab, labPaths } from "../../lab/lab";
import { RegistryClient } from "../../lab/registry/client";
import { registryOf } from "../../lab/registry/fill";
import { finish, type Finished, Lab } from "./lab";
import type { PulumiResult } from "./pulumiResult";

/** Options with which `pulumi`, started in the project's root, works on the add-ons. */
const IN_ADDONS = ["-C", "addons"];

/** As the file of a stack's state has it. */
interface Checkpoint {
  readonly checkpoint: {
    readonly latest?: {
      readonly resources?: readonly { readonly urn: string; readonly id?: string }[];
      readonly pending_operations?: readonly { readonly type: string; readonly resource: { readonly urn: string } }[];
    };
  };
}

/** The add-ons of a lab that was raised with `--addons`: their stack file, and Pulumi in their folder. */
export class AddonsLab {
  constructor(readonly lab: Lab) {}

  /** Changes the config, as loose as a person may write it. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  edit(change: (addons: any) => void): void {
    const file = addonsStackFile(this.lab.stack);
    const content = parse(fs.readFileSync(file, "utf8")) as { config: Record<string, unknown> };
    change(content.config["proxmox-k3s-addons:addons"]);
    fs.writeFileSync(file, stringify(content));
  }

  /** Sets secret config, by standard input as the docs say. */
  async secret(name: string, value: string): Promise<void> {
    const args = ["config", "set", "--secret", name, ...IN_ADDONS, "--non-interactive"];
    const { code, stdout, stderr } = await finish("pulumi", args, this.lab.environment, value);
    this.lab.transcript.push(stdout, stderr);
    if (code !== 0) throw new Error(`pulumi config set --secret ${name} ended with ${code}:\n${stderr}`);
  }

  /** A command that must end well, and what it changed, or would change. */
  async result(command: "up" | "preview" | "destroy"): Promise<Changes> {
    const yes = command === "preview" ? [] : ["--yes", "--skip-preview"];
    const result = await this.lab.pulumiResult(command, ...yes, ...IN_ADDONS);
    if (result.code !== 0) throw new Error(`pulumi ${command} ended with ${result.code}:\n${said(result)}`);
    // The stack of the cluster is read each time.
    const changes = Object.entries(result.changes).filter(([, words]) => words.some((word) => word !== "read"));
    return Object.fromEntries(changes);
  }

  /** The same for one that must fail; what it said. */
  async failure(command: "up" | "preview" | "destroy"): Promise<string> {
    const yes = command === "preview" ? [] : ["--yes", "--skip-preview"];
    const result = await this.lab.pulumiResult(command, ...yes, ...IN_ADDONS);
    if (result.code === 0) throw new Error(`pulumi ${command} did not fail:\n${said(result)}`);
    return said(result);
  }

  /** `pulumi COMMAND …` on the add-ons' stack. */
  pulumi(...args: string[]): Promise<Finished> {
    return this.lab.pulumi(...args, ...IN_ADDONS);
  }

  /** An `up` that is killed as soon as `moment` holds for the state that it has written. */
  async killedUp(moment: (state: AddonsState) => boolean): Promise<void> {
    const look = () => {
      const state = this.state();
      return state !== undefined && moment(state);
    };
    await this.lab.killed(look, "up", "--yes", "--skip-preview", ...IN_ADDONS);
  }

  /** What the state has; undefined while Pulumi writes it. */
  state(): AddonsState | undefined {
    const stacks = path.join(labPaths(this.lab.name).pulumiState, ".pulumi/stacks/proxmox-k3s-addons");
    try {
      const text = fs.readFileSync(path.join(stacks, `${this.lab.stack}.json`), "utf8");
      const { latest } = (JSON.parse(text) as Checkpoint).checkpoint;
      const nameOf = (urn: string) => urn.slice(urn.lastIndexOf("::") + 2);
      return {
        made: (latest?.resources ?? []).map(({ urn }) => nameOf(urn)),
        pending: (latest?.pending_operations ?? []).map(({ resource }) => nameOf(resource.urn)),
      };
    } catch {
      return undefined;
    }
  }

  get registry(): RegistryClient {
    return registryOf(findLab(this.lab.name)!);
  }
}

/** Names of resources. */
export interface AddonsState {
  readonly made: readonly string[];
  /** Whose operation has begun and not ended. */
  readonly pending: readonly string[];
}

export type Changes = PulumiResult["changes"];

const said = ({ stdout, stderr }: PulumiResult): string => `${stdout}${stderr}`;
