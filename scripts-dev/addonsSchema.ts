import { z } from "zod";
import { addonsSchema } from "../addons/config/schema";
import { speak } from "./clusterSchema";

export const ADDONS_SCHEMA_FILE = "schema/addons.schema.json";

type Json = Record<string, unknown>;

/** A JSON schema (draft 7) of a stack file of `addons/`, for editors. */
export function addonsStackFileSchema(): Json {
  const addons = z.toJSONSchema(addonsSchema, { io: "input", target: "draft-7", override: speak }) as Json;
  const { $schema, ...body } = addons;
  return {
    $schema,
    title: "A stack file of proxmox-k3s-addons",
    description: "Written by `npm run docs` from addons/config/schema.ts.",
    type: "object",
    properties: { config: { type: "object", properties: { "proxmox-k3s-addons:addons": body } } },
  };
}
