import type { Problem } from "../../config/problems";
import { labelStep } from "./labels";

/** Labels by which people choose the nodes that Longhorn keeps volumes on, and whether a value does. */
const ASKS: Readonly<Record<string, (value: string) => boolean>> = {
  storage: (value) => value === "longhorn",
  "node.longhorn.io/create-default-disk": (value) => value !== "false",
};

/** Labels of a pool of containers, or of one of its nodes, that ask for storage which no container can give. */
export const checkStorageLabels = (path: string, labels: Readonly<Record<string, string>>): Problem[] =>
  Object.entries(labels)
    .filter(([key, value]) => Object.hasOwn(ASKS, key) && ASKS[key]!(value))
    .map(([key]) => ({
      path: `${path}${labelStep(key)}`,
      problem: "asks for Longhorn on containers: its volumes come by iSCSI, and Linux has no iSCSI in a container",
      hint: "set it on a pool with kind: vm, or remove it",
    }));
