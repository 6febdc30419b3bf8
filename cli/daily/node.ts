import { spawn } from "node:child_process";
import { Command } from "commander";

import { ownCommand } from "../../config/ownCommand";
import { PROGRAM } from "../pulumi";
import { exportState } from "../state";
import { applyEdit, type ChangeOptions, nodeNamed, subjectOf } from "./apply";
import { withoutNode } from "./stackEdit";

const retire = new Command("retire")
  .description(
    "Take one node out of the cluster for good: shows what pulumi up will do, asks, and changes the stack file. Its comments stay, " +
      "and no other node changes.",
  )
  .argument("<node>", "the node's name")
  .option("--replace", "also add a new node with the pool's next index; use it for one of several servers")
  .option("--stack <name>", "the stack (default: the selected one)")
  .option("--dry-run", "only show what pulumi up would do")
  .option("--yes", "do not ask")
  .addHelpText(
    "after",
    `\nExample:\n  ${ownCommand("node retire k3s-worker-1")}\n\nThe same without this command: add the node's index to its pool's retired, and lower count by one.`,
  )
  .action(async (name: string, options: ChangeOptions & { replace?: boolean }) => {
    const subject = await subjectOf(options.stack);
    const node = nodeNamed(name, subject.plan);
    const isOneOfServers = node.role === "server" && subject.plan.servers.length > 1 && !options.replace;
    const otherWay = `${ownCommand(`node retire ${name} --replace`)}, so that a new server takes its place`;
    await applyEdit(subject, (text) => withoutNode(text, node, subject.plan.nodes, options.replace), {
      ...options,
      ...(isOneOfServers && { otherWay }),
    });
  });

const rebuild = new Command("rebuild")
  .description(
    "Replace a node's machine by a new one with the same name: runs pulumi up for it, which shows its preview and asks.",
  )
  .argument("<node>", "the node's name")
  .option("--stack <name>", "the stack (default: the selected one)")
  .option("--yes", "do not ask")
  .addHelpText(
    "after",
    `\nExample:\n  ${ownCommand("node rebuild k3s-worker-1")}\n\nThe same without this command: pulumi up --replace '**::k3s-worker-1'`,
  )
  .action(async (name: string, options: ChangeOptions) => {
    const { stack, plan } = await subjectOf(options.stack);
    nodeNamed(name, plan);
    const guest = (await exportState(["--stack", stack])).guests.find((each) => each.name === name);
    if (!guest) throw new Error(`${name} has no machine yet\nnext:  pulumi up --stack ${stack}, which makes it`);
    const args = ["up", "--stack", stack, "--replace", guest.urn, ...(options.yes ? ["--yes"] : [])];
    process.exitCode = await new Promise<number>((resolve, reject) => {
      const child = spawn("pulumi", args, { cwd: PROGRAM, stdio: "inherit" });
      child.on("error", reject);
      child.on("exit", (code) => resolve(code ?? 1));
    });
  });

/** `proxmox-k3s node`: actions on one node. */
export const nodeCommand = new Command("node")
  .description("Retire or rebuild one node.")
  .addCommand(retire)
  .addCommand(rebuild)
  .addHelpText("after", `\nExample:\n  ${ownCommand("node retire k3s-worker-1")}`);
