import type { Problem } from "../../config/problems";
import { labelStep } from "./labels";

/** With this label, Longhorn uses only those disks of a node that an annotation names. */
export const DEFAULT_DISK_LABEL = "node.longhorn.io/create-default-disk";

/** Labels with which people choose the nodes for Longhorn's volumes, each with a test of its value. */
const ASKS: Readonly<Record<string, (value: string) => boolean>> = {
  storage: (value) => value === "longhorn",
  [DEFAULT_DISK_LABEL]: (value) => value !== "false",
};

const asks = (key: string, value: string): boolean => Object.hasOwn(ASKS, key) && ASKS[key]!(value);

/** Whether a node's labels ask for volumes that use iSCSI. */
export const asksForStorage = (labels: Readonly<Record<string, string>>): boolean =>
  Object.entries(labels).some(([key, value]) => asks(key, value));

/** The package with the iSCSI initiator. */
export const ISCSI_PACKAGE = "open-iscsi";

/** Packages of a pool of containers that no container can use. */
export const checkStoragePackages = (path: string, packages: readonly string[]): Problem[] =>
  packages.flatMap((name, at) =>
    name === ISCSI_PACKAGE
      ? [
          {
            path: `${path}[${at}]`,
            problem: "is for virtual machines only: Linux has no iSCSI in a container",
            hint: "set it on a pool with kind: vm, or remove it",
          },
        ]
      : [],
  );

/** Labels of a pool of containers, or of one of its nodes, that ask for storage that no container can have. */
export const checkStorageLabels = (path: string, labels: Readonly<Record<string, string>>): Problem[] =>
  Object.entries(labels)
    .filter(([key, value]) => asks(key, value))
    .map(([key]) => ({
      path: `${path}${labelStep(key)}`,
      problem: "asks for Longhorn on containers: its volumes come by iSCSI, and Linux has no iSCSI in a container",
      hint: "set it on a pool with kind: vm, or remove it",
    }));
