import { ownCommand } from "../../config/ownCommand";
import { fileBackend, locksOf } from "../fileBackend";
import { pulumi } from "../pulumi";
import { PROJECT } from "../stack";
import { backendUrl } from "../state";
import { type Finding, warn } from "./finding";

/**
 * Whether a run of Pulumi holds the stack: the run may soon change much of what the doctor sees.
 * @returns nothing if there is none, or if the backend does not say
 */
export async function checkRuns(name: string | undefined): Promise<Finding[]> {
  const root = fileBackend(await backendUrl());
  if (root === undefined) return [];
  const stack = name ?? (await pulumi(["stack", "--show-name"])).trim();
  return locksOf(root, PROJECT, stack.split("/").at(-1)!).map(({ username, hostname, pid, timestamp }) =>
    warn(
      "runs",
      `a run of Pulumi holds the stack since ${timestamp}: process ${pid} of ${username} on ${hostname}`,
      `wait until it ends; if it was interrupted: pulumi cancel --yes, then ${ownCommand("recover")}`,
    ),
  );
}
