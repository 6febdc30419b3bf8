import * as fs from "node:fs";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parse, stringify } from "yaml";

import { addonsStackFile } from "../../lab/addonsStack";
import { findLab, labPaths } from "../../lab/lab";
import { RegistryClient } from "../../lab/registry/client";
import { registryOf } from "../../lab/registry/fill";
import { finish, type Finished, Lab } from "./lab";
import { kill } from "./processTree";
import { nameOf, type PulumiResult } from "./pulumiResult";

/** Options with which `pulumi`, started in the project's root, works on the add-ons. */
const IN_ADDONS = ["-C", "addons"];

/** A stack's state file, as far as it is read here. */
interface Checkpoint {
  readonly checkpoint: {
    readonly latest?: {
      readonly resources?: readonly { readonly urn: string; readonly id?: string }[];
      readonly pending_operations?: readonly { readonly type: string; readonly resource: { readonly urn: string } }[];
    };
  };
}

/** The add-ons of a lab that was started with `--addons`: their stack file, and Pulumi in their folder. */
export class AddonsLab {
  private readonly providers: number[] = [];

  constructor(readonly lab: Lab) {}

  /** Starts the lab again from nothing; the first `pulumi up` then makes the cluster. @param change of the cluster's config */
  async raise(change: Parameters<Lab["edit"]>[0] = () => {}): Promise<void> {
    await this.lab.down();
    await this.lab.up("--addons");
    this.lab.edit((cluster) => {
      // The suite's machine may be busy.
      cluster.k3s.startTimeout = "10m";
      change(cluster);
    });
  }

  /** Changes the config. It has no type: a test may write what a person may write. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  edit(change: (addons: any) => void): void {
    const file = addonsStackFile(this.lab.stack);
    const content = parse(fs.readFileSync(file, "utf8")) as { config: Record<string, unknown> };
    change(content.config["proxmox-k3s-addons:addons"]);
    fs.writeFileSync(file, stringify(content));
  }

  /** Sets a secret in the config through standard input, as the docs say. */
  async secret(name: string, value: string): Promise<void> {
    const args = ["config", "set", "--secret", name, ...IN_ADDONS, "--non-interactive"];
    const { code, stdout, stderr } = await finish("pulumi", args, this.lab.environment, value);
    this.lab.transcript.push(stdout, stderr);
    if (code !== 0) throw new Error(`pulumi config set --secret ${name} ended with ${code}:\n${stderr}`);
  }

  /** Runs a command that must succeed. @returns what it changed, or would change */
  async result(command: "up" | "preview" | "destroy"): Promise<Changes> {
    const yes = command === "preview" ? [] : ["--yes", "--skip-preview"];
    const result = await this.lab.pulumiResult(command, ...yes, ...IN_ADDONS);
    if (result.code !== 0) throw new Error(`pulumi ${command} ended with ${result.code}:\n${said(result)}`);
    // The cluster's stack is read in every run.
    const changes = Object.entries(result.changes).filter(([, words]) => words.some((word) => word !== "read"));
    return Object.fromEntries(changes);
  }

  /** Runs a command that must fail. @returns its output */
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

  /** Runs an `up` and kills it as soon as `moment` holds for the state that it has written. */
  async killedUp(moment: (state: AddonsState) => boolean): Promise<void> {
    const look = () => {
      const state = this.state();
      return state !== undefined && moment(state);
    };
    await this.lab.killed(look, "up", "--yes", "--skip-preview", ...IN_ADDONS);
  }

  /**
   * The same, but kills it while Helm waits for the pods of a release.
   * @param status of the revision that Helm is working on, in Helm's words
   * @param providerLives kills `pulumi` and the program, but not the provider with Helm inside; `endProviders` does
   */
  async killedHelm(release: string, status: string, { providerLives = false } = {}): Promise<void> {
    let [isDue, isOver] = [false, false];
    const records = [
      "-n",
      release,
      "get",
      "secrets",
      "-l",
      `owner=helm,name=${release},status=${status}`,
      "-o",
      "name",
    ];
    const watch = async () => {
      for (; !isDue && !isOver; await sleep(500)) {
        const { stdout } = await finish("kubectl", records, this.lab.environment);
        // Helm makes the objects a moment after its record.
        if (stdout !== "") await sleep(3_000);
        isDue = stdout !== "";
      }
    };
    const up = ["up", "--yes", "--skip-preview", ...IN_ADDONS];
    const spared = providerLives ? "pulumi-resource-kubernetes" : undefined;
    const killed = this.lab.killedBut(spared, () => isDue, ...up).finally(() => (isOver = true));
    const [living] = await Promise.all([killed, watch()]);
    if (providerLives && living.length === 0) throw new Error("the provider did not survive");
    this.providers.push(...living);
  }

  /** Ends the providers that are still running after their `pulumi` was killed. */
  endProviders(): void {
    for (const each of this.providers.splice(0)) kill(each);
  }

  /** The content of the state; undefined while Pulumi writes it. */
  state(): AddonsState | undefined {
    try {
      const latest = this.latest();
      return {
        made: (latest?.resources ?? []).map(({ urn }) => nameOf(urn)),
        pending: (latest?.pending_operations ?? []).map(({ resource }) => nameOf(resource.urn)),
      };
    } catch {
      return undefined;
    }
  }

  /** The URN of the one resource with this name and, if several have the name, with a type that ends like this. */
  urn(name: string, type = ""): string {
    const urns = (this.latest()?.resources ?? []).map(({ urn }) => urn);
    const found = urns.filter((urn) => urn.endsWith(`${type}::${name}`));
    if (found.length !== 1) throw new Error(`${found.length} resources are named ${name}`);
    return found[0]!;
  }

  /** @throws Error while Pulumi writes the file */
  private latest(): Checkpoint["checkpoint"]["latest"] {
    const stacks = path.join(labPaths(this.lab.name).pulumiState, ".pulumi/stacks/proxmox-k3s-addons");
    const text = fs.readFileSync(path.join(stacks, `${this.lab.stack}.json`), "utf8");
    return (JSON.parse(text) as Checkpoint).checkpoint.latest;
  }

  get registry(): RegistryClient {
    return registryOf(findLab(this.lab.name)!);
  }
}

/** Names of resources. */
export interface AddonsState {
  readonly made: readonly string[];
  /** Their operation has begun and not ended. */
  readonly pending: readonly string[];
}

export type Changes = PulumiResult["changes"];

const said = ({ stdout, stderr }: PulumiResult): string => `${stdout}${stderr}`;
