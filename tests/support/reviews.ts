import { renderText } from "../../cli/preview/render";
import { type Review, reviewOf } from "../../cli/preview/review";
import { loadPlan } from "../../plan/load";
import type { ClusterPlan } from "../../plan/model";
import { clusterRecordOf } from "../../plan/record";
import { changed, homelabConfig } from "../unit/config/support";

/* Configs and reviews of changes, for the tests of the review. */

/** Three servers on etcd and two workers, on one Proxmox VE node. */
const config = (change: unknown = {}): unknown =>
  changed(
    changed(homelabConfig(), {
      k3s: { artifacts: { sha256: { amd64: "0".repeat(64) } } },
      pools: {
        master: {
          count: 3,
          hostname: "k3s-master-{0}",
          nodes: null,
          vmIds: { from: 110 },
          addresses: { from: "192.168.2.30" },
        },
      },
    }),
    change,
  );
export const plan = (change?: unknown): ClusterPlan => loadPlan(config(change));
export const state = { kind: "state", stack: "homelab" } as const;
export const review = (change: unknown, from: unknown = {}): Review =>
  reviewOf({ record: clusterRecordOf(plan(from)), source: state, unfinished: [] }, plan(change));
export const text = (change: unknown, from?: unknown): string => renderText(review(change, from));
export const worker = (change: unknown) => ({ pools: { worker: change } });
export const master = (change: unknown) => ({ pools: { master: change } });
